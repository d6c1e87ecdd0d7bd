"""Files behind an address: in an object store or HDFS, fetched one at a time and then read like any file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pyarrow as pa
from pyarrow import fs

from segue.data.read.files import parts
from segue.data.read.part import BLOCK, Part
from segue.data.settings import StorageSettings
from segue.data.sources.places import is_data
from segue.domain.errors import DeclarationError, ReadError

SCHEMES = ("s3", "file", "hdfs")
OPTIONS = ("region", "endpoint", "endpoint_override", "scheme", "anonymous")
ATTEMPTS = 3
PATIENCE = 10.0  # seconds for a connection to be made

_WILD = re.compile(r"[*?\[]")
_REGION = "us-east-1"


class Remote:
    """One file behind an address. It is fetched whole before it is read: what is read twice is then the same."""

    def __init__(self, name: str, store: fs.FileSystem, info: fs.FileInfo) -> None:
        self.name = name
        self._store, self._info = store, info

    def __str__(self) -> str:
        return self.name

    def parts(self) -> Iterator[Part]:
        """Its parts, of a copy that is there for as long as they are read."""
        with TemporaryDirectory(prefix="segue-") as folder:
            copy = Path(folder) / self._info.base_name
            self._fetch(copy)
            yield from parts(copy, self.name)

    def size(self) -> int:
        """Bytes."""
        return int(self._info.size or 0)

    def _fetch(self, copy: Path) -> None:
        with _told(self.name):
            with self._store.open_input_stream(self._info.path, compression=None) as stream, copy.open("wb") as file:
                while block := stream.read(8 * BLOCK):
                    file.write(block)
            now = self._store.get_file_info(self._info.path)
        if (now.size, now.mtime) != (self._info.size, self._info.mtime) or copy.stat().st_size != now.size:
            raise ReadError(
                "the file changed while it was read",
                where=self.name,
                mend="wait until it is written, then repeat the command; none of its rows was taken",
            )


def remote_files(address: str, storage: StorageSettings) -> list[Remote]:
    """The files that an address meets: one, those of a glob, or all data files below a folder, in their order."""
    scheme, path, options = _parted(address)
    base = f"{scheme}://"
    with _told(base + path):
        store, path = _store(scheme, path, options, storage)
        wild = _WILD.search(path)
        top = path[: wild.start()].rpartition("/")[0] if wild else path.rstrip("/")
        info = store.get_file_info(top)
        if info.type == fs.FileType.File and not wild:
            return [Remote(base + path, store, info)]
        if info.type == fs.FileType.NotFound:
            raise _nothing(store, scheme, base + path, top)
        below = store.get_file_info(fs.FileSelector(top, recursive=True))
        files = sorted((each for each in below if each.type == fs.FileType.File), key=lambda each: each.path)
        met = [each for each in files if _meets(each.path, path, top, wild=bool(wild))]
    if not met:
        raise ReadError("there is no such file", where=base + path, mend="mend the address in `files`")
    return [Remote(base + each.path, store, each) for each in met]


def _meets(found: str, path: str, top: str, *, wild: bool) -> bool:
    return bool(re.fullmatch(_pattern(path), found)) if wild else is_data(found[len(top) :].lstrip("/"))


def _pattern(path: str) -> str:
    """A glob as a regular expression: ** crosses folders, * and ? do not."""
    signs = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parted = re.split(r"(\*\*/|\*\*|\*|\?|\[[^\]]+\])", path)
    return "".join(
        signs.get(each) or (each.replace("[!", "[^") if each[:1] == "[" else re.escape(each)) for each in parted
    )


def _parted(address: str) -> tuple[str, str, dict[str, str]]:
    """Scheme, path and options; a "?" that no option follows belongs to the glob."""
    scheme, _, rest = address.partition("://")
    _refuse_keys(scheme, rest)
    if scheme not in SCHEMES:
        raise DeclarationError(
            f"files are not read from '{scheme}:'", where=address.partition("?")[0], mend="s3://, hdfs:// or file://"
        )
    path, options = rest, ""
    if found := re.search(r"\?(?=\w+=)", rest):
        path, options = rest[: found.start()], rest[found.end() :]
    given = dict(parse_qsl(options))
    wrong = [name for name in given if name not in OPTIONS]
    if wrong:
        raise DeclarationError(
            f"an address has no option '{wrong[0]}'",
            where=f"{scheme}://{path}",
            mend=f"options are {', '.join(OPTIONS)}; keys come from the environment (AWS_ACCESS_KEY_ID, …)",
        )
    return scheme, path, given


def _refuse_keys(scheme: str, rest: str) -> None:
    """Refuse an address with a key or a password in it, and show nothing of it: keys of S3 may hold a "/" or "?"."""
    who = rest.partition("/")[0] if scheme != "s3" else rest
    left, at, _ = who.rpartition("@")
    if at and (":" in left.partition("/")[0] or (scheme == "s3" and "/" not in left)):
        raise DeclarationError(
            "a key stands in the address",
            where=f"{scheme}://…@{rest.rpartition('@')[2].partition('?')[0]}",
            mend="keys come from the environment (AWS_ACCESS_KEY_ID, …)",
        )


def _store(scheme: str, path: str, options: dict[str, str], storage: StorageSettings) -> tuple[fs.FileSystem, str]:
    """What opens files there, and the path as it calls it."""
    if scheme == "file":
        return fs.LocalFileSystem(), unquote(urlsplit(f"file://{path}").path)
    if scheme == "hdfs":
        store, inner = fs.FileSystem.from_uri(f"hdfs://{path}")
        return store, inner
    return _s3(path.partition("/")[0], options, storage), path


def _s3(bucket: str, options: dict[str, str], storage: StorageSettings) -> fs.FileSystem:
    endpoint = options.get("endpoint") or options.get("endpoint_override") or storage.endpoint
    given: dict[str, Any] = {}
    if endpoint:
        scheme, _, host = endpoint.rpartition("://")
        given = {"endpoint_override": host, "scheme": options.get("scheme") or scheme or "https"}
    region = options.get("region") or storage.region
    if region is None and not endpoint:
        region = fs.resolve_s3_region(bucket)
    return fs.S3FileSystem(
        region=region or _REGION,
        anonymous=storage.anonymous or options.get("anonymous") == "true",
        connect_timeout=PATIENCE,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=ATTEMPTS),
        **given,
    )


def _nothing(store: fs.FileSystem, scheme: str, name: str, top: str) -> ReadError:
    bucket = top.partition("/")[0]
    if scheme == "s3" and store.get_file_info(bucket).type == fs.FileType.NotFound:
        return ReadError(f"there is no bucket '{bucket}'", where=name, mend="mend the address, or its region")
    return ReadError("there is no such file", where=name, mend="mend the address in `files`")


@contextmanager
def _told(name: str) -> Iterator[None]:
    """What a store says, in words, and without what it says of keys."""
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        problem, mend = _why(str(error))
        raise ReadError(problem, where=name, mend=mend) from None


def _why(said: str) -> tuple[str, str]:
    if re.search(r"NO_SUCH_BUCKET|NoSuchBucket|Bucket .* not found", said):
        return "there is no such bucket", "mend the address, or its region"
    if re.search(r"ACCESS_DENIED|AccessDenied|Forbidden|\b403\b|INVALID_ACCESS_KEY|SIGNATURE|InvalidAccessKey", said):
        return (
            "the store denies access",
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of one who may read it, or anonymous = true in [storage]",
        )
    if re.search(r"NETWORK_CONNECTION|curlCode|[Cc]ould ?n.t connect|timed? ?out|resolve host", said):
        return "the store cannot be reached", "is its endpoint right ([storage] in segue.toml), and is it running?"
    if re.search(r"libhdfs|libjvm|JAVA_HOME|HADOOP", said):
        return "HDFS needs Java and Hadoop's library, which are not here", "set JAVA_HOME, HADOOP_HOME and CLASSPATH"
    return f"the store refuses: {said.splitlines()[0]}", "mend the address, or see to the store"


__all__ = ["Remote", "remote_files"]
