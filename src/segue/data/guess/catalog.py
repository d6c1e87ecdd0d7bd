"""Guesses which column of a catalog or a user table plays which role."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from segue.data.guess.cells import (
    categorical,
    comma_share,
    date_format,
    decimal_comma,
    example,
    filled,
    holds_json,
    holds_objects,
    is_text,
    number_share,
    quoted,
    separator_of,
    share,
    warn_of_currencies,
    whole_ids,
)
from segue.data.guess.names import ITEM_NAMES, USER_NAMES, named
from segue.data.settings import ItemColumns, UserColumns


class ItemRoles:
    """The roles of the columns of a catalog."""

    def __init__(
        self, sample: pl.DataFrame, reasons: list[str], doubts: list[str], roots: Mapping[str, str] | None = None
    ) -> None:
        self.sample, self.reasons, self.doubts, self.roots = sample, reasons, doubts, roots or {}
        self.found: dict[str, str] = {}
        self.values = {name: filled(sample[name]) for name in sample.columns}

    def settings(self) -> dict[str, Any]:
        """The fields of `ItemSource` that depend on the columns."""
        self.found["id"] = id_column(self.values, ITEM_NAMES, self.reasons, self.doubts)
        for role in ITEM_NAMES:
            candidates = [name for name in named(self._free(), role, ITEM_NAMES) if self._fits(role, name)]
            if role != "id" and candidates:
                self._take(role, candidates[0], f"by its name, such as {example(self.values[candidates[0]])}")
        self._by_content()
        said = self._separator() | self._dates()
        price = self.found.get("price")
        warn_of_currencies(self.values.values(), self.doubts)
        said |= decimal_comma([self.values[price]] if price else [], self.reasons)
        said |= whole_ids(self.values, [self.found["id"]], self.reasons)
        rest = list(dict.fromkeys([*self.roots.values(), *(name for name in self._free() if name not in self.roots)]))
        if rest:
            self.reasons.append(f"attributes: {quoted(rest)}")
        return said | {"columns": ItemColumns(**self.found)}

    def _free(self) -> list[str]:
        return [name for name in self.sample.columns if name not in self.found.values()]

    def _take(self, role: str, column: str, why: str) -> None:
        self.found[role] = column
        self.reasons.append(f"{role}: column '{column}', {why}")

    def _fits(self, role: str, column: str) -> bool:
        cells = self.values[column]
        if cells.is_empty():
            return True
        if role == "price":
            return max(number_share(cells), comma_share(cells)) > 0.9
        if role in ("released", "available_from", "available_to"):
            return date_format(cells) is not None
        if role == "image":
            return cells.dtype == pl.String
        return not holds_objects(cells)

    def _by_content(self) -> None:
        if "title" not in self.found and (column := self._longest_text()):
            if "text" in self.found and self.found["text"] == column:
                del self.found["text"]
            self._take("title", column, f"it is text and nearly all different, such as {example(self.values[column])}")
        if "categories" not in self.found:
            for column in self._free():
                separator = separator_of(self.values[column])
                if separator and categorical(self.values[column], separator):
                    self._take(
                        "categories", column, f"few words come again and again, such as {example(self.values[column])}"
                    )
                    return

    def _longest_text(self) -> str | None:
        """Text of many different values: the best that could be a title."""
        free = [*self._free(), *([self.found["text"]] if "text" in self.found else [])]
        texts = [name for name in free if is_text(self.values[name])]
        return max(texts, key=lambda name: self.values[name].n_unique(), default=None)

    def _separator(self) -> dict[str, Any]:
        column = self.found.get("categories")
        if column is None or self.values[column].dtype != pl.String or self.values[column].str.starts_with("[").all():
            return {}
        separator = separator_of(self.values[column])
        if separator is None:
            return {}
        parted = share(self.values[column].str.contains(separator, literal=True))
        self.reasons.append(f"category_separator: '{separator}', in {parted:.0%} of the cells")
        return {"category_separator": separator}

    def _dates(self) -> dict[str, Any]:
        for role in ("released", "available_from", "available_to"):
            column = self.found.get(role)
            guess = date_format(self.values[column]) if column else None
            if guess is not None and guess != "iso":
                self.reasons.append(f"time_format: {guess}, such as {example(self.values[str(column)])}")
                return {"time_format": guess}
        return {}


def user_id(sample: pl.DataFrame, reasons: list[str], doubts: list[str]) -> dict[str, Any]:
    """The fields of `UserSource` that depend on the columns."""
    values = {name: filled(sample[name]) for name in sample.columns}
    column = id_column(values, USER_NAMES, reasons, doubts)
    return {"columns": UserColumns(id=column)} | whole_ids(values, [column], reasons)


def id_column(values: dict[str, pl.Series], names: Any, reasons: list[str], doubts: list[str]) -> str:
    """The column of ids of a table that has a row for each."""
    values = {name: cells for name, cells in values.items() if not holds_json(cells)}
    by_name = named(list(values), "id", names)
    if by_name:
        reasons.append(f"id: column '{by_name[0]}', by its name")
        if len(by_name) > 1:
            doubts.append(f"id could also be {quoted(by_name[1:])}")
        return by_name[0]
    unique = [name for name, cells in values.items() if len(cells) and cells.n_unique() == len(cells)]
    if unique:
        reasons.append(f"id: column '{unique[0]}', every row has another one")
        return unique[0]
    first = next(iter(values), "id")
    doubts.append(f"no column is surely the id: '{first}' is taken, as the first; name it as columns.id")
    return first
