"""One stream of rows: what it is called, how it is opened again, and by what its content is known."""

from __future__ import annotations

import gzip
import lzma
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO, Literal, cast

from segue.domain.errors import ReadError

BLOCK = 1 << 20  # bytes read at a time: what is found in them, such as where fields begin, takes many times that
IN_MEMORY = 64 << 20  # bytes of an archive's member that are held in memory; more goes to a temporary file

GZIP, ZSTD, ZIP = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04"
COMPRESSED = (".gz", ".zst", ".zstd", ".tgz")

DAMAGED = (
    EOFError,
    gzip.BadGzipFile,
    zlib.error,
    lzma.LZMAError,
    tarfile.TarError,
    zipfile.BadZipFile,
    OSError,
)
NOTHING_TAKEN = "copy or download it again, then repeat the command; none of its rows was taken"


Holder = Literal["file", "answer to the query", "frame"]


def _nothing(last: bytes) -> None:
    del last


@dataclass(frozen=True)
class Part:
    """One stream of rows: a file, a member of an archive, the answer to a query. It can be opened as often as needed.

    `name` is what quarantine and reports call it, such as "days.tar.gz/2010-12-01.csv". `content` is its digest where
    that is not the digest of its bytes; `settled` is given the last bytes that were there and refuses what changed.
    `holder` is what messages call that which has the rows.
    """

    name: str
    path: Path
    opener: Callable[[], BinaryIO]
    position: Callable[[], int] = lambda: 0  # bytes of the file at `path` that were read since it was last opened
    content: str | None = None
    settled: Callable[[bytes], None] = _nothing
    holder: Holder = "file"

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

        Reads to the end, so a truncated file is refused before its first row is taken; so is one that is being written.
        """
        if self.content is not None:
            return self.content
        content, last = blake2b(digest_size=16), b""
        for block in self.blocks():
            content.update(block)
            last = block[-1:]
        self.settled(last)
        return content.hexdigest()


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


def decompressed(file: BinaryIO, magic: bytes) -> BinaryIO:
    """What a file holds, decompressed where its first bytes say so; closing it closes the file."""
    if magic[:2] == GZIP:
        return cast(BinaryIO, _Closing(cast(BinaryIO, gzip.GzipFile(fileobj=file)), file))
    if magic[:4] == ZSTD:
        return cast(BinaryIO, _Closing(_zstd(file), file))
    return file


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
