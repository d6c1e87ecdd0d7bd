"""What the commands of a project return where a room's own result is not enough: plain data, with rows to print."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segue.data.ingest.ingest import FileReport
    from segue.data.quality.check import RuleResult
    from segue.domain.recommender import Recommender


MANY = 20  # files that are told one by one


@dataclass(frozen=True)
class Ingested:
    """What became of each file."""

    files: tuple[FileReport, ...]

    def rows(self) -> list[dict[str, Any]]:
        """One row a file."""
        return [
            {
                "file": report.path,
                "rows": report.rows,
                "kept": report.kept,
                "quarantined": sum(report.quarantined.values()),
                "duplicates": report.duplicates,
                "left out": sum(report.left_out.values()),
                "note": report.note or _counted(report.quarantined | report.left_out),
            }
            for report in self.files
        ]

    def telling(self) -> list[dict[str, Any]]:
        """One row a file where there are few; of many, those that say most, and one for all others together."""
        rows = self.rows()
        if len(rows) <= MANY:
            return rows
        told = sorted(rows, key=lambda row: (row["quarantined"], row["left out"], row["rows"]), reverse=True)[:MANY]
        others = [row for row in rows if row not in told]
        counts = ("rows", "kept", "quarantined", "duplicates", "left out")
        summed = {name: sum(row[name] for row in others) for name in counts}
        return [*told, {"file": f"{len(others):,} other files", **summed, "note": "--json lists them all"}]

    @property
    def quarantined(self) -> dict[str, int]:
        """How many rows went to quarantine, by reason."""
        reasons: Counter[str] = Counter()
        for report in self.files:
            reasons.update(report.quarantined)
        return dict(reasons.most_common())

    @property
    def rows_read(self) -> int:
        """How many rows the files that were not in already have."""
        return sum(report.rows for report in self.files)

    @property
    def nothing_kept(self) -> bool:
        """Whether there were rows, and all of them are in quarantine, but for those that an import map left out."""
        held = sum(self.quarantined.values())
        return held > 0 and held == self.rows_read - sum(self.left_out.values())

    @property
    def left_out(self) -> dict[str, int]:
        """How many records of import maps are nothing that Segue keeps, by reason."""
        reasons: Counter[str] = Counter()
        for report in self.files:
            reasons.update(report.left_out)
        return dict(reasons.most_common())

    def sentence(self) -> str:
        """All files in one line."""
        kept, held = sum(report.kept for report in self.files), sum(self.quarantined.values())
        skipped = sum(report.skipped for report in self.files)
        files = "1 file" if len(self.files) == 1 else f"{len(self.files)} files"
        again = f", {skipped} {'file was' if skipped == 1 else 'files were'} in already" if skipped else ""
        left = sum(self.left_out.values())
        out = f", left out {left:,}" if left else ""
        return f"kept {kept:,} rows of {files}, quarantined {held:,}{out}{again}"


def _counted(reasons: Mapping[str, int]) -> str:
    return "; ".join(f"{why} ({count:,})" for why, count in reasons.items())


@dataclass(frozen=True)
class Quarantined:
    """How many rows could not be taken, by reason, and some of them with file, line and text."""

    reasons: dict[str, int]
    rows: list[dict[str, Any]]


@dataclass(frozen=True)
class Checked:
    """What each rule found; `note` says why the results could not be kept, where they could not."""

    results: tuple[RuleResult, ...]
    note: str = ""

    @property
    def passed(self) -> bool:
        """Whether no rule of severity "error" is broken."""
        return all(result.passed or result.rule.severity != "error" for result in self.results)

    def rows(self) -> list[dict[str, Any]]:
        """One row a rule."""
        return [result.row() for result in self.results]

    def shown(self) -> list[dict[str, Any]]:
        """The same for a table that a person reads."""
        return [result.shown() for result in self.results]


@dataclass(frozen=True)
class Fitted:
    """Models trained on one part of the data, and how long each took."""

    models: dict[str, Recommender]
    seconds: dict[str, float]


@dataclass(frozen=True)
class Listed:
    """A file of everybody's lists."""

    path: Path
    people: int

    def sentence(self) -> str:
        """What is in it."""
        return f"wrote the lists of {self.people:,} people to {self.path}"
