"""Opens what a path holds: a plain file, a compressed one, or the members of an archive, each a part of its own."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

from segue.data.read.archives import tar_members, zip_members
from segue.data.read.part import BLOCK, COMPRESSED, DAMAGED, ZIP, Part, damaged, decompressed, inner_suffix
from segue.domain.errors import ReadError


class Origin(Protocol):
    """Where rows come from that is no path: an address in an object store, a query, a frame."""

    @property
    def name(self) -> str:
        """What reports and quarantine call it, without a secret."""
        ...

    def parts(self) -> Iterator[Part]:
        """Its parts; each may only be read before the next one is asked for."""
        ...

    def size(self) -> int:
        """About how many bytes it has; 0 where that is not known."""
        ...


Location = Path | Origin


def parts(place: Location, name: str | None = None) -> Iterator[Part]:
    """The parts of a place in their order; a part of an archive may only be read before the next one is asked for."""
    if not isinstance(place, Path):
        yield from place.parts()
        return
    path, name = place, name or str(place)
    if not path.exists():
        raise ReadError("there is no such file", where=name, mend="mend the path, or `files` in segue.toml")
    if path.is_dir():
        raise ReadError("this is a folder", where=name, mend=f"name its files, such as {name}/*.csv")
    magic = _magic(path, name)
    opener = _Opener(path, magic, name)
    if magic[:4] == ZIP:
        yield from zip_members(path, name)
    elif is_archive(path, magic):
        yield from tar_members(path, name, opener, opener.position)
    else:
        yield Part(name, path, opener, opener.position, settled=opener.settled)


def size_of(place: Location) -> int:
    """Bytes of a place, as far as they are known."""
    if isinstance(place, Path):
        return place.stat().st_size if place.is_file() else 0
    return place.size()


def _magic(path: Path, name: str) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(512)
    except OSError as error:
        raise damaged(name, error) from error


def holds_members(path: Path) -> bool:
    """Whether a file is an archive, whose files can be named one by one."""
    magic = _magic(path, str(path))
    return magic[:4] == ZIP or is_archive(path, magic)


def is_archive(path: Path, magic: bytes) -> bool:
    """Whether a file is a tar archive, by its name or its first 512 bytes."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    return ".tar" in suffixes or suffixes[-1:] == [".tgz"] or magic[257:262] == b"ustar"


class _Opener:
    """Opens a file as far as it went when it was first met, decompressed, and knows how far it was read."""

    def __init__(self, path: Path, magic: bytes, name: str) -> None:
        self._path, self._magic, self._name = path, magic, name
        self._first = path.stat()
        self._file: BinaryIO | None = None

    def __call__(self) -> BinaryIO:
        self._file = cast(BinaryIO, _AsItWas(self._path, self._first.st_size))
        return decompressed(self._file, self._magic)

    def position(self) -> int:
        """Bytes of the file that were read since it was last opened."""
        if self._file is None:
            return 0
        try:
            return self._file.tell()
        except (OSError, ValueError):  # it is closed, perhaps just now, by the thread that reads
            return self._first.st_size

    def settled(self, last: bytes) -> None:
        """Refuse a file that changed since it was met, unless whole lines were added: those are for the next time."""
        now = self._path.stat()
        same = (now.st_size, now.st_mtime_ns) == (self._first.st_size, self._first.st_mtime_ns)
        if not same and not (now.st_size > self._first.st_size and last == b"\n"):
            raise ReadError(
                "the file changed while it was read",
                where=self._name,
                mend="wait until it is written, then repeat the command; none of its rows was taken",
            )


class _AsItWas(io.FileIO):
    """A file that ends where it ended when its size was taken; what is added to it later is not there."""

    def __init__(self, path: Path, size: int) -> None:
        super().__init__(path, "rb")
        self._size = size

    def _left(self) -> int:
        return max(self._size - self.tell(), 0)

    def read(self, size: int | None = -1, /) -> Any:
        """At most `size` bytes."""
        left = self._left()
        return super().read(left if size is None or size < 0 else min(size, left))

    def readall(self) -> Any:
        """All that is left."""
        return self.read()

    def readinto(self, buffer: Any, /) -> int:
        """Bytes read into the buffer."""
        return super().readinto(memoryview(buffer)[: self._left()]) or 0

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """The new position; the end is the one that it had."""
        if whence == io.SEEK_END:
            return super().seek(self._size + offset)
        return super().seek(offset, whence)


__all__ = [
    "BLOCK",
    "COMPRESSED",
    "DAMAGED",
    "Location",
    "Origin",
    "Part",
    "damaged",
    "holds_members",
    "inner_suffix",
    "is_archive",
    "parts",
    "size_of",
]
