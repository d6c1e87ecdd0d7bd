"""Opens what a path holds: a plain file, a compressed one, or the members of an archive, each a part of its own."""

from __future__ import annotations

import gzip
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO, cast

from segue.domain.errors import ReadError

BLOCK = 1 << 20  # bytes read at a time: what is found in them, such as where fields begin, takes many times that
IN_MEMORY = 64 << 20  # bytes of an archive's member that are held in memory; more goes to a temporary file

GZIP, ZSTD, ZIP = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04"
COMPRESSED = (".gz", ".zst", ".zstd", ".tgz")


@dataclass(frozen=True)
class Part:
    """One stream of rows: a file, or a member of an archive. It can be opened as often as needed.

    `name` is what quarantine and reports call it, such as "days.tar.gz/2010-12-01.csv".
    """

    name: str
    path: Path
    opener: Callable[[], BinaryIO]
    position: Callable[[], int] = lambda: 0  # bytes of the file at `path` that were read since it was last opened

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """The content, decompressed. What is damaged is a `ReadError` that says so."""
        try:
            with self.opener() as stream:
                yield stream
        except DAMAGED as error:
            raise damaged(self.name, error) from error

    def blocks(self, size: int = BLOCK) -> Iterator[bytes]:
        """The content in blocks of at most `size` bytes."""
        with self.open() as stream:
            while block := stream.read(size):
                yield block

    @contextmanager
    def seekable(self) -> Iterator[BinaryIO]:
        """The content in a file that can be read in any order: itself where it is plain, else a temporary copy."""
        with self.open() as stream:
            if hasattr(stream, "seek"):
                yield stream
                return
            with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as copy:
                while block := stream.read(BLOCK):
                    copy.write(block)
                copy.seek(0)
                yield cast(BinaryIO, copy)

    def head(self, size: int) -> bytes:
        """The first `size` bytes; less where the part is shorter, or damaged behind them."""
        with self.open() as stream:
            return stream.read(size)

    def digest(self) -> str:
        """blake2b of the decompressed content in hex, so that compressing or renaming a file changes nothing.

        Reads to the end, so a truncated file is refused before its first row is taken.
        """
        content = blake2b(digest_size=16)
        for block in self.blocks():
            content.update(block)
        return content.hexdigest()


DAMAGED = (EOFError, gzip.BadGzipFile, zlib.error, tarfile.TarError, OSError)


def parts(path: Path, name: str | None = None) -> Iterator[Part]:
    """The parts of a path in their order; a part of an archive may only be read before the next one is asked for."""
    name = name or str(path)
    if not path.exists():
        raise ReadError("there is no such file", where=name, mend="mend the path, or `files` in segue.toml")
    if path.is_dir():
        raise ReadError("this is a folder", where=name, mend=f"name its files, such as {name}/*.csv")
    magic = _magic(path, name)
    if magic[:4] == ZIP:
        raise ReadError("zip archives are not read", where=name, mend="unpack it and name the files inside")
    if _is_archive(path, magic):
        yield from _members(path, name)
    else:
        opener = _Opener(path, magic)
        yield Part(name, path, opener, opener.position)


NOTHING_TAKEN = "copy or download it again, then repeat the command; none of its rows was taken"
MEMBERS_TAKEN = "copy or download it again, then repeat the command; what was read of it is not taken twice"


def damaged(name: str, error: BaseException, mend: str = NOTHING_TAKEN) -> ReadError:
    """What is said of a stream that breaks off or does not unpack."""
    if isinstance(error, PermissionError):
        return ReadError("the file may not be read", where=name, mend="give this user the right to read it")
    return ReadError(f"the file is damaged or was cut off ({error})", where=name, mend=mend)


def inner_suffix(name: str) -> str:
    """The ending that tells the format, in lower case: ".csv" of "days.CSV.gz".

    >>> inner_suffix("days.CSV.gz")
    '.csv'
    """
    path = Path(name.lower())
    while path.suffix in COMPRESSED:
        path = path.with_suffix("")
    return path.suffix


def _magic(path: Path, name: str) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(512)
    except OSError as error:
        raise damaged(name, error) from error


def _is_archive(path: Path, magic: bytes) -> bool:
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    return ".tar" in suffixes or suffixes[-1:] == [".tgz"] or magic[257:262] == b"ustar"


class _Opener:
    """Opens a file, decompressing it where its first bytes say so, and knows how far it was read."""

    def __init__(self, path: Path, magic: bytes) -> None:
        self._path, self._magic = path, magic
        self._file: BinaryIO | None = None

    def __call__(self) -> BinaryIO:
        self._file = self._path.open("rb")
        if self._magic[:2] == GZIP:
            return cast(BinaryIO, _Closing(cast(BinaryIO, gzip.GzipFile(fileobj=self._file)), self._file))
        if self._magic[:4] == ZSTD:
            return cast(BinaryIO, _Closing(_zstd(self._file), self._file))
        return self._file

    def position(self) -> int:
        """Bytes of the file that were read since it was last opened."""
        if self._file is None:
            return 0
        return self._path.stat().st_size if self._file.closed else self._file.tell()


class _Closing:
    """A stream over a file that is closed with it."""

    def __init__(self, stream: BinaryIO, file: BinaryIO) -> None:
        self._stream, self._file = stream, file
        self.read = stream.read

    def __enter__(self) -> _Closing:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def _zstd(file: BinaryIO) -> BinaryIO:
    import pyarrow as pa

    return cast(BinaryIO, pa.input_stream(file, compression="zstd"))


def _members(path: Path, name: str) -> Iterator[Part]:
    opener = _Opener(path, _magic(path, name))
    try:
        with opener() as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                content = archive.extractfile(member) if member.isfile() else None
                if content is not None and not Path(member.name).name.startswith("."):
                    yield from _spooled(path, f"{name}/{member.name}", content, opener)
    except DAMAGED as error:
        raise damaged(name, error, MEMBERS_TAKEN) from error


def _spooled(path: Path, name: str, content: object, opener: _Opener) -> Iterator[Part]:
    """A member of an archive, copied aside so that it can be read twice (once for its digest)."""
    source = cast(BinaryIO, content)
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as copy:
        while block := source.read(BLOCK):
            copy.write(block)
        yield Part(name, path, lambda: cast(BinaryIO, _Again(cast(BinaryIO, copy))), opener.position)


class _Again:
    """A view of an open file that begins at its start and does not close it."""

    def __init__(self, stream: BinaryIO) -> None:
        stream.seek(0)
        self._stream = stream

    def __enter__(self) -> BinaryIO:
        return self._stream

    def __exit__(self, *_: object) -> None:
        return None
