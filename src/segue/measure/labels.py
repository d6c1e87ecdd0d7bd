"""Which labels (categories, genres, tags) each item has, as one ragged array."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from segue.domain.items import Items

Codes = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Labels:
    """Item `i` has the labels `codes[offsets[i]:offsets[i + 1]]` of `names`, each once."""

    names: tuple[str, ...]
    offsets: Codes
    codes: Codes

    @classmethod
    def of(cls, items: Items, labels: Mapping[str, Sequence[str]]) -> Labels:
        """The labels by item id, in the vocabulary `items`; an item that is not named has none."""
        rows = pa.array([list(labels.get(item, ())) for item in items.ids], pa.list_(pa.string()))
        return cls.of_column(rows)

    @classmethod
    def of_column(cls, column: pa.Array | pa.ChunkedArray) -> Labels:
        """The labels of a column of lists, such as the categories of `engines.content`, row `i` of item `i`.

        >>> labels = Labels.of_column(pa.array([["b", "a", "b"], [], ["c"]]))
        >>> labels.names, labels.offsets.tolist(), labels.codes.tolist()
        (('a', 'b', 'c'), [0, 2, 2, 3], [0, 1, 2])
        """
        rows = len(column)
        owner = pc.list_parent_indices(column).to_numpy(zero_copy_only=False).astype(np.int64)
        flat = pc.list_flatten(column)
        names = sorted(pc.unique(flat).to_pylist())
        code = pc.index_in(flat, pa.array(names, pa.string())).to_numpy(zero_copy_only=False).astype(np.int64)
        pairs = np.unique(owner * max(len(names), 1) + code)
        lengths = np.bincount(pairs // max(len(names), 1), minlength=rows)
        return cls(tuple(names), np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), pairs % max(len(names), 1))

    def counts(self) -> Codes:
        """int64[items]: how many labels each item has."""
        return np.diff(self.offsets)

    def expand(self, items: npt.NDArray[np.integer]) -> tuple[Codes, Codes]:
        """For every label of every item: which place of `items` it belongs to, and its code."""
        lengths = self.counts()[items]
        owner = np.repeat(np.arange(len(items)), lengths)
        before = np.cumsum(lengths) - lengths
        return owner, self.codes[np.arange(len(owner)) + np.repeat(self.offsets[:-1][items] - before, lengths)]

    def having(self, name: str) -> npt.NDArray[np.bool_]:
        """bool[items]: which items have this label."""
        marks = np.zeros(len(self.offsets) - 1, np.bool_)
        owner = np.repeat(np.arange(len(marks)), self.counts())
        marks[owner[self.codes == self.names.index(name)]] = True
        return marks


__all__ = ["Labels"]
