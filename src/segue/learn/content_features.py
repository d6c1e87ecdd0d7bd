"""What the catalog says of items as sparse numbers: words, categories and attributes, each with what it weighs."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from segue.domain import columns
from segue.domain.errors import DataError
from segue.domain.items import UNKNOWN
from segue.engines.engine import Dataset
from segue.engines.memory import refuse_beyond_memory
from segue.learn.words import folded, words

CHUNK = 4096  # items that are read at a time
EACH_BYTES = 40  # of a feature of an item, while the matrices are made
NAME_BYTES = 200  # of a name of a feature: the text, its place in the dictionary, its rank
CATEGORY, ATTRIBUTE = "\tcategory\t", "\tattribute\t"  # before names that are no words


@dataclass(frozen=True)
class Fields:
    """What a word of the title or of the text counts for, what a category and what an attribute; 0 leaves them out.

    A word of title and text counts for both together (BM25F: Robertson, Zaragoza, Taylor, "Simple BM25 Extension to
    Multiple Weighted Fields", 2004). An attribute is its name with its value.
    """

    title: float = 1.0
    text: float = 1.0
    categories: float = 1.0
    attributes: float = 1.0

    def amounts(self, title: str, text: str, categories: Iterable[str], attributes: Iterable[str]) -> dict[str, float]:
        """What there is of each feature, by name, in one item."""
        found: dict[str, float] = {}
        for each, weight in ((title, self.title), (text, self.text)):
            if weight > 0:
                for word in words(each):
                    found[word] = found.get(word, 0.0) + weight
        for names, weight, prefix in (
            (categories, self.categories, CATEGORY),
            (attributes, self.attributes, ATTRIBUTE),
        ):
            if weight > 0:
                found.update((prefix + folded(name), weight) for name in names)
        return found

    def read(self) -> str:
        """The names of the fields that count, for a message."""
        return ", ".join(name for name in self.__dataclass_fields__ if getattr(self, name) > 0)


def content_features(dataset: Dataset, fields: Fields, name: str) -> Any:
    """A SciPy csr_array float64[items, features]: how much of each feature each item has.

    Rows are in canonical order, columns in that of the features' names; features that only one item has are left out,
    for they say nothing of another. A `DataError` where the catalog says nothing at all; `name` is who asks.
    """
    from scipy.sparse import csr_array

    offsets, codes, amounts, names = _read(told(dataset, name), fields)
    if not len(codes):
        raise DataError(
            f"{name} finds nothing in {fields.read() or 'no field'} of the catalog's {len(dataset.items):,} items",
            where=f"learner {name}",
            mend="say in [items.columns] which columns are title, text, categories or attributes, and ingest again",
        )
    ranked = np.array(sorted(range(len(names)), key=names.__getitem__), np.int64)
    shared = np.bincount(codes, minlength=len(names))[ranked] > 1
    column = np.full(len(names), UNKNOWN, np.int32)
    column[ranked[shared]] = np.arange(int(shared.sum()))
    kept = column[codes] != UNKNOWN
    _, order = dataset.items.canonical()
    place = np.empty(len(order), np.int32)
    place[order] = np.arange(len(order))
    rows = np.repeat(place, np.diff(offsets))[kept]
    shape = len(order), int(shared.sum())
    matrix = csr_array((amounts[kept].astype(np.float64), (rows, column[codes[kept]])), shape=shape)
    matrix.sort_indices()
    return matrix


def told(dataset: Dataset, name: str) -> pa.Table:
    """The content of the dataset; a `DataError` where there is no catalog. `name` is who asks."""
    content = dataset.content
    if content is None:
        raise DataError(
            f"{name} learns from what the catalog says of items, and there is no catalog",
            where=f"learner {name}",
            mend="say under [items] in segue.toml where the catalog is, and ingest it",
        )
    return content


def _read(
    content: pa.Table, fields: Fields
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.float32], list[str]]:
    """Ragged rows of feature codes and amounts in the order of the content, and the names of the codes."""
    vocabulary: dict[str, int] = {}
    codes, amounts, lengths = array("i"), array("f"), array("q")
    for done, found in _each(content, fields):
        codes.extend([vocabulary.setdefault(name, len(vocabulary)) for name in found])
        amounts.extend(found.values())
        lengths.append(len(found))
        if done % CHUNK == 0:
            _refuse_beyond_memory(len(codes), len(vocabulary), done, content.num_rows)
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(np.asarray(lengths, np.int64), out=offsets[1:])
    return offsets, np.asarray(codes, np.int32), np.asarray(amounts, np.float32), list(vocabulary)


def _each(content: pa.Table, fields: Fields) -> Iterator[tuple[int, dict[str, float]]]:
    """The features of each item, with how many items have been read."""
    read = (columns.TITLE, columns.TEXT, columns.CATEGORIES, columns.ATTRIBUTES)
    for start in range(0, content.num_rows, CHUNK):
        chunk = content.slice(start, CHUNK)
        rows = zip(*(chunk[column].to_pylist() for column in read), strict=True)
        for done, (title, text, categories, attributes) in enumerate(rows, start + 1):
            yield done, fields.amounts(title or "", text or "", categories or (), attributes or ())


def _refuse_beyond_memory(features: int, names: int, done: int, items: int) -> None:
    """By what the items so far took, before the others are read. New names get rarer, so the names are over-counted."""
    still = (features * EACH_BYTES + names * NAME_BYTES) * (items - done) // done
    refuse_beyond_memory(
        still + features * EACH_BYTES,
        f"the words, categories and attributes of {items:,} items",
        "leave the texts out with text = 0",
    )


def document_frequencies(matrix: Any) -> npt.NDArray[np.int64]:
    """int64[features]: how many items have each."""
    return np.bincount(matrix.indices, minlength=matrix.shape[1])


def rarity(matrix: Any) -> npt.NDArray[np.float64]:
    """float64[features]: log(1 + (n - d + .5) / (d + .5)), d of n items having the feature; never 0 or less."""
    having = document_frequencies(matrix)
    items = int((np.diff(matrix.indptr) > 0).sum())
    return np.asarray(np.log1p((items - having + 0.5) / (having + 0.5)))


__all__ = ["Fields", "content_features", "document_frequencies", "rarity", "told"]
