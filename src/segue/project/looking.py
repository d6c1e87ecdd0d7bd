"""What can be looked at in a workspace: its tables, profiles, people, sessions and robots."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

    from segue.data.explore.person import Person
    from segue.data.explore.sql import Answer
    from segue.data.explore.table import LazyTable
    from segue.data.features.features import Clock
    from segue.data.identity.stitch import Links
    from segue.data.profile.profile import Profile
    from segue.report.section import Report

from segue.project.given import id_of
from segue.project.workspace import Workspace


class Looking(Workspace):
    """The part of a `Project` that looks and changes nothing."""

    @property
    def events(self) -> LazyTable:
        """What people did, with the ids of people and items."""
        return self._table("events")

    @property
    def items(self) -> LazyTable:
        """The catalog: one row an item."""
        return self._table("items")

    @property
    def users(self) -> LazyTable:
        """The user table: one row a person."""
        return self._table("users")

    @property
    def decisions(self) -> LazyTable:
        """What was decided, as far as it was drained."""
        return self._table("decisions")

    @property
    def quarantine(self) -> LazyTable:
        """The rows that could not be taken, with file, line and reason."""
        return self._table("quarantine")

    def sql(self, query: str) -> Answer:
        """Ask the lake in SQL: events, items, users, decisions and quarantine are tables. Needs `segue[duckdb]`."""
        from segue.data.explore.sql import sql

        return sql(self.snapshot(), query, self.folder / "cache" / "sql")

    def profile(self) -> Profile:
        """What the lake holds, as aggregates; each part is computed when it is first asked for."""
        from segue.data.profile.profile import Profile
        from segue.data.profile.visits import told_robots

        said, snapshot = self.declaration, self.snapshot()
        return Profile(
            snapshot,
            said.events.timezone,
            said.sessions.gap_minutes,
            lambda: told_robots(self.people(snapshot).robots, excluded=said.robots.exclude),
        )

    def report(self) -> Report:
        """What the lake holds, told in sentences and figures; `segue.report.page` makes a page of it."""
        from segue.report.report import report

        return report(self.profile(), self.declaration.workspace.name, datetime.now(UTC))

    def describe(self, user: str) -> Person:
        """All that is known of one person, a user or a visitor: history, sessions, categories, what models see."""
        from segue.data.explore.person import describe

        return describe(self.snapshot(), self.state, id_of("user", user), self.declaration.sessions.gap_minutes)

    def nearest(self, user: str) -> list[str]:
        """The known users and visitors whose ids are nearest to one that nobody has; none where it is known."""
        from segue.data.identity.nearest import nearest

        return nearest(self.snapshot(), id_of("user", user))

    def features(
        self, requests: pl.DataFrame, *, clock: Clock = "occurred", as_of: datetime | None = None
    ) -> pl.DataFrame:
        """The declared features of requests at their times; only events strictly before each count.

        Beside the columns of events, features may be of `category`: an item's first, as the catalog said when the event
        was received.
        """
        from segue.data.features.events import with_categories
        from segue.data.features.features import features

        wanted = self.declaration.features
        return features(with_categories(self.snapshot(as_of), wanted), requests, wanted, clock)

    def sessions(self) -> pl.LazyFrame:
        """One row a session: person, when it began and ended, how many events; robots included."""
        from segue.data.identity.sessions import sessions

        return sessions(self.snapshot().events(), self.declaration.sessions)

    def robots(self) -> list[dict[str, Any]]:
        """Who is taken for a robot, with the evidence."""
        from segue.data.identity.robots import rows

        snapshot = self.snapshot()
        found = self.people(snapshot).robots
        return rows(found, snapshot.person_ids.ids) if found else []

    def alike(self) -> list[dict[str, Any]]:
        """Ids that differ by case, blanks, Unicode form or leading zeros only, and what would join them."""
        from segue.data.identity.likeness import alike

        return [each.row() for each in alike(self.snapshot())]

    def links(self) -> Links:
        """Which visitors were seen with which users, whether they are stitched or not, in person codes."""
        from segue.data.identity.stitch import links

        return links(self.snapshot(), self.declaration.identity.shared)

    def robots_sentence(self, as_of: datetime | None = None) -> str:
        """How many robots there are and what becomes of them; nothing where there is none."""
        from segue.data.identity.robots import sentence

        found = self.people(self.snapshot(as_of)).robots
        verb = "are left out" if self.declaration.robots.exclude else "are counted like people"
        return sentence(found, verb) if found else ""

    def _table(self, name: str) -> LazyTable:
        from segue.data.explore.table import LazyTable

        return LazyTable(self.snapshot(), name)
