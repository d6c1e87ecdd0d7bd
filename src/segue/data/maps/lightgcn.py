"""The lists that came with NGCF and LightGCN: a person and all of their items in one line of train.txt or test.txt.

Specification: the README of https://github.com/kuandeng/LightGCN, "Dataset".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

import numpy as np
import polars as pl

from segue.data.maps.map import Glimpse, ImportMap, Mapped
from segue.data.read.files import Part
from segue.data.read.read import read_part
from segue.data.read.rows import Rows
from segue.data.settings import EventColumns, EventSource, FileSource

WHOLE: Final = "\x01"  # a delimiter that the lists do not have, so that a line is one cell
OTHERS: Final = ("user_list", "item_list", "readme", "entity_list", "relation_list", "kg_final", "s_pre_adj_mat")
NO_ITEMS: Final = "a person without items"
SOURCE: Final = EventSource(columns=EventColumns(user="user", item="item"), types={"event": 1.0})


@dataclass(frozen=True)
class Lists:
    """The items of each person, in no order that says anything."""

    source: Mapped = SOURCE

    def recognise(self, glimpse: Glimpse) -> str | None:
        """Lines of whole numbers, of different lengths, that all begin with another one."""
        rows = [line.split() for line in glimpse.lines[:1000]]
        lengths = {len(row) for row in rows}
        if len(rows) < 3 or len(lengths) < 2 or max(lengths) < 3 or len({row[0] for row in rows}) < len(rows):
            return None
        if not all(cell.isdecimal() for row in rows for cell in row):
            return None
        return (
            f"each line is a list of {min(lengths)} to {max(lengths)} whole numbers, the first of which never repeats: "
            "a person and their items, as LightGCN's train.txt has them"
        )

    def wants(self, name: str) -> bool:
        """Whether a file holds lists; the archives hold tables of the original ids too."""
        return not PurePath(name.lower()).name.startswith(OTHERS)

    def read(self, part: Part, source: Mapped) -> Iterator[Rows]:
        """One row for each item of each line."""
        plain = FileSource(encoding=source.encoding, format="csv", delimiter=WHOLE, quote="", header=False)
        for rows in read_part(part, plain):
            yield _one_each(rows)


def _one_each(rows: Rows) -> Rows:
    if not rows.frame.width:
        return rows
    words = rows.frame.to_series().str.extract_all(r"\S+")
    lists = pl.DataFrame({"row": pl.int_range(len(rows), dtype=pl.Int64, eager=True), "words": words})
    filled = lists.filter(pl.col("words").list.len() > 1)
    items = pl.col("words").list.slice(1)
    each = filled.select(
        "row",
        user=pl.col("words").list.first(),
        item=items,
        place=pl.int_ranges(items.list.len().cast(pl.Int64)),
    ).explode("item", "place")
    at = each["row"].to_numpy()
    alone = lists.height - filled.height
    return Rows(
        each.select("user", "item"),
        rows.lines[at].astype(np.int64),
        lambda places: rows.raw(at[places]),
        rows.broken,
        left_out={NO_ITEMS: alone} if alone else {},
        places=each["place"].to_numpy(),
    )


LIGHTGCN = ImportMap("lightgcn", "https://github.com/kuandeng/LightGCN", events=Lists())
