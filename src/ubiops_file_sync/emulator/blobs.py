"""The files that hold objects' bytes.

A file gets its final place only when it is complete: whatever a broken connection or a killed
server leaves behind lies in `incoming`, which is emptied at the next start.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import BinaryIO, Protocol

import anycrc
import google_crc32c

from .records import Blob

COPY_BYTES = 1 << 20


class BlobFolder:
    """Blob files below one folder, spread over 16 sub-folders. May be used by several threads."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._incoming = root / "incoming"
        shutil.rmtree(self._incoming, ignore_errors=True)
        self._incoming.mkdir(mode=0o700, parents=True)

    def writer(self, hashes: Collection[str]) -> BlobWriter:
        """A new blob to write to; `hashes` of it are computed: `md5`, `crc32c`, `crc64`."""
        return BlobWriter(self, hashes)

    def path(self, name: str) -> str:
        """Where a complete blob lies. A string: this is on the path of every request."""
        return f"{self._root}/{name[:1]}/{name}"

    def incoming_path(self, name: str) -> str:
        """Where a blob is written until it is complete."""
        return f"{self._incoming}/{name}"

    def keep(self, name: str) -> None:
        """Move a complete blob from `incoming` to its final place."""
        source, target = self.incoming_path(name), self.path(name)
        try:
            os.rename(source, target)  # noqa: PTH104 - a Path costs more than the call itself
        except FileNotFoundError:
            Path(target).parent.mkdir(mode=0o700, exist_ok=True)
            Path(source).rename(target)

    def open(self, name: str) -> BinaryIO:
        """The bytes of a complete blob; they stay readable when the blob is removed meanwhile."""
        return Path(self.path(name)).open("rb")

    def remove(self, names: Iterable[str | None]) -> None:
        """Delete blobs. Names that are None, or gone already, are passed over."""
        for name in names:
            if name is not None:
                Path(self.path(name)).unlink(missing_ok=True)

    def join(self, names: Iterable[str], hashes: Collection[str]) -> Blob:
        """One new blob of the bytes of `names`, in their order; they stay as they are."""
        writer = BlobWriter(self, hashes)
        try:
            for name in names:
                with self.open(name) as source:
                    while chunk := source.read(COPY_BYTES):
                        writer.write(chunk)
        except BaseException:
            writer.discard()
            raise
        return writer.finish()


class _Checksum(Protocol):
    """What `hashlib` offers, and the untyped `google_crc32c.Checksum`."""

    def update(self, chunk: bytes, /) -> object: ...

    def digest(self) -> bytes: ...


class _Crc64:
    """CRC-64/NVME, big-endian."""

    def __init__(self) -> None:
        self._value = _crc64(b"")

    def update(self, chunk: bytes, /) -> None:
        self._value = _crc64(chunk, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(8, "big")


_crc64: Callable[..., int] = anycrc.Model("CRC64-NVME").calc

_NEW: dict[str, Callable[[], _Checksum]] = {
    "md5": lambda: hashlib.md5(usedforsecurity=False),
    "crc32c": google_crc32c.Checksum,
    "crc64": _Crc64,
}


class BlobWriter:
    """A blob that is coming in. End with `finish` or `discard`."""

    def __init__(self, folder: BlobFolder, hashes: Collection[str]) -> None:
        self._folder = folder
        self._name = secrets.token_hex(16)
        self._size = 0
        self._hashes = {name: _NEW[name]() for name in hashes}
        path = folder.incoming_path(self._name)
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)

    def write(self, chunk: bytes) -> None:
        """Append bytes."""
        for computing in self._hashes.values():
            computing.update(chunk)
        self._size += len(chunk)
        view = memoryview(chunk)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def finish(self) -> Blob:
        """Close the blob and put it in its place."""
        os.close(self._descriptor)
        self._folder.keep(self._name)
        digests = {name: computing.digest() for name, computing in self._hashes.items()}
        return Blob(
            name=self._name,
            size=self._size,
            md5=digests.get("md5"),
            crc32c=digests.get("crc32c"),
            crc64=digests.get("crc64"),
        )

    def discard(self) -> None:
        """Close the blob and forget it."""
        os.close(self._descriptor)
        Path(self._folder.incoming_path(self._name)).unlink(missing_ok=True)
