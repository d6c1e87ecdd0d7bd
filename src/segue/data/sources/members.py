"""One file of an archive, named by its path inside it: `logs.zip/2024/may.csv`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from segue.data.read.files import holds_members, parts, size_of
from segue.data.read.part import Part
from segue.domain.errors import ReadError

LISTED = 6  # members that a refusal names


@dataclass(frozen=True)
class Member:
    """A file in an archive.

    archive  where the archive is
    called   what people call it, relative to the workspace where they wrote it so
    inside   the file's path in it
    """

    archive: Path
    called: str
    inside: str

    @property
    def name(self) -> str:
        """The archive and the path in it, as rows of the whole archive say where they come from."""
        return f"{self.called}/{self.inside}"

    def __str__(self) -> str:
        return self.name

    def parts(self) -> Iterator[Part]:
        """The one part. Raises `ReadError` where the archive has no such file."""
        seen: list[str] = []
        for part in parts(self.archive, self.called):
            if part.name == self.name:
                yield part
                return
            seen.append(part.name.removeprefix(f"{self.called}/"))
        more = f" and {len(seen) - LISTED:,} more" if len(seen) > LISTED else ""
        raise ReadError(
            "the archive has no such file",
            where=self.name,
            mend=f"it has {', '.join(seen[:LISTED]) or 'none'}{more}",
        )

    def size(self) -> int:
        """Bytes of the archive, for reading goes through it."""
        return size_of(self.archive)


def member(base: Path, called: str) -> Member | None:
    """The member that a path names which goes on inside an archive; None where no step of it is an archive."""
    for steps, archive in enumerate(base.parents, 1):
        if archive.is_file():
            inside = "/".join(base.parts[-steps:])
            return Member(archive, called.removesuffix(f"/{inside}"), inside) if holds_members(archive) else None
    return None


__all__ = ["Member", "member"]
