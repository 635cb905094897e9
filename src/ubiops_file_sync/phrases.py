"""Sizes, times, spans and names as people read them. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_SECOND = -62_135_596_800
_LAST_SECOND = 253_402_300_799
"""The years 1 and 9999: what `datetime` can tell of."""

_SPANS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
_SIZES = ("KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
"""The units that settings are written in."""


def size_words(size: int) -> str:
    """A size to the byte, since one byte is a difference."""
    return "1 byte" if size == 1 else f"{size:,} bytes"


def bytes_words(size: int) -> str:
    """A size to three digits or so: `0 bytes`, `1.5 KiB`, `120 MiB`."""
    if size < 1024:
        return size_words(size)
    units = iter(_SIZES)
    amount, unit = size / 1024, next(units)
    # What would be rounded to a thousand and twenty-four of them is one of the next.
    while amount >= 1023.5:
        amount, unit = amount / 1024, next(units)
    return f"{amount:.1f} {unit}" if amount < 99.95 else f"{amount:,.0f} {unit}"


def rate_words(bytes_per_s: float) -> str:
    """A speed: `12.3 MiB/s`."""
    return f"{bytes_words(int(bytes_per_s))}/s"


def counted(count: int, noun: str) -> str:
    """So many of a thing: `1 file`, `1,200 files`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def moment_ns(time_ns: int) -> str:
    """A time in UTC, with as many digits of the second as it has: one of them is a difference."""
    second, rest = divmod(time_ns, 1_000_000_000)
    if not _FIRST_SECOND <= second <= _LAST_SECOND:
        return f"a time that no calendar holds ({second:,} s after 1970)"
    fraction = f"{rest:09}".rstrip("0")
    when = (_EPOCH + timedelta(seconds=second)).replace(tzinfo=None).isoformat(" ")
    return f"{when}{'.' if fraction else ''}{fraction} UTC"


def moment_us(time_us: int) -> str:
    """A time in UTC, from microseconds since the epoch."""
    return moment_ns(time_us * 1000)


def moment_here(time_us: int, zone: tzinfo | None = None) -> str:
    """A time to the second in the machine's own time zone, or in `zone`."""
    second = time_us // 1_000_000
    # A day from the ends, since zones shift it.
    if not _FIRST_SECOND + 86_400 <= second <= _LAST_SECOND - 86_400:
        return moment_us(time_us)
    return f"{(_EPOCH + timedelta(seconds=second)).astimezone(zone):%Y-%m-%d %H:%M:%S %Z}"


def duration_words(seconds: float) -> str:
    """How long something took: `34 ms`, `2.5 s`, `1 h 14 min`."""
    if seconds < 0.0995:
        return f"{max(round(seconds * 1000), 1)} ms"
    return f"{seconds:.1f} s" if seconds < 59.95 else span_us(round(seconds) * 1_000_000)


def minutes_words(minutes: int) -> str:
    """So many minutes, as a forecast has them: `15 min`, `1 h 14 min`."""
    return span_us(minutes * 60_000_000)


def span_us(span: int) -> str:
    """A span of time in its two largest units; the sign is left out."""
    seconds = abs(span) // 1_000_000
    parts = []
    for length, unit in _SPANS:
        if seconds >= length:
            parts.append(f"{seconds // length} {unit}")
            seconds %= length
    return " ".join(parts[:2]) or "less than 1 s"


def printable(text: str) -> str:
    """A key as one line that cannot play tricks on a terminal."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode()
        for char in text
    )
