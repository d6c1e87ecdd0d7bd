"""SLIM: sparse linear weights from items to items, each item by itself, so that large catalogs have them too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from segue.domain import columns
from segue.domain.items import UNKNOWN
from segue.domain.recommender import Recommender
from segue.engines.engine import Dataset, Engine, Key
from segue.engines.mapped import Mapped
from segue.engines.memory import available_bytes, refuse_beyond_memory
from segue.learn.gram import ItemCounts, choose
from segue.learn.kernels import worthwhile
from segue.learn.learner import Learner, Validate, refuse_empty
from segue.learn.neighbours import Pairs, Side, Worth, neighbours, pairs_of
from segue.learn.ranges import Choice, Range, Real
from segue.learn.similarity import Cosine
from segue.learn.sparse_items import SparseItems, by_source

TINY = 3_000_000  # products; below, SciPy is fast enough that nothing need wait for a compiled kernel
BATCHES = 64  # of items, dealt so that each has some that many people have
WEIGHTS = "weights"
FEW = 16  # people of an item; so many are gone through as soon as a count is found among those of all others
SHARE = 4  # of the memory that is left, one part may go to counts
ENOUGH = 1e-4  # a sweep that changes no weight by more than this is the last

Places = npt.NDArray[np.int32]
Weights = npt.NDArray[np.float32]


class SLIM(Learner, frozen=True):
    """Predicts each item from its `k` likest by elastic net: least |x - X w|^2 / 2 + l2 |w|^2 / 2 + l1 |w|_1.

    k               how many items each item is predicted from, those likest by cosine
    regularization  l2, in people; larger is smoother
    sparsity        l1, in people; larger leaves fewer weights
    signs           "any", or "positive": no item speaks against another
    epochs          sweeps of coordinate descent at most
    min_people      items that fewer people have are left out
    max_history     the newest items of a person that count: what long histories cost grows with their square

    Ning and Karypis, "SLIM: Sparse Linear Methods for Top-N Recommender Systems", 2011, with its feature selection by
    item neighbours (fsSLIM). Time and memory grow with items and with pairs that people have in common, never with
    items squared. Items left out score 0.

    >>> from segue.domain.requests import Histories, Requests
    >>> from segue.engines.local import LocalEngine, Table
    >>> people, items = ["ann", "ann", "bob", "bob", "cid", "cid"], ["x", "y", "x", "y", "x", "z"]
    >>> model = SLIM(regularization=1, sparsity=0, min_people=1).fit(LocalEngine(), Table.of(people, items))
    >>> model.scores(Requests(Histories.of([[0]]))).round(2).tolist()
    [[0.0, 0.5, 0.25]]
    """

    name: ClassVar[str] = "slim"
    recommender: ClassVar[type[SparseItems]] = SparseItems
    ranges: ClassVar[Mapping[str, Range]] = {
        "regularization": Real(3, 1000, log=True),
        "sparsity": Real(0.1, 10, log=True),
        "signs": Choice(("any", "positive")),
    }

    k: Annotated[int, msgspec.Meta(ge=1, le=2_000)] = 100
    regularization: Annotated[float, msgspec.Meta(gt=0)] = 50.0
    sparsity: Annotated[float, msgspec.Meta(ge=0)] = 1.0
    signs: Literal["any", "positive"] = "any"
    epochs: Annotated[int, msgspec.Meta(ge=1)] = 30
    min_people: Annotated[int, msgspec.Meta(ge=1)] = 2
    max_history: Annotated[int, msgspec.Meta(ge=1)] = 1_000

    def fit(self, engine: Engine, dataset: Dataset, validate: Validate | None = None) -> Recommender:  # noqa: ARG002
        counts = engine.fold(ItemCounts(), dataset)
        refuse_empty(int(counts["totals"][1]), self.name)
        canonical, _ = dataset.items.canonical()
        chosen = choose(counts, dataset.items, canonical, self.min_people, len(canonical))
        k = min(self.k, max(len(chosen) - 1, 1))
        refuse_beyond_memory(
            len(chosen) * k * 32,
            f"SLIM of {len(chosen):,} items from {k} each",
            "lower `k`, or raise `min_people`",
        )
        similarity = Cosine("none", 0)
        binary = Worth(chosen, similarity, self.max_history)
        pairs = pairs_of(engine.map(binary, engine.prepare(dataset, Key.USER)), len(chosen))
        near = neighbours(engine, dataset, pairs, similarity, k)[0]
        net = Net(self.regularization, self.sparsity, -np.inf if self.signs == "any" else 0.0, self.epochs)
        weights = solved(engine, dataset, near, common_people(pairs), net)
        there = weights != 0
        targets = np.repeat(chosen.positions, there.sum(axis=1))
        return by_source(canonical, chosen.positions[near[there]], targets, weights[there])


@dataclass(frozen=True)
class Net:
    """An elastic net: its penalties, the least that a weight may be, and how many sweeps there are at most."""

    l2: float
    l1: float
    least: float
    sweeps: int


@dataclass(frozen=True, eq=False)
class Common:
    """How many people have both of two items, for those that anybody has both of: a sparse upper triangle.

    Counts with items that at most `few` people have are not in it: they are soon told by who these people are.

    few     int
    having  Side              who have each item
    starts  int64[items + 1]  where the others of each item begin
    others  int32[pairs]      places after that of the item, ascending
    counts  int32[pairs]
    """

    few: int
    having: Side
    starts: npt.NDArray[np.int64]
    others: Places
    counts: npt.NDArray[np.int32]

    @property
    def people(self) -> npt.NDArray[np.int64]:
        """int64[items]: how many have each."""
        return np.diff(self.having.offsets)


def common_people(pairs: Pairs) -> Common:
    """How many people have both items, of as many items as there is room for."""
    lengths = np.diff(pairs.by_user.offsets)
    if not worthwhile("slim_kernels", int((lengths * lengths).sum()), TINY):
        return _by_scipy(pairs)
    from segue.learn.slim_kernels import count_common, count_others

    few = _few(pairs, available_bytes() // SHARE)
    sides = (few, pairs.by_item.offsets, pairs.by_item.codes, *_held_by_more(pairs, few))
    starts = np.zeros(len(pairs) + 1, np.int64)
    count_others(*sides, starts[1:])
    np.cumsum(starts, out=starts)
    others, counts = np.empty(starts[-1], np.int32), np.empty(starts[-1], np.int32)
    count_common(*sides, starts, others, counts)
    return Common(few, pairs.by_item, starts, others, counts)


def _few(pairs: Pairs, room: int) -> int:
    """The fewest people that an item must have more than, so that the counts of all others fit into so many bytes."""
    people = np.diff(pairs.by_item.offsets)
    persons = np.repeat(np.arange(len(pairs.by_user.offsets) - 1), np.diff(pairs.by_user.offsets))
    few = FEW
    while True:
        held = np.bincount(persons[people[pairs.by_user.codes] > few])
        items = int((people > few).sum())
        if 8 * min(items * items, int((held * held).sum())) // 2 <= room:
            return few
        few = 2 * few + 1


def _held_by_more(pairs: Pairs, few: int) -> tuple[npt.NDArray[np.int64], Places]:
    """Offsets and codes of what each person has of the items that more than `few` have."""
    by_user = pairs.by_user
    keep = np.diff(pairs.by_item.offsets)[by_user.codes] > few
    before = np.concatenate([[0], np.cumsum(keep)])
    return before[by_user.offsets], by_user.codes[keep]


class Solve:
    """The map by item: the weights into each from its candidates, in their order, by coordinate descent."""

    def __init__(self, near: Places, common: Common, net: Net, compiled: bool) -> None:  # noqa: FBT001
        self.near = near
        self.common = common
        self.net = net
        self.solve = _solve_compiled if compiled else _solve_plainly

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        items = batch[columns.ITEM].to_numpy()
        weights = np.zeros((len(items), self.near.shape[1]), np.float32)
        self.solve(items, self.near, self.common, self.net, weights)
        listed = pa.FixedSizeListArray.from_arrays(pa.array(weights.ravel()), weights.shape[1])
        return pa.record_batch({columns.ITEM: batch[columns.ITEM], WEIGHTS: listed})


def solved(engine: Engine, dataset: Dataset, near: Places, common: Common, net: Net) -> Weights:
    """float32[items, k]: the weight into each item from each of its candidates `near` (places, -1 where fewer)."""
    compiled = worthwhile("slim_kernels", near.size * near.shape[1], TINY)
    order = np.argsort(-common.people, kind="stable").astype(np.int32)
    batches = [pa.record_batch({columns.ITEM: pa.array(order[start::BATCHES])}) for start in range(BATCHES)]
    dealt = Mapped([batch for batch in batches if batch.num_rows], batches[0].schema, dataset)
    weights = np.zeros(near.shape, np.float32)
    for part in engine.map(Solve(near, common, net, compiled), dealt).partitions(1):
        for batch in part:
            places = batch[columns.ITEM].to_numpy()
            weights[places] = batch[WEIGHTS].flatten().to_numpy().reshape(-1, near.shape[1])
    return weights


def _solve_compiled(items: Places, near: Places, common: Common, net: Net, weights: Weights) -> None:
    from segue.learn.slim_kernels import solve_items

    having = common.having
    persons = int(having.codes.max(initial=-1)) + 1
    arrays = (near, persons, common.few, having.offsets, having.codes, common.starts, common.others, common.counts)
    solve_items(items, *arrays, net.l2, net.l1, net.least, net.sweeps, ENOUGH, weights)


def _solve_plainly(items: Places, near: Places, common: Common, net: Net, weights: Weights) -> None:
    """The same sums in the same order as the kernel, so the same bits."""
    for line, item in enumerate(items.tolist()):
        candidates = near[item][near[item] != UNKNOWN]
        gram = _counts(common, candidates, candidates).astype(np.float64)
        left = _counts(common, np.array([item]), candidates)[0].astype(np.float64)
        found = np.zeros(len(candidates))
        for _ in range(net.sweeps):
            largest = 0.0
            for at in range(len(candidates)):
                pull = left[at] + gram[at, at] * found[at]
                kept = max(abs(pull) - net.l1, 0.0)
                wanted = max(float(np.copysign(kept, pull)) / (gram[at, at] + net.l2), net.least)
                change = wanted - found[at]
                if change != 0:
                    left -= gram[at] * change
                    found[at] = wanted
                    largest = max(largest, abs(change))
            if largest < ENOUGH:
                break
        weights[line, : len(candidates)] = found


def _counts(common: Common, first: npt.NDArray[Any], second: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """int64[first, second]: how many people have both."""
    people, offsets = common.people, common.having.offsets

    def having(item: int) -> Places:
        return common.having.codes[offsets[item] : offsets[item + 1]]

    counts = np.zeros((len(first), len(second)), np.int64)
    for line, one in enumerate(first.tolist()):
        for column, two in enumerate(second.tolist()):
            low, high = min(one, two), max(one, two)
            start, stop = common.starts[low], common.starts[low + 1]
            at = start + np.searchsorted(common.others[start:stop], high)
            if low == high:
                counts[line, column] = people[low]
            elif min(people[low], people[high]) <= common.few:
                counts[line, column] = len(np.intersect1d(having(low), having(high), assume_unique=True))
            elif at < stop and common.others[at] == high:
                counts[line, column] = common.counts[at]
    return counts


def _by_scipy(pairs: Pairs) -> Common:
    from scipy.sparse import csr_array, triu

    held = pairs.by_user.sparse(len(pairs))
    ones = csr_array((np.ones(len(held.data), np.int32), held.indices, held.indptr), shape=held.shape)
    upper = triu(ones.T @ ones, k=1).tocsr()
    upper.sort_indices()
    starts, others, counts = upper.indptr.astype(np.int64), upper.indices.astype(np.int32), upper.data.astype(np.int32)
    return Common(0, pairs.by_item, starts, others, counts)
