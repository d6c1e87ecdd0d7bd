"""How data come into a workspace, and are held to rules: ingest, quarantine, check."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segue.declaration import FILE
from segue.domain.errors import SegueError

if TYPE_CHECKING:
    import polars as pl

    from segue.data.ingest.ingest import Progress
    from segue.data.quality.history import Trend
    from segue.data.quality.propose import Proposal
    from segue.data.quality.replay import Replayed
    from segue.data.read.files import Location
    from segue.results import Checked, Ingested, Quarantined

from segue.project.workspace import Advance, Workspace, silent


class Taking(Workspace):
    """The part of a `Project` that takes data in."""

    def ingest(
        self,
        files: Sequence[str | Path] = (),
        *,
        events: Any = None,
        items: Any = None,
        users: Any = None,
        progress: Advance = silent,
    ) -> Ingested:
        """Read files into the lake: those named, as events; all that the declaration names where none are.

        Files may be paths or addresses ("s3://bucket/day.csv.gz"). `events`, `items` and `users` are frames that are
        taken instead of files: of polars, pandas, pyarrow, DuckDB or whatever has `__arrow_c_stream__`. They are known
        by what they hold, so taking one twice changes nothing.

        What was read before is not read twice. Raises `ReadError` where a file is damaged; rows that cannot be read go
        to quarantine with their reason.
        """
        from segue.data.ingest.ingest import ingest_events, ingest_items, ingest_users
        from segue.results import Ingested

        said, now = self.declaration, datetime.now(UTC)
        paths = self._given(files, {"events": events, "items": items, "users": users})
        told = _told(progress)
        with self.lake.writer():
            reports = [
                *ingest_items(self.lake, said.items, paths["items"], self.folder, now, told),
                *ingest_users(self.lake, said.users, paths["users"], self.folder, now, told),
                *ingest_events(self.lake, said.events, paths["events"], self.folder, now, told),
            ]
        snapshot = self.snapshot()
        if any(not report.skipped for report in reports) or self.state.is_behind(snapshot):
            progress("the people's histories", 0.99)
            self.state.update(snapshot)
        return Ingested(tuple(reports))

    def unread_files(self) -> list[str]:
        """The declared files that the next ingest reads again, as rows of theirs were lost with a file of the lake."""
        from segue.data.ingest.again import unread

        return list(unread(self.lake, self._given((), {})))

    def quarantined(self, reason: str | None = None, limit: int = 20, *, file: str | None = None) -> Quarantined:
        """The rows that could not be taken: how many for each reason, and the first `limit` of them."""
        from segue.data.quality.held import select
        from segue.results import Quarantined

        rows = select(self.snapshot(), reason, file)
        counts = rows["reason"].value_counts(sort=True)
        shown = rows.sort("file", "line").head(limit).select("file", "line", "reason", "column", "raw")
        return Quarantined(dict(counts.iter_rows()), list(shown.iter_rows(named=True)))

    def replay(
        self,
        reason: str | None = None,
        file: str | None = None,
        *,
        settings: Mapping[str, Any] | None = None,
        columns: Mapping[str, str] | None = None,
    ) -> Replayed:
        """Try refused rows again, as the declaration says now, or with other settings or columns of [events], [items]
        or [users]. Each comes back once, however often this is repeated; the others stay, with their reason now, or
        with the one they had where other settings were tried."""
        from segue.data.quality.held import held, select
        from segue.data.quality.mends import with_mends
        from segue.data.quality.replay import attempt, replay

        sources = with_mends(self._sources(), settings or {}, columns or {})
        again = attempt if settings or columns else replay
        with self.lake.writer(wait_s=5):
            files = held(select(self.snapshot(), reason, file), self.folder)
            done = again(self.lake, files, sources, datetime.now(UTC))
        return self._replayed(done)

    def export_quarantine(self, path: Path, reason: str | None = None, file: str | None = None) -> int:
        """Write refused rows to a file to be edited, each with its line; how many.

        Where no row has such a reason or file, a `DataError` says which there are, and nothing is written.
        """
        from segue.data.quality.held import export, held, matching

        return export(path, held(matching(self.snapshot(), reason, file), self.folder), self._sources())

    def take_mended(self, path: Path) -> Replayed:
        """Take the rows of a file that `export_quarantine` wrote and somebody edited; those that are good come back."""
        from segue.data.quality.held import held, mended, select
        from segue.data.quality.replay import replay

        with self.lake.writer(wait_s=5):
            files = mended(path, held(select(self.snapshot()), self.folder), self._sources())
            done = replay(self.lake, files, self._sources(), datetime.now(UTC))
        return self._replayed(done)

    def _replayed(self, done: Replayed) -> Replayed:
        snapshot = self.snapshot()
        if done.returned or self.state.is_behind(snapshot):  # a replay that was killed may have left it so
            self.state.update(snapshot)
        return done

    def check(self) -> Checked:
        """Hold the lake against the declared rules; against a sensible set where none are declared.

        The results are kept in the table `checks` of the lake.
        """
        from segue.data.quality.check import check
        from segue.data.quality.defaults import default_rules
        from segue.data.quality.history import keep
        from segue.results import Checked

        snapshot, now = self.snapshot(), datetime.now(UTC)
        rules = self.declaration.rules or default_rules(snapshot)
        results = tuple(check(snapshot, rules, now))
        try:
            keep(self.lake, snapshot, results, now)
        except SegueError as error:  # another process writes, the disk is full: the results stand all the same
            return Checked(results, f"the results were not kept: {error.problem}")
        return Checked(results)

    def propose_rules(self, *, write: bool = False) -> list[Proposal]:
        """A first set of rules, from the data, with the evidence for each bound; `write` adds them to segue.toml."""
        from segue.data.quality import propose

        now = datetime.now(UTC)
        proposals = propose.propose(self.snapshot(), now)
        if write:
            propose.write(self.folder / FILE, proposals, now)
        return proposals

    def check_history(self) -> pl.DataFrame:
        """The result of every rule in every check so far, oldest first."""
        from segue.data.quality.history import history

        return history(self.lake)

    def check_trends(self) -> list[Trend]:
        """How each rule of the last check fared over all checks."""
        from segue.data.quality.history import trends

        return trends(self.check_history())

    def _given(self, files: Sequence[str | Path], frames: Mapping[str, Any]) -> dict[str, list[Location]]:
        """What is to be ingested into each table: what was given, or else all that the declaration names."""
        from segue.data.sources.frames import Frame
        from segue.data.sources.places import is_address, locations, source_locations

        storage, mend = self.declaration.storage, f"correct `files` in {FILE}"
        given: dict[str, list[Location]] = {
            table: [] if frame is None else [Frame(frame, table)] for table, frame in frames.items()
        }
        for file in files:
            many = is_address(str(file)) or Path(file).is_dir()
            given["events"] += locations([str(file)], Path(), storage, mend) if many else [_place(Path(file))]
        if any(given.values()):
            return given
        return {
            table: source_locations(source, self.folder, storage, mend) for table, source in self._sources().items()
        }


def _place(path: Path) -> Location:
    """A file, or a member of an archive where the path goes on inside one."""
    from segue.data.sources.members import member

    return path if path.exists() else member(path, path.as_posix()) or path


def _told(progress: Advance) -> Callable[[Progress], None]:
    return lambda read: progress(read.path, read.bytes_done / max(read.bytes_all, 1))
