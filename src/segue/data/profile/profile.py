"""The whole workspace as aggregates: every part is computed when it is first asked for, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import polars as pl

from segue.data.lake.snapshot import Snapshot
from segue.data.profile.activity import Activity, activity, person_counts
from segue.data.profile.calendar import Growth, Seasons, growth, quarters, seasons
from segue.data.profile.drift import Drift, drift
from segue.data.profile.intake import Intake, intake
from segue.data.profile.joins import Covered, Joins, coverage, joins
from segue.data.profile.tables import TableProfile, profile_table
from segue.data.profile.tail import Tail, item_counts, tail
from segue.data.profile.visits import Robots, Visits, visits


class Profile:
    """What a snapshot of the lake holds. What needs times is None where events have none: none are invented.

    `timezone` is that of the days and hours that people see.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        timezone: str = "UTC",
        gap_minutes: float = 30.0,
        find_robots: Callable[[], Robots | None] = lambda: None,
    ) -> None:
        self.snapshot = snapshot
        self.timezone = timezone
        self.gap_minutes = gap_minutes
        self._find_robots = find_robots

    @cached_property
    def intake(self) -> Intake:
        """Rows kept and refused."""
        return intake(self.snapshot)

    @cached_property
    def events(self) -> TableProfile:
        """The columns of the events."""
        return profile_table(self.snapshot, "events")

    @cached_property
    def items(self) -> TableProfile:
        """The columns of the catalog."""
        return profile_table(self.snapshot, "items")

    @cached_property
    def users(self) -> TableProfile:
        """The columns of the user table."""
        return profile_table(self.snapshot, "users")

    @cached_property
    def tail(self) -> Tail | None:
        """How unevenly events fall on items."""
        return tail(self.snapshot, self._item_counts)

    @cached_property
    def activity(self) -> Activity | None:
        """How much people do."""
        return activity(person_counts(self.snapshot))

    @cached_property
    def growth(self) -> Growth | None:
        """Events, people and items by day, week or month."""
        return growth(self.snapshot, self._quarters, self.timezone)

    @cached_property
    def seasons(self) -> Seasons | None:
        """The hours of the week, and when nothing came."""
        return seasons(self._quarters, self.timezone)

    @cached_property
    def drift(self) -> Drift | None:
        """The recent part against all before."""
        return drift(self.snapshot, self.timezone)

    @cached_property
    def visits(self) -> Visits | None:
        """The sessions."""
        return visits(self.snapshot, self.gap_minutes)

    @cached_property
    def robots(self) -> Robots | None:
        """Who is taken for a robot; None where nobody looked."""
        return self._find_robots()

    @cached_property
    def joins(self) -> Joins:
        """Ids that lead somewhere."""
        return joins(self.snapshot, self._item_counts)

    @cached_property
    def coverage(self) -> tuple[Covered, ...]:
        """What the catalog says about its items."""
        return coverage(self.snapshot, self._item_counts)

    @cached_property
    def _item_counts(self) -> pl.DataFrame:
        return item_counts(self.snapshot)

    @cached_property
    def _quarters(self) -> pl.DataFrame:
        return quarters(self.snapshot)
