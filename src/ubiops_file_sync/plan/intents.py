"""Uploads that an earlier pass began: whether an object is what it was sending. Pure."""

from __future__ import annotations

from ubiops_file_sync.model import BaselineEntry, Intent, LocalEntry, RemoteEntry

CLOCK_TOLERANCE_US = 1_000_000
"""How far `time_created` may lie outside the time of our own upload and still be ours.

The API and its storage provider have clocks of their own. Every second more is one in which
somebody else's object of the same size would be taken for ours.
"""
DATE_STEP_US = 1_000_000
"""HTTP `Date` has whole seconds, cut: the answer came up to one later than it says."""

VISIBLE_AFTER_US = 30_000_000
"""How long a bucket may take to show what was stored in it, before it is taken for gone.

UbiOps and its providers promise to show it at once. Where they do not, to wait costs half a minute,
and not to wait costs an upload in every pass until it shows.
"""


def recognise(
    intent: Intent, remote: RemoteEntry, base: BaselineEntry | None = None
) -> BaselineEntry | None:
    """The baseline of an upload of ours that is seen for the first time, if it is surely ours.

    Sure means: the upload is known to have ended well, the size is what was sent, and the object
    was stored while we were sending it. Anything else is None, and the content is compared.
    An object that is in the baseline (`base`) already is the one that was there before, which a
    bucket may still show.
    What remains is somebody else's upload of the same key and size in the very second of ours:
    the listing tells nothing that would part the two, and asking costs a call a file.
    """
    if intent.finished_us is None or remote.size != intent.size:
        return None
    if base is not None and remote[1:] == (base.size, base.created_us):
        return None
    earliest = intent.started_us - CLOCK_TOLERANCE_US
    latest = intent.finished_us + DATE_STEP_US + CLOCK_TOLERANCE_US
    if not earliest <= remote.created_us <= latest:
        return None
    return BaselineEntry(intent.key, intent.size, intent.mtime_ns, remote.created_us)


def may_be_ours(intent: Intent, remote: RemoteEntry) -> bool:
    """Whether an upload of which no end is known may have stored this object."""
    if intent.finished_us is not None:
        return False  # Then `recognise` knows for sure.
    began = intent.started_us - CLOCK_TOLERANCE_US
    return remote.size == intent.size and remote.created_us >= began


def is_just_sent(intent: Intent, server_now_us: int) -> bool:
    """Whether an upload ended well, and so lately that the bucket may not show it yet."""
    ended_us = intent.finished_us
    return ended_us is not None and server_now_us < ended_us + DATE_STEP_US + VISIBLE_AFTER_US


def is_later_edit(local: LocalEntry, intent: Intent) -> bool:
    """Whether the file is another than the one that was sent."""
    return (local.size, local.mtime_ns) != (intent.size, intent.mtime_ns)
