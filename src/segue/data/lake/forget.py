"""Forgetting people in the lake: their rows, their refusals and their entry in the dictionary, in every file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from segue.data.lake.lake import Lake
from segue.data.lake.mentions import mentions
from segue.data.lake.naming import naming
from segue.data.lake.rewrite import rewrite, take_out
from segue.data.lake.tables import Table
from segue.domain import columns

GONE: Final = "gone:"  # what a code means whose person was forgotten; no id of a person begins so
CUT: Final = r"… \([0-9,]+ bytes in all\)$"  # ends the text of a row of which not all is kept


@dataclass(frozen=True)
class Forgotten:
    """How many rows of each table went, and how many people the dictionary knew.

    `mentions` says of free text in rows that stay, by column ("events.context"), in how many one of the ids stands as a
    word of its own: what others' rows, the catalog or the declared rules say of somebody is not changed.
    """

    people: int
    events: int
    decisions: int
    users: int
    quarantine: int
    mentions: Mapping[str, int] = field(default_factory=dict)


def forget_in_lake(lake: Lake, people: Sequence[str]) -> Forgotten:
    """Take people (as `person_key` names them) out of the lake, and out of every version that it still has files of.

    Events and decisions go that name one of them as user or as visitor; of quarantine, every row in whose text the id
    stands as a word of its own in any spelling (`naming`), for nobody can say whose row it was, and every row of which
    only the beginning is kept, for nobody can say who is named behind it. Their codes are never given to anybody else.
    Who is forgotten twice, or after a crash in between, is forgotten once. Readers that have an older version open
    lose its files.
    """
    with lake.writer():
        known = lake.tables["person_ids"].scan(lake.tables["person_ids"].current())
        codes = known.filter(pl.col(columns.ID).is_in(list(people))).select(columns.CODE).collect()[columns.CODE]
        theirs = pl.col(columns.USER).is_in(codes.to_list()) | pl.col(columns.VISITOR).is_in(codes.to_list()).fill_null(
            value=False
        )
        forgotten = Forgotten(
            people=len(codes),
            events=take_out(lake.tables["events"], theirs),
            decisions=take_out(lake.tables["decisions"], theirs),
            users=take_out(lake.tables["users"], pl.col(columns.USER).is_in(codes.to_list())),
            quarantine=_refusals(lake.tables["quarantine"], [person[2:] for person in people]),
            mentions=mentions(lake, [person[2:] for person in people]),
        )
        if len(codes):  # last, so that forgetting again after a crash still knows the codes
            _unnamed(lake.tables["person_ids"], codes.to_list())
        for table in lake.tables.values():
            table.expire(0)
            table.ids.forget()
    return forgotten


def _refusals(table: Table, ids: Sequence[str]) -> int:
    """Take out the refused rows that name one of the ids in any of their texts, or may do so behind what is kept."""
    named, schema = _found(naming(ids)), table.layout.empty.schema
    texts = [name for name, kind in schema.items() if kind in (pl.String, pl.Binary)]
    hits = [pl.col(name).map_batches(named, return_dtype=pl.Boolean) for name in texts]
    cut = [pl.col("length") > pl.col("bytes").bin.size(), pl.col("raw").str.contains(CUT)]
    return take_out(table, pl.any_horizontal(each.fill_null(value=False) for each in (*hits, *cut)))


def _found(named: Callable[[str | bytes], bool]) -> Callable[[pl.Series], pl.Series]:
    """Which rows of a column do; what many have is looked at once."""

    def column(rows: pl.Series) -> pl.Series:
        hits = [each for each in rows.unique().drop_nulls() if named(each)]
        return rows.is_in(pl.Series(hits, dtype=rows.dtype).implode())

    return column


def _unnamed(table: Table, codes: Sequence[int]) -> None:
    concerned = pl.col(columns.CODE).is_in(list(codes))
    name = pl.when(concerned).then(GONE + pl.col(columns.CODE).cast(pl.String)).otherwise(columns.ID)
    rewrite(table, concerned, lambda rows: rows.with_columns(name.alias(columns.ID)))


__all__ = ["GONE", "Forgotten", "forget_in_lake"]
