"""What `files` names: paths, globs, folders, members of archives and addresses, each with what it meets, in order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from glob import glob
from pathlib import Path

from segue.data.read.files import Location, inner_suffix
from segue.data.settings import FileSource, StorageSettings
from segue.data.sources.members import member
from segue.domain.errors import DataError, DeclarationError

ENDINGS = frozenset(
    """.csv .tsv .txt .dat .data .json .jsonl .ndjson .parquet .pq .arrow .arrows .feather .ipc .zip .tar .tgz
    .xml .html""".split()  # noqa: SIM905
) | {""}


def locations(patterns: Sequence[str], root: Path, storage: StorageSettings, mend: str) -> list[Location]:
    """The files of paths, globs, folders and addresses, and members of archives, relative to `root`.

    One that meets no file is refused.

    Of a folder, all data files in it at any depth, by name; what begins with "." or "_" is hidden and left out.
    """
    found: dict[str, Location] = {}
    for pattern in patterns:
        met = _remote(pattern, storage) if is_address(pattern) else _local(pattern, root, mend)
        found |= {str(place): place for place in met}
    return list(found.values())


def source_locations(source: FileSource, root: Path, storage: StorageSettings, mend: str) -> list[Location]:
    """All that a source names: its files, then its query."""
    places = locations(source.files, root, storage, mend)
    if (source.database is None) != (source.query is None):
        raise DeclarationError("`database` and `query` belong together", where="segue.toml", mend="write the other too")
    if source.database is not None and source.query is not None:
        from segue.data.sources.query import Query

        places.append(Query(source.database, source.query, root))
    return places


def is_address(pattern: str) -> bool:
    """Whether this is a URL rather than a path."""
    return "://" in pattern


def is_data(path: str) -> bool:
    """Whether a file below a folder, by its path there, is one of data, and not hidden."""
    steps = path.split("/")
    return not any(step.startswith((".", "_")) for step in steps) and inner_suffix(steps[-1]) in ENDINGS


def _remote(address: str, storage: StorageSettings) -> Iterable[Location]:
    from segue.data.sources.remote import remote_files

    return remote_files(address, storage)


def _local(pattern: str, root: Path, mend: str) -> Sequence[Location]:
    base = root / pattern
    if base.is_file():
        return [base]
    if base.is_dir():
        return _below(base)
    if (inside := member(base, Path(pattern).as_posix())) is not None:
        return [inside]
    met = [Path(path) for path in sorted(glob(str(base), recursive=True)) if Path(path).is_file()]
    if not met:
        raise DataError("there is no such file", where=str(base), mend=mend)
    return met


def _below(folder: Path) -> list[Path]:
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    met = [folder / name for name in names if is_data(name)]
    if not met:
        raise DataError(
            "the folder holds no data files",
            where=str(folder),
            mend="name the files, such as " + str(folder / "*.log"),
        )
    return met


__all__ = ["is_address", "is_data", "locations", "source_locations"]
