"""Good inputs that something was done to."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st

Change = Callable[[bytes], bytes]

_BYTES = (b"\0", b"\x1b[2J", b"\xff", b"\n", b"\r", b'"', b"{", b"]", b"../", b" ", b"\xe2\x80\xae")


def _place(data: bytes, share: float) -> int:
    return int(share * len(data))


def _insert(share: float, word: bytes) -> Change:
    return lambda data: data[: _place(data, share)] + word + data[_place(data, share) :]


def _overwrite(share: float, word: bytes) -> Change:
    def change(data: bytes) -> bytes:
        at = _place(data, share)
        return data[:at] + word + data[at + len(word) :]

    return change


def _cut(share: float, length: int) -> Change:
    return lambda data: data[: _place(data, share)] + data[_place(data, share) + length :]


def _repeat(share: float, length: int, times: int) -> Change:
    def change(data: bytes) -> bytes:
        at = _place(data, share)
        return data[:at] + data[at : at + length] * times + data[at + length :]

    return change


def _truncate(share: float) -> Change:
    return lambda data: data[: _place(data, share)]


def _replace(number: int, word: bytes) -> Change:
    """Put a word in the place of one of the values of something like JSON or YAML."""

    def change(data: bytes) -> bytes:
        ends = [at for at, byte in enumerate(data) if byte in b",}]\n"]
        begins = [at + 1 for at, byte in enumerate(data) if byte in b":=[ "]
        if not begins:
            return word
        begin = begins[number % len(begins)]
        end = next((at for at in ends if at >= begin), len(data))
        return data[:begin] + word + data[end:]

    return change


def mutated(seeds: list[bytes], words: tuple[str, ...]) -> st.SearchStrategy[bytes]:
    """A seed with up to four changes, or now and then bytes by chance."""
    known = [*_BYTES, *(word.encode(errors="surrogatepass") for word in words)]
    word = st.one_of(st.sampled_from(known), st.binary(min_size=1, max_size=6))
    share = st.floats(0, 1)
    change = st.one_of(
        st.builds(_replace, st.integers(0, 10_000), word),
        st.builds(_replace, st.integers(0, 10_000), word),
        st.builds(_insert, share, word),
        st.builds(_overwrite, share, word),
        st.builds(_cut, share, st.integers(1, 40)),
        st.builds(_repeat, share, st.integers(1, 60), st.integers(2, 50)),
        st.builds(_truncate, share),
    )

    def apply(seed: bytes, changes: list[Change]) -> bytes:
        for one in changes:
            seed = one(seed)
        return seed

    good = st.builds(apply, st.sampled_from(seeds), st.lists(change, min_size=1, max_size=4))
    return st.one_of(good, good, good, st.binary(max_size=200))
