"""The look at the service: some forty calls in a scratch prefix, which is left empty."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from ubiops_file_sync import keys
from ubiops_file_sync.bucket.exchange import Answer
from ubiops_file_sync.bucket.problems import Place, explain
from ubiops_file_sync.bucket.raw import OutOfCalls, RawBucket, json_of
from ubiops_file_sync.bucket.retry import Damaged, Refused
from ubiops_file_sync.bucket.trouble import NoAnswer
from ubiops_file_sync.bucket.upload import AZURE, block_id
from ubiops_file_sync.contract.seen import (
    CONTENT,
    EMPTY,
    IN_PARTS,
    NAMES,
    NEW_CONTENT,
    PAGE_LIMIT,
    PART_BYTES,
    PARTS,
    PLAIN,
    RANGE,
    Item,
    Seen,
    Stored,
    item_of,
)
from ubiops_file_sync.errors import UsageError
from ubiops_file_sync.model import PAGE_ITEMS

MOST_CALLS = 59
_POLLS_S = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Waits before each look whether the first file shows."""
_TICK_S = 1.1
"""More than one tick of a clock of whole seconds."""
_MOST_PAGES = 14

_SIGNATURES = {"x-amz-signature", "x-goog-signature", "signature", "sig"}


def scratch_prefix() -> str:
    """A prefix that nobody else uses."""
    return f".ubiops-file-sync-contract-{secrets.token_hex(6)}/"


