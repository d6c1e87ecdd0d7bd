"""Opens archives: each member a part of its own, and none of them larger than its archive can honestly hold."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from tarfile import open as open_tar
from typing import BinaryIO, cast
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZIP_LZMA, ZIP_STORED, ZipFile, ZipInfo

from segue.data.read.part import BLOCK, DAMAGED, IN_MEMORY, ZIP, Part, damaged, decompressed
from segue.domain.errors import ReadError

MEMBERS_TAKEN = "copy or download it again, then repeat the command; what was read of it is not taken twice"
SWELLS = 200  # times its compressed size: text of events shrinks to a tenth or a thirtieth
BOMB = 1 << 30  # bytes of a member from which on that is looked at

_METHODS = (ZIP_STORED, ZIP_DEFLATED, ZIP_BZIP2, ZIP_LZMA)


def tar_members(path: Path, name: str, opener: Callable[[], BinaryIO], position: Callable[[], int]) -> Iterator[Part]:
    """The files in a tar archive, in their order; each may only be read before the next one is asked for."""
    try:
        with opener() as stream, open_tar(fileobj=stream, mode="r|") as archive:
            for member in archive:
                content = archive.extractfile(member) if member.isfile() else None
                if content is not None and not _is_hidden(member.name):
                    yield from _spooled(path, f"{name}/{member.name}", content, position)
    except DAMAGED as error:
        raise damaged(name, error, MEMBERS_TAKEN) from error


def zip_members(path: Path, name: str) -> Iterator[Part]:
    """The files in a zip archive, in their order. A member that unpacks to far more than it should is refused."""
    try:
        with ZipFile(path) as archive:
            wanted = [
                member for member in archive.infolist() if not member.is_dir() and not _is_hidden(member.filename)
            ]
            for member in wanted:
                _refuse(member, f"{name}/{member.filename}")
            _refuse_overlap(wanted, path, name)
            for member in wanted:
                opener = _Member(archive, member, f"{name}/{member.filename}")
                yield Part(opener.name, path, opener, opener.position)
    except DAMAGED as error:
        raise damaged(name, error, MEMBERS_TAKEN) from error


def _is_hidden(name: str) -> bool:
    """What systems put into archives beside the data: .DS_Store, __MACOSX/._a.csv."""
    return any((step.startswith(".") and step not in (".", "..")) or step == "__MACOSX" for step in Path(name).parts)


def _refuse(member: ZipInfo, name: str) -> None:
    if member.flag_bits & 1:
        raise ReadError("this member of the archive is encrypted", where=name, mend="unpack it, and name the file")
    if member.compress_type not in _METHODS:
        raise ReadError(
            f"this member is packed in a way that is not known here ({member.compress_type})",
            where=name,
            mend="unpack it, and name the file",
        )
    refuse_bomb(member.file_size, member.compress_size, name)


def refuse_bomb(size: int, packed: int, name: str) -> None:
    """Refuse what unpacks to a size that no honest data do."""
    if size > BOMB and size > SWELLS * max(packed, 1):
        raise ReadError(
            f"{packed:,} bytes unpack to {size:,} or more, over {SWELLS} times as many: "
            "this looks like an archive made to fill the disk",
            where=name,
            mend="if it is meant to be so, unpack it yourself and name the file",
        )


def _refuse_overlap(members: list[ZipInfo], path: Path, name: str) -> None:
    packed, there = sum(member.compress_size for member in members), path.stat().st_size
    if packed > there:
        raise ReadError(
            f"its members say that they take {packed:,} bytes, but the archive has {there:,}: they overlap",
            where=name,
            mend="this is no archive that a packing program makes; get it again from where it came",
        )


class _Member:
    """Opens one member of a zip archive, as often as needed, and knows how far the archive was read for it."""

    def __init__(self, archive: ZipFile, member: ZipInfo, name: str) -> None:
        self._archive, self._member, self.name = archive, member, name
        self._stream: BinaryIO | None = None

    def __call__(self) -> BinaryIO:
        with self._archive.open(self._member) as stream:
            magic = stream.read(512)
        _refuse_nested(magic, self.name)
        self._stream = cast(BinaryIO, self._archive.open(self._member))
        return cast(BinaryIO, _Forward(decompressed(self._stream, magic)))

    def position(self) -> int:
        """Bytes of the archive up to where it is read, about."""
        whole = max(self._member.file_size, 1)
        share = 1.0 if self._stream is None or self._stream.closed else self._stream.tell() / whole
        return self._member.header_offset + int(share * self._member.compress_size)


def _refuse_nested(magic: bytes, name: str) -> None:
    if magic[:4] == ZIP or magic[257:262] == b"ustar":
        raise ReadError("this is an archive inside an archive", where=name, mend="unpack the outer one")


class _Forward:
    """A stream that is read from its beginning to its end: seeking in a packed one would unpack it time and again."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.read = stream.read

    def __enter__(self) -> _Forward:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.__exit__(None, None, None)


def _spooled(path: Path, name: str, content: object, position: Callable[[], int]) -> Iterator[Part]:
    """A member of a tar archive, copied aside so that it can be read twice (once for its digest)."""
    source, size, began = cast(BinaryIO, content), 0, position()
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as copy:
        while block := source.read(BLOCK):
            copy.write(block)
            size += len(block)
            refuse_bomb(size, position() - began + BLOCK, name)
        copy.seek(0)
        magic = copy.read(512)
        _refuse_nested(magic, name)
        yield Part(name, path, lambda: _again(cast(BinaryIO, copy), magic), position)


def _again(stream: BinaryIO, magic: bytes) -> BinaryIO:
    stream.seek(0)
    return decompressed(cast(BinaryIO, _Kept(stream)), magic)


class _Kept:
    """A view of an open file that does not close it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.read, self.seek, self.tell = stream.read, stream.seek, stream.tell
        self.closed = False

    def __enter__(self) -> _Kept:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def close(self) -> None:
        """Leave it open."""

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def writable(self) -> bool:
        """It is not."""
        return False
