"""The laws of recommenders and of the learners that make them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from segue.domain.items import UNKNOWN
from segue.domain.recommender import Recommender, top_unseen
from segue.domain.requests import Histories, Requests
from segue.engines.engine import Dataset, Engine
from segue.engines.local import LocalEngine
from segue.learn.learner import Learner, load_model, save_model
from segue.testing.aggregate import PARTITIONS
from segue.testing.datasets import mixed, shuffled

Mask = npt.NDArray[np.bool_]
TOLERANCE = 1e-4  # relative to the largest score: float32 sums in another order
ENGINES = [lambda count=count: LocalEngine(partitions=count) for count in PARTITIONS]


def check_learner(
    learner: Learner, dataset: Dataset | None = None, engines: list[Callable[[], Engine]] | None = None
) -> Recommender:
    """Hold a learner to its laws on a dataset: the same bytes whatever the engine and its partitions, whatever the
    order in which the rows came, and again; then what it learned to `check_recommender`.

    >>> from segue.learn.popularity import Popularity
    >>> check_learner(Popularity()).personal
    False
    """
    given = mixed() if dataset is None else dataset
    name = type(learner).__name__
    made = [learner.fit(make(), given) for make in (engines or ENGINES)]
    expected = saved_bytes(made[0])
    for number, recommender in enumerate(made):
        assert saved_bytes(recommender) == expected, (
            f"{name} learns something else on engine {number} than on the first"
        )
    again = learner.fit(LocalEngine(), shuffled(mixed()) if dataset is None else given)
    assert saved_bytes(again) == expected, f"{name} learns something else from the same rows in another order"
    assert made[0].items.ids == tuple(sorted(given.items.ids)), f"the items of {name} are not in canonical order"
    check_recommender(made[0])
    _check_model(made[0])
    return made[0]


def check_recommender(recommender: Recommender) -> None:
    """Hold a recommender to its laws.

    - scores are finite, float32[rows, items], the same for candidates alone, and for a request alone as in a batch;
    - `top` is the order of the scores with ties by position; `allow` and `deny` hold, for all rows or for each; where
      fewer than `k` are left, -1 and -inf fill the row;
    - `top_unseen`, where there is one, gives what `top` does with the seen items denied: the request's own, or others,
      ascending or not, with repeats or none;
    - an empty history is no error, nor is a batch of no requests;
    - reasons sum to the score where they are exact, and `parts` do where the recommender is `Additive`;
    - what was saved and loaded gives the same scores;
    - where it is `Relating`, no item is similar to itself, the likest come first, and -1 and -inf fill the rows.
    """
    requests = Requests(_histories(len(recommender.items)))
    scores = recommender.scores(requests)
    _check_scores(recommender, requests, scores)
    _check_top(recommender, requests, scores)
    _check_top_unseen(recommender, requests, scores)
    _check_reasons(recommender, requests, scores)
    _check_parts(recommender, requests, scores)
    _check_saved(recommender, requests, scores)
    _check_similar(recommender)
    if not recommender.personal:
        same = bool((scores == scores[0]).all())
        assert same, "a recommender that says it is not personal scores differently by history"


def saved_bytes(recommender: Recommender) -> dict[str, bytes]:
    """The files that a recommender saves, by name."""
    with tempfile.TemporaryDirectory() as folder:
        recommender.save(Path(folder))
        files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def _check_similar(recommender: Recommender) -> None:
    if not hasattr(recommender, "similar"):
        return
    asked = np.arange(len(recommender.items), dtype=np.int32)
    k = len(asked) + 1
    found, likeness = recommender.similar(asked, k)
    assert found.shape == likeness.shape == (len(asked), k), f"similar gives {found.shape}, expected {(len(asked), k)}"
    assert (found != asked[:, None]).all(), "an item is similar to itself"
    told = found != UNKNOWN
    assert (np.isfinite(likeness) == told).all(), "similar fills with something else than -1 and -inf"
    assert (np.diff(told.astype(int), axis=1) <= 0).all(), "similar has a gap before an item"
    both = told[:, 1:]
    assert (likeness[:, 1:][both] <= likeness[:, :-1][both]).all(), "similar is not likest first"
    for row in found:
        named = row[row != UNKNOWN]
        assert len(set(named.tolist())) == len(named), "an item is twice among the similar ones"


def _histories(items: int) -> Histories:
    """Empty, one item, the same item thrice, every item, and a few of some."""
    random = np.random.default_rng(7)
    some = [random.integers(0, items, random.integers(1, 9)) for _ in range(8)]
    return Histories.of([[], [0], [items - 1] * 3, range(items), *some])


def _check_scores(recommender: Recommender, requests: Requests, scores: npt.NDArray[np.float32]) -> None:
    expected = (len(requests), len(recommender.items))
    assert scores.shape == expected, f"scores are of shape {scores.shape}, expected {expected}"
    assert scores.dtype == np.float32, f"scores are {scores.dtype}, expected float32"
    assert np.isfinite(scores).all(), "some scores are not finite"
    candidates = np.arange(len(recommender.items) - 1, -1, -2, dtype=np.int32)
    some = recommender.scores(requests, candidates)
    _near(some, scores[:, candidates], "scores of candidates alone differ from those among all items")
    for row in range(len(requests)):
        alone = recommender.scores(requests.rows(row, row + 1))
        _near(alone[0], scores[row], f"request {row} alone scores differently than in a batch")
    none = recommender.scores(requests.rows(0, 0))
    assert none.shape == (0, len(recommender.items)), "scores of no requests are not of shape (0, items)"


def _check_top(recommender: Recommender, requests: Requests, scores: npt.NDArray[np.float32]) -> None:
    rows, items = scores.shape
    random = np.random.default_rng(11)
    for_all, for_each = np.asarray(random.random(items) < 0.5), np.asarray(random.random((rows, items)) < 0.5)
    nothing = np.zeros(items, np.bool_)
    masks: list[tuple[Mask | None, Mask | None]] = [
        (None, None),
        (for_all, None),
        (None, for_all),
        (for_each, for_all),
        (for_all, for_each),
        (nothing, None),
    ]
    for k in (0, 1, 5, items, items + 3):
        for allow, deny in masks:
            out = np.zeros(scores.shape, np.bool_)
            if allow is not None:
                out |= ~allow
            if deny is not None:
                out |= deny
            found, values = recommender.top(requests, k, allow=allow, deny=deny)
            _check_order(found, values, np.where(out, -np.inf, scores).astype(np.float32), k)


def _check_top_unseen(recommender: Recommender, requests: Requests, scores: npt.NDArray[np.float32]) -> None:
    """Of any recommender, through the function that asks those that are `Unseen` and masks for the others."""
    rows, items = scores.shape
    random = np.random.default_rng(13)
    others = Histories.of([random.integers(0, items, random.integers(0, 2 * items)) for _ in range(rows)])
    for_all, for_each = np.asarray(random.random(items) < 0.5), np.asarray(random.random((rows, items)) < 0.5)
    for seen in (None, others, Histories.of([[]] * rows)):
        out = requests.histories if seen is None else seen
        for allow in (None, for_all, for_each):
            left = np.where(True if allow is None else allow, scores, -np.inf).astype(np.float32)
            left[out.row_numbers(), out.items] = -np.inf
            for k in (0, 1, 5, items):
                found, values = top_unseen(recommender, requests, k, seen=seen, allow=allow)
                _check_order(found, values, left, k)


def _check_order(
    found: npt.NDArray[np.int32], values: npt.NDArray[np.float32], scores: npt.NDArray[np.float32], k: int
) -> None:
    assert found.shape == values.shape == (len(scores), k), f"top {k} is of shape {found.shape}"
    assert found.dtype == np.int32, f"top gives positions as {found.dtype}, expected int32"
    assert values.dtype == np.float32, f"top gives scores as {values.dtype}, expected float32"
    for row, row_scores in enumerate(scores):
        left = int((row_scores > -np.inf).sum())
        filled = min(k, left)
        assert (found[row, filled:] == UNKNOWN).all(), (
            f"top {k}: row {row} has {left} items left, but is not filled by -1"
        )
        assert (values[row, filled:] == -np.inf).all(), f"top {k}: row {row} is not filled by -inf"
        chosen = found[row, :filled]
        assert (chosen >= 0).all(), f"top {k}: row {row} leaves out items that are allowed"
        assert len(set(chosen.tolist())) == filled, f"top {k}: row {row} has an item twice"
        assert (row_scores[chosen] > -np.inf).all(), f"top {k}: row {row} has an item that is denied or not allowed"
        _near(values[row, :filled], row_scores[chosen], f"top {k}: row {row} has other scores than `scores`")
        best = np.sort(row_scores)[::-1][:filled]
        _near(values[row, :filled], best, f"top {k}: row {row} is not the best")
        falls = values[row, 1:filled] < values[row, : filled - 1] if filled else np.zeros(0, np.bool_)
        ties = values[row, 1:filled] == values[row, : filled - 1] if filled else np.zeros(0, np.bool_)
        ordered = falls | (ties & (chosen[1:] > chosen[:-1]))
        assert ordered.all(), f"top {k}: row {row} is not best first with ties by position"


def _check_reasons(recommender: Recommender, requests: Requests, scores: npt.NDArray[np.float32]) -> None:
    asked = np.arange(len(recommender.items), dtype=np.int32)
    for row in range(len(requests)):
        one = requests.rows(row, row + 1)
        history = set(one.histories.items.tolist())
        given = recommender.reasons(one, asked)
        assert [reasons.item for reasons in given] == asked.tolist(), "reasons are not one for each item, in order"
        for reasons in given:
            where = f"the reasons of item {reasons.item} in request {row}"
            _near(np.array(reasons.score), scores[row, reasons.item], f"{where} have another score", scores)
            for part in reasons.contributions:
                assert part.item is None or part.item in history, f"{where} name item {part.item}, not of the history"
                assert part.item is not None or part.label, f"{where} have a part that says not what it is"
            if reasons.exact:
                total = np.array(sum(part.score for part in reasons.contributions))
                _near(total, np.array(reasons.score), f"{where} do not sum to the score", scores)


def _check_parts(recommender: Recommender, requests: Requests, scores: npt.NDArray[np.float32]) -> None:
    """Of a recommender that is `Additive`."""
    parts_of: Callable[..., tuple[npt.NDArray[np.int32], npt.NDArray[np.floating]]] | None
    parts_of = getattr(recommender, "parts", None)
    if parts_of is None:
        return
    asked = np.arange(len(recommender.items), dtype=np.int32)[::-1]
    for row in range(len(requests)):
        one = requests.rows(row, row + 1)
        history, parts = parts_of(one, asked)
        assert len(set(history.tolist())) == len(history), "parts name an item of the history twice"
        known = set(one.histories.items.tolist())
        assert set(history.tolist()) <= known, "parts name items that are not of the history"
        assert parts.shape == (len(history), len(asked)), f"parts are of shape {parts.shape}"
        _near(parts.sum(axis=0), scores[row, asked], f"parts of request {row} do not sum to the scores", scores)


def _check_saved(recommender: Recommender, requests: Requests, scores: npt.NDArray[np.float32]) -> None:
    load = getattr(type(recommender), "load", None)
    assert load is not None, f"{type(recommender).__name__} has no classmethod load(folder, items)"
    with tempfile.TemporaryDirectory() as folder:
        recommender.save(Path(folder))
        loaded: Recommender = load(Path(folder), recommender.items)
        assert np.array_equal(loaded.scores(requests), scores), (
            "a recommender that was saved and loaded scores differently"
        )
        assert loaded.nbytes == recommender.nbytes, "a loaded recommender has another size"


def _check_model(recommender: Recommender) -> None:
    """Through the manifest, as `segue train` does."""
    requests = Requests(_histories(len(recommender.items)))
    with tempfile.TemporaryDirectory() as folder:
        save_model(recommender, Path(folder) / "run", {})
        loaded = load_model(Path(folder) / "run")
        assert loaded.items == recommender.items, "a loaded model has other items"
        same = np.array_equal(loaded.scores(requests), recommender.scores(requests))
        assert same, "a loaded model scores differently"


def _near(
    found: npt.NDArray[np.floating],
    expected: npt.NDArray[np.floating],
    law: str,
    scale: npt.NDArray[np.floating] | None = None,
) -> None:
    finite = np.abs((expected if scale is None else scale)[np.isfinite(expected if scale is None else scale)])
    tolerance = TOLERANCE * max(float(finite.max(initial=0)), 1e-30)
    with np.errstate(invalid="ignore"):
        near = (np.abs(found - expected) <= tolerance) | (found == expected)
    assert near.all(), f"{law}: found {np.asarray(found)[~near][:3]}, expected {np.asarray(expected)[~near][:3]}"