class Look:
    """One look. Removes what it made, and nothing else, however it ends."""

    def __init__(
        self,
        raw: RawBucket,
        place: Place,
        prefix: str,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Nothing is asked yet. Raises `UsageError` for a prefix that may not be."""
        if not prefix.endswith("/"):
            prefix += "/"
        refusal = keys.refusal(prefix + IN_PARTS)
        if refusal is not None:
            raise UsageError(f"--prefix {prefix!r} cannot be used: {refusal}")
        self.prefix = prefix
        self.seen = Seen()
        self.made: list[str] = []
        """Whole names of what may stand in the bucket through us."""
        self._raw = raw
        self._place = place
        self._sleep = sleep

    def take(self) -> Seen:
        """Everything that could be seen. Raises `SyncError` where there is nothing to look at."""
        self._see_bucket()
        self._see_that_it_is_free()
        steps = (
            self._see_refusals,
            self._store,
            self._store_in_parts,
            self._list,
            self._download,
            self._overwrite,
            self._delete,
        )
        for step in steps:
            try:
                step()
            except (Refused, Damaged, NoAnswer) as error:
                self.seen.troubles.append(f"the look at it failed: {_words(error)}")
            except OutOfCalls:
                self.seen.troubles.append(f"{MOST_CALLS} calls were not enough to look at it")
        return self.seen

    def tidy(self) -> list[str]:
        """Delete what was made; the names of what could not be deleted."""
        self._raw.allowed = MOST_CALLS
        self._wait_to_see()
        while self.made:
            try:
                answer = self._raw.delete(self.made[-1])
            except (Refused, NoAnswer, OutOfCalls):
                break
            if answer.status not in {200, 204, 404}:
                break
            self.made.pop()
        return list(self.made)

    def _ask(self, method: Callable[..., Answer], *args: object, **options: str) -> Answer:
        """One call, as long as enough of them are left to tidy up."""
        self._raw.allowed = MOST_CALLS - len(self.made) - 1
        answer = method(*args, **options)
        self.seen.answers.append(answer)
        return answer

    def _expect(self, answer: Answer, endpoint: str) -> Answer:
        """A good answer, or the exception that tells of it in a user's words."""
        if not 200 <= answer.status <= 299:
            error = json_of(answer).get("error", answer.reason)
            raise explain(Refused(answer.status, str(error)[:300]), self._place, endpoint, None)
        return answer

    def _see_bucket(self) -> None:
        try:
            self.seen.bucket = self._ask(self._raw.bucket)
        except (Refused, NoAnswer) as error:
            raise explain(error, self._place, "bucket", None) from None
        self._expect(self.seen.bucket, "bucket")

    def _see_that_it_is_free(self) -> None:
        try:
            page = self._ask(self._raw.list_page, self.prefix, PAGE_ITEMS)
            self.seen.first_page = page
            if page.status == 400:
                page = self._ask(self._raw.list_page, self.prefix, 1)
        except (Refused, NoAnswer) as error:
            raise explain(error, self._place, "list", None) from None
        body = json_of(self._expect(page, "list"))
        if body.get("files") or body.get("continuation_token"):
            raise UsageError(
                f"there are files below {self.prefix!r} in the bucket already, and nothing of "
                "others may be touched; name an empty --prefix, or none"
            )

    def _see_refusals(self) -> None:
        raw, seen = self._raw, self.seen
        never = f"{self.prefix}never-was"
        seen.missing["get"] = self._ask(raw.get, never)
        seen.missing["download"] = self._ask(raw.sign_download, never)
        seen.missing["delete"] = self._ask(raw.delete, never)
        seen.beyond_limit = self._ask(raw.list_page, self.prefix, PAGE_ITEMS + 1)
        seen.stranger = self._ask(raw.bucket_for_a_stranger)
        seen.no_bucket = self._ask(raw.other_bucket, f"never-was-{secrets.token_hex(6)}")

    def _store(self) -> None:
        for name in (*NAMES, EMPTY):
            content = {PLAIN: CONTENT, EMPTY: b""}.get(name, name.encode())
            self.seen.stored[name] = self._send(name, content)
            if name == PLAIN:
                self._see_it_show()

    def _send(self, name: str, content: bytes) -> Stored:
        file = self.prefix + name
        if file not in self.made:
            self.made.append(file)
        answer = self._ask(self._raw.sign_upload, file)
        if answer.status == 403:
            self._expect(answer, "upload")
        signed = _required(answer)
        body = json_of(signed)
        put = self._raw.put_bytes(str(body.get("url")), str(body.get("provider")), content)
        return Stored(signed, put)

    def _see_it_show(self) -> None:
        waited_s = 0.0
        for wait_s in _POLLS_S:
            self._sleep(wait_s)
            waited_s += wait_s
            answer = self._ask(self._raw.get, self.prefix + PLAIN)
            if answer.status == 200:
                self.seen.first_got = item_of(json_of(answer))
                self.seen.shown_after_s = waited_s
                return

    def _wait_to_see(self) -> None:
        """As long as the first file took to show, and a little longer."""
        if self.seen.shown_after_s:
            self._sleep(self.seen.shown_after_s * 1.5)

    def _store_in_parts(self) -> None:
        raw, file = self._raw, self.prefix + IN_PARTS
        start = _required(self._ask(raw.start_multipart, file))
        self.seen.multipart.append(start)
        upload, is_azure = str(json_of(start).get("upload_id")), self.seen.provider() == AZURE
        entries: list[dict[str, object]] = []
        for number, content in enumerate(PARTS, 1):
            block = block_id(number)
            part = {"upload_id": block} if is_azure else {"upload_id": upload}
            if not is_azure:
                part["part_number"] = str(number)
            body = json_of(_required(self._ask(raw.sign_upload, file, **part)))
            put = raw.put_bytes(str(body.get("url")), str(body.get("provider")), content)
            self.seen.multipart.append(put)
            etag = put.headers.get("etag", "")
            entries.append({"BlockId": block} if is_azure else {"ETag": etag, "PartNumber": number})
        self.made.append(file)
        self.seen.multipart.append(self._ask(lambda: raw.complete_multipart(file, upload, entries)))

    def _list(self) -> None:
        self._wait_to_see()
        token: str | None = None
        for _ in range(_MOST_PAGES):
            body = json_of(
                _required(self._ask(self._raw.list_page, self.prefix, PAGE_LIMIT, token))
            )
            self.seen.pages.append([(name, item) for name, item in self._items(body)])
            token = body.get("continuation_token")
            if not token:
                self.seen.listing_ended = True
                break
        body = json_of(_required(self._ask(self._raw.list_page, self.prefix + PLAIN, 100)))
        self.seen.by_text = [name for name, _ in self._items(body)]

    def _items(self, body: dict[str, object]) -> list[tuple[str, Item]]:
        files = body.get("files")
        found = files if isinstance(files, list) else []
        return [(str(one.get("file")).removeprefix(self.prefix), item_of(one)) for one in found]

    def _download(self) -> None:
        raw, seen = self._raw, self.seen
        signed = _required(self._ask(raw.sign_download, self.prefix + PLAIN))
        seen.download_signed, url = signed, str(json_of(signed).get("url"))
        seen.download = raw.get_bytes(url)
        seen.part_of_download = raw.get_bytes(url, {"Range": f"bytes={RANGE[0]}-{RANGE[1]}"})
        seen.altered_url = raw.get_bytes(_altered(url))
        signed = _required(self._ask(raw.sign_download, self.prefix + IN_PARTS))
        seam = {"Range": f"bytes={PART_BYTES - 8}-{PART_BYTES + 7}"}
        seen.parts_range = raw.get_bytes(str(json_of(signed).get("url")), seam)

    def _overwrite(self) -> None:
        self._sleep(_TICK_S)
        _required(self._send(PLAIN, NEW_CONTENT).put)
        self._wait_to_see()
        answer = _required(self._ask(self._raw.get, self.prefix + PLAIN))
        self.seen.overwritten = item_of(json_of(answer))

    def _delete(self) -> None:
        file = self.prefix + PLAIN
        self.seen.deleted.append(self._ask(self._raw.delete, file))
        self.seen.deleted.append(self._ask(self._raw.get, file))
        self.seen.deleted.append(self._ask(self._raw.delete, file))
        if self.seen.deleted[1].status == 404:
            self.made.remove(file)


def _required(answer: Answer) -> Answer:
    """An answer without which the rest of a step makes no sense."""
    if not 200 <= answer.status <= 299:
        raise Refused(answer.status, answer.reason)
    return answer


def _words(error: Exception) -> str:
    """What failed; none of these exceptions ever holds a URL."""
    return f"the answer was {error}" if isinstance(error, Refused) else str(error)


def _altered(url: str) -> str:
    """The same URL with another signature."""
    parts = urlsplit(url)
    query = [
        (name, ("0" if value[:1] != "0" else "1") + value[1:])
        if name.lower() in _SIGNATURES
        else (name, value)
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
    ]
    return urlunsplit(parts._replace(query=urlencode(query, quote_via=quote)))
