"""Parts of the people or of the items for which models are measured by themselves.

A part of the people keeps their whole lists. A part of the items keeps the lists, too, but counts only these items as
relevant: what a model finds of them among all others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from segue.domain import columns
from segue.domain.errors import DataError, unknown
from segue.domain.requests import NO_TIME
from segue.measure.exposure import head
from segue.measure.heldout import Findable
from segue.measure.labels import Labels
from segue.measure.measured import Background

BUILT_IN = ("activity", "item_age", "popularity", "categories")
MOST = 12  # parts of one slice: the largest
NUMBERS = 8  # different numbers in a column of users, above which thirds are formed
AGES = (7, 30, 365)  # days
DAY_US = 86_400_000_000

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Part:
    """One part of a slice: some of the people, or some of the items and the people who have one of them to find."""

    slice: str
    name: str
    people: Mask
    items: Mask | None = None


def parts(
    names: Sequence[str], people: Findable, background: Background, users: Mapping[str, Sequence[Any]]
) -> list[Part]:
    """The parts of each slice that are not empty. `users` has the columns of the people, one value each.

    Raises UnknownName for a slice that the data do not have, DataError for one that lacks what it goes by.
    """
    return [part for name in names for part in _parts(name, people, background, users)]


def _parts(name: str, people: Findable, background: Background, users: Mapping[str, Sequence[Any]]) -> Iterator[Part]:
    if name == "activity":
        return _activity(people)
    if name == "item_age":
        return _kept(name, _ages(people, background), people)
    if name == "popularity":
        return _kept(name, _popularity(background), people)
    if name in users:
        return _of_column(name, users[name])
    labels = background.categories if name == "categories" else _attribute(background, name)
    if labels is None:
        known = {*BUILT_IN, *users, *_attribute_names(background)} - ({"categories"} if name == "categories" else set())
        raise unknown("slice", name, known, where="[evaluation] slices")
    return _kept(name, ((label, labels.having(label)) for label in _commonest(labels, people)), people)


def _activity(people: Findable) -> Iterator[Part]:
    """Thirds of the people by how many different items their histories have."""
    histories = people.histories
    span = int(histories.items.max(initial=0)) + 1
    pairs = np.unique(histories.row_numbers() * span + histories.items)
    counts = np.bincount(pairs // span, minlength=len(histories))
    return (Part("activity", f"{name} items", people=mask) for name, mask in _thirds(counts))


def _thirds(values: npt.NDArray[Any]) -> Iterator[tuple[str, Mask]]:
    """Thirds of equal size, or as near as equal values allow."""
    edges = np.unique(np.quantile(values, [1 / 3, 2 / 3], method="inverted_cdf")) if len(values) else np.empty(0)
    group = np.searchsorted(edges, values)
    for place in range(len(edges) + 1):
        mask = group == place
        if mask.any():
            low, high = values[mask].min(), values[mask].max()
            yield (f"{low:,g}" if low == high else f"{low:,g} to {high:,g}"), mask


def _ages(people: Findable, background: Background) -> Iterator[tuple[str, Mask]]:
    """By the days since an item was released, or since the first event on it where that is not known."""
    known = background.known()
    born = np.full(background.items, NO_TIME) if known.first_seen is None else known.first_seen
    if background.content is not None:
        released = pc.fill_null(background.content[columns.RELEASED], int(NO_TIME)).to_numpy()
        born = np.where(released == NO_TIME, born, released)
    if people.now is None or (born == NO_TIME).all():
        raise DataError(
            "the age of items needs times of the events, or when items were released",
            where="[evaluation] slices",
            mend="slice by activity or popularity, which need no times",
        )
    new, dated = known.known_by == 0, born != NO_TIME
    days = (people.now - np.where(dated, born, people.now)) / DAY_US
    yield "nobody had it before", new
    for after, until in zip((0, *AGES), AGES, strict=False):
        label = f"{after + 1} to {until} days" if after else f"up to {until} days"
        yield label, ~new & dated & (days <= until) & ((days > after) | (not after))
    yield f"more than {AGES[-1]} days", ~new & dated & (days > AGES[-1])
    yield "of unknown age", ~new & ~dated


def _popularity(background: Background) -> Iterator[tuple[str, Mask]]:
    known = background.known()
    popular = head(known)
    yield "head", popular
    yield "tail", ~popular & (known.known_by > 0)
    yield "nobody had it before", known.known_by == 0


def _of_column(name: str, values: Sequence[Any]) -> Iterator[Part]:
    """The people by a column: its commonest values, or thirds where it holds many different numbers."""
    values = [None if value != value else value for value in values]  # NaN says as little as nothing
    there = np.array([value is not None for value in values], np.bool_)
    distinct = {value for value in values if value is not None}
    numeric = all(isinstance(value, int | float) for value in distinct)
    if len(distinct) > NUMBERS and numeric:
        numbers = np.array([value for value in values if value is not None], np.float64)
        for label, mask in _thirds(numbers):
            people = there.copy()
            people[there] = mask
            yield Part(name, label, people=people)
    else:
        text = np.array(["" if value is None else f"{value:g}" if numeric else str(value) for value in values])
        labels, counts = np.unique(text[there], return_counts=True)
        shown = labels[np.sort(np.argsort(-counts, kind="stable")[:MOST])]
        for label in shown:
            yield Part(name, str(label), people=there & (text == label))
        if len(shown) < len(labels):
            yield Part(name, "all others", people=there & ~np.isin(text, shown))
    if not there.all():
        yield Part(name, "not known", people=~there)


def _attribute(background: Background, name: str) -> Labels | None:
    """The values of one attribute of the items; None where no item has it."""
    if background.content is None:
        return None
    labels = Labels.of_column(background.content[columns.ATTRIBUTES])
    meant = [code for code, label in enumerate(labels.names) if label.startswith(f"{name}=")]
    if not meant:
        return None
    kept = np.isin(labels.codes, meant)
    owner = np.repeat(np.arange(background.items), labels.counts())[kept]
    offsets = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=background.items))])
    names = tuple(labels.names[code].removeprefix(f"{name}=") for code in meant)
    return Labels(names, offsets.astype(np.int64), np.searchsorted(meant, labels.codes[kept]))


def _attribute_names(background: Background) -> set[str]:
    if background.content is None:
        return set()
    values = pc.unique(pc.list_flatten(background.content[columns.ATTRIBUTES])).to_pylist()
    return {value.partition("=")[0] for value in values}


def _commonest(labels: Labels, people: Findable) -> list[str]:
    """The labels that most of what is to find has, by name."""
    _, codes = labels.expand(people.truth.items)
    counts = np.bincount(codes, minlength=len(labels.names))
    return [labels.names[code] for code in sorted(np.argsort(-counts, kind="stable")[:MOST]) if counts[code]]


def _kept(name: str, found: Iterator[tuple[str, Mask]], people: Findable) -> Iterator[Part]:
    """The parts of items of which somebody has one to find, with these people."""
    rows = people.truth.row_numbers()
    for label, items in found:
        concerned = np.zeros(len(people.truth), np.bool_)
        concerned[rows[items[people.truth.items]]] = True
        if concerned.any():
            yield Part(name, label, concerned, items)
