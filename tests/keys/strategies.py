"""Names that people, programs and enemies give to files."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from ubiops_file_sync import keys

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""For any test: a slow machine is no fault of the code."""

AROUND_THE_SLASH = "-./0"
"""What sorts just before and after ``/``, where walks of directories go out of order."""

_characters = st.one_of(
    st.sampled_from("-.0ab \n~é€😀\uffff\U0010ffff\x01"),
    st.characters(exclude_categories=["Cs"], exclude_characters="/\0"),
)
names = st.text(_characters, min_size=1, max_size=12).filter(
    lambda name: name not in {".", ".."} and len(name.encode()) <= keys.MAX_PART_BYTES
)
"""Names that a file may have."""

valid_keys = (
    st.lists(names, min_size=1, max_size=4)
    .map("/".join)
    .filter(lambda key: keys.refusal(key) is None)
)

long_names = st.builds(
    lambda stem, extension: stem * 255 + extension,
    st.sampled_from(["a", "é", "€", "😀", ".", "x.", "-"]),
    st.sampled_from(["", ".csv", ".tar.gz", ".€€", "." + "e" * 40]),
).map(lambda name: name.encode()[-keys.MAX_PART_BYTES :].decode(errors="ignore"))
"""Names of as many bytes as a file system takes, or just less."""

long_keys = (
    st.lists(st.one_of(names, long_names), min_size=1, max_size=6)
    .map("/".join)
    .map(lambda key: key.encode()[-keys.MAX_KEY_BYTES :].decode(errors="ignore"))
    .filter(lambda key: keys.refusal(key) is None)
)
"""Keys about as long as they may be."""
