"""Ids that differ by case, blanks, Unicode form or zeros only: reported, never joined by themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import polars as pl

from segue.data.identity.normalise import normalised_all
from segue.data.identity.settings import Mend
from segue.data.lake.snapshot import Snapshot
from segue.domain import columns

EXAMPLES: Final = 5
_BY_FORM: Final[dict[str, tuple[Mend, ...]]] = {
    "blanks": ("trim", "spaces"),
    "case": ("lower",),
    "Unicode form": ("nfkc",),
    "leading zeros": ("zeros",),
}
_ALL: Final[tuple[Mend, ...]] = ("nfkc", "trim", "spaces", "lower", "zeros")


@dataclass(frozen=True)
class Alike:
    """Ids of one kind that are one id when they are written in one way.

    differ    by what: "case", "blanks", "Unicode form", "leading zeros", or "several" of them at once
    mends     the normalisation that would join them
    ids       how many ids, in how many `groups`
    events    how many events are on them
    examples  some groups, those with the most events first
    """

    table: Literal["users", "items"]
    differ: str
    mends: tuple[Mend, ...]
    groups: int
    ids: int
    events: int
    examples: tuple[tuple[str, ...], ...]

    def row(self) -> dict[str, Any]:
        """What a table shows."""
        return {
            "of": self.table,
            "differ by": self.differ,
            "groups": self.groups,
            "ids": self.ids,
            "events": self.events,
            "joined by": f"{self.table} = {list(self.mends)}".replace("'", '"'),
            "examples": "; ".join(" = ".join(repr(each) for each in group) for group in self.examples),
        }


def alike(snapshot: Snapshot) -> list[Alike]:
    """What differs by one thing, each for itself, and what only several mends together would join."""
    found = []
    for table, ids in (("users", _people(snapshot)), ("items", _items(snapshot))):
        alone = [_joined(ids, table, differ, mends) for differ, mends in _BY_FORM.items()]
        whole = _joined(ids, table, "several", _ALL)
        told = [each for each in alone if each.ids]
        found += [*told, *([whole] if whole.ids > max((each.ids for each in told), default=0) else [])]
    return found


def _joined(ids: pl.DataFrame, table: Any, differ: str, mends: tuple[Mend, ...]) -> Alike:
    """`ids` has columns id, kind ("u", "v" or "i") and events."""
    with_form = ids.with_columns(normalised_all(ids[columns.ID], mends).alias("form"))
    grouped = (
        with_form.drop_nulls("form")
        .group_by(columns.KIND, "form")
        .agg(pl.col(columns.ID).sort(), pl.len().alias("count"), pl.col("events").sum())
    )
    several = grouped.filter(pl.col("count") > 1).sort(["events", "form"], descending=[True, False])
    examples = tuple(tuple(group) for group in several[columns.ID].head(EXAMPLES).to_list())
    counts = int(several["count"].sum()), int(several["events"].sum())
    return Alike(table, differ, mends, several.height, *counts, examples)


def _people(snapshot: Snapshot) -> pl.DataFrame:
    person = pl.coalesce(columns.USER, columns.VISITOR)
    names = snapshot.dictionary("person_ids").select(
        pl.col(columns.ID).str.slice(2), pl.col(columns.ID).str.slice(0, 1).alias(columns.KIND), columns.CODE
    )
    return _counted(snapshot, names, person)


def _items(snapshot: Snapshot) -> pl.DataFrame:
    """Those of events and those of the catalog: an item of the catalog that is written otherwise meets no event."""
    names = snapshot.dictionary("item_ids").with_columns(pl.lit("i").alias(columns.KIND))
    counted = _counted(snapshot, names, pl.col(columns.ITEM))
    catalog = snapshot.items().select(columns.ID, kind=pl.lit("i"), events=pl.lit(0, pl.UInt32)).collect()
    return pl.concat([counted, catalog.rename({"kind": columns.KIND})]).unique(columns.ID, keep="first")


def _counted(snapshot: Snapshot, names: pl.DataFrame, code: pl.Expr) -> pl.DataFrame:
    counts = snapshot.coded_events().group_by(code.alias(columns.CODE)).agg(pl.len().alias("events"))
    joined = names.lazy().join(counts, on=columns.CODE, how="left")
    return joined.select(columns.ID, columns.KIND, pl.col("events").fill_null(0)).collect(engine="streaming")


__all__ = ["Alike", "alike"]
