"""Blends: sums of what their models say, weighed by what people who were held back did."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from segue.data.interactions import NO_ORDER
from segue.domain.errors import DeclarationError, MissingColumn, ModelError, SegueError, UnknownName
from segue.domain.items import Items
from segue.domain.requests import NO_TIME, Histories, Requests
from segue.engines.local import LocalEngine, Table
from segue.learn.blend import Blend, _likeliest
from segue.learn.blended import RANKED, SOFTENED, BlendedItems
from segue.learn.ease import EASE, LinearItems
from segue.learn.item_knn import ItemKNN
from segue.learn.learner import learner, load_model, save_model
from segue.learn.popularity import Popularity
from segue.project import Project
from segue.testing.datasets import hard, mixed, table
from segue.testing.recommender import check_recommender

EVEN = np.ones((1, 2))
NO_BOUNDS = np.empty(0, np.int64)


def fitted(dataset: Table) -> list[BlendedItems]:
    models = [EASE().fit(LocalEngine(), dataset), Popularity().fit(LocalEngine(), dataset)]
    return [BlendedItems.of(models, ["ease", "popularity"], NO_BOUNDS, EVEN, fusion) for fusion in ("scores", "ranks")]


def linear(ids: str, weight: float) -> LinearItems:
    """Every item says `weight` of every other."""
    weights = (weight * (1 - np.eye(len(ids)))).astype(np.float32)
    return LinearItems(Items(list(ids)), np.arange(len(ids), dtype=np.int32), weights)


def two_worlds(people: int = 700, seed: int = 3) -> Table:
    """People with few items follow the crowd, people with many stay in the camp that they are of."""
    random = np.random.default_rng(seed)
    users, items = [], []
    for person in range(people):
        few = person % 2 == 0
        camp = 20 * (person % 4 // 2) + 10
        crowd = random.choice(10, 6, replace=False, p=np.arange(10, 0, -1) / 55)
        own = camp + random.choice(20, 15, replace=False)
        chosen = crowd if few else own
        users += [person] * len(chosen)
        items += chosen.tolist()
    return table(np.array(users), np.array(items), people, [f"i{code:02d}" for code in range(50)])


def test_scores_are_the_weighted_sum_of_what_each_model_says_over_its_length() -> None:
    blend, _ = fitted(mixed())
    requests = Requests(Histories.of([[0, 3], [], [5]]))
    expected = np.zeros((3, len(blend.items)))
    for model in blend.models:
        said = model.scores(requests).astype(np.float64)
        lengths = np.linalg.norm(said, axis=1, keepdims=True)
        expected += np.divide(said, lengths, out=np.zeros_like(said), where=lengths > 0)
    np.testing.assert_allclose(blend.scores(requests), expected, rtol=1e-5, atol=1e-6)


def test_ranks_are_summed_as_reciprocal_rank_fusion_has_it() -> None:
    _, blend = fitted(mixed())
    requests = Requests(Histories.of([[0, 3]]))
    expected = np.zeros(len(blend.items))
    for model in blend.models:
        said = model.scores(requests)[0]
        order = [item for item in np.lexsort((np.arange(len(said)), -said)) if said[item] != 0][:RANKED]
        expected[order] += 1 / (SOFTENED + 1 + np.arange(len(order)))
    np.testing.assert_allclose(blend.scores(requests)[0], expected, rtol=1e-5)


@pytest.mark.parametrize("fusion", ["scores", "ranks"])
def test_models_of_different_catalogs_blend_over_the_items_of_both(fusion: str) -> None:
    models = [linear("abc", 1.0), linear("bcd", 2.0)]
    blend = BlendedItems.of(models, ["one", "two"], NO_BOUNDS, EVEN, fusion)
    assert blend.items.ids == ("a", "b", "c", "d")
    scores = blend.scores(Requests(Histories.of([[0], [1], [3]])))
    assert scores[0, 3] == 0, "nobody knows both a and d"
    assert scores[1, 2] > scores[1, 0] > 0, "c follows from b in both, a in one"
    assert scores[2, 0] == 0
    check_recommender(blend)


def test_reasons_of_scores_are_exact_and_name_the_items_of_the_history() -> None:
    blend, ranked = fitted(mixed())
    request = Requests(Histories.of([[2, 7]]))
    found, scores = blend.top(request, 3)
    for reasons, score in zip(blend.reasons(request, found[0]), scores[0].tolist(), strict=True):
        assert reasons.exact
        assert sum(part.score for part in reasons.contributions) == pytest.approx(score, rel=1e-4)
        assert {part.item for part in reasons.contributions} <= {2, 7, None}
    assert not any(reasons.exact for reasons in ranked.reasons(request, found[0]))


def test_a_model_that_knows_nothing_of_what_people_do_weighs_nothing() -> None:
    dataset = two_worlds()
    parts = ("item_knn", {"learner": "popularity", "weighting": "none"})
    model = Blend(parts=parts, segments=1).fit(LocalEngine(), dataset)
    assert model.weights[0, 0] > 0
    random = np.random.default_rng(0)
    noise = table(random.integers(0, 400, 6000), random.integers(0, 40, 6000), 400, [str(code) for code in range(40)])
    assert np.isfinite(Blend(parts=parts).fit(LocalEngine(), noise).weights).all()


@pytest.mark.slow
def test_each_segment_of_activity_has_weights_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segue.learn.blend._unless_better", lambda examples, weights, others: weights)
    parts = ({"learner": "item_knn", "k": 5, "shrinkage": 0}, "popularity")
    model = Blend(parts=parts, segments=2, validation="random").fit(LocalEngine(), two_worlds(1400))
    assert len(model.bounds) == 1
    crowd, camps = model.weights / model.weights.sum(axis=1, keepdims=True)
    assert crowd[1] > camps[1], "popularity counts more for those with few items, who follow the crowd"
    assert len(Blend(parts=parts, segments=2).fit(LocalEngine(), two_worlds(300)).bounds) == 0, "too few people"


def test_weights_are_the_likeliest_of_what_was_right() -> None:
    random = np.random.default_rng(5)
    examples = []
    for _ in range(400):
        said = random.normal(size=(20, 3))
        chances = np.exp(said @ [2.0, 0.5, 0.0])
        examples.append((said, np.arange(20) == random.choice(20, p=chances / chances.sum())))
    np.testing.assert_allclose(_likeliest(examples, None), [2.0, 0.5, 0.0], atol=0.25)
    turned = [(-said, right) for said, right in examples]
    assert (_likeliest(turned, None)[:2] < 0.1).all(), "none is negative"


def test_a_person_of_a_segment_is_scored_by_its_weights() -> None:
    models = [linear("abcd", 1.0), linear("abcd", -1.0)]
    weights = np.array([[1.0, 0.0], [0.0, 1.0]])
    blend = BlendedItems.of(models, ["one", "two"], np.array([2]), weights, "scores")
    few, many = blend.scores(Requests(Histories.of([[0], [0, 1]])))
    assert few[3] > 0 > many[3]


def test_a_blend_is_personal_where_a_model_is_or_its_weights_go_by_the_history() -> None:
    crowd = Blend(parts=("popularity", "popularity")).fit(LocalEngine(), mixed())
    assert not crowd.personal
    check_recommender(crowd)
    assert Blend(parts=("popularity", "ease")).fit(LocalEngine(), mixed()).personal
    weights = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert BlendedItems.of(crowd.models, crowd.titles, np.array([2]), weights, "scores").personal


@pytest.mark.slow
def test_the_same_whoever_is_asked_and_however_often() -> None:
    first, second = (Blend(parts=("ease", "popularity")).fit(LocalEngine(), two_worlds()) for _ in range(2))
    np.testing.assert_array_equal(first.weights, second.weights)
    np.testing.assert_array_equal(first.bounds, second.bounds)


@pytest.mark.parametrize("name", sorted(hard()))
def test_hard_data_give_a_finite_blend(name: str) -> None:
    model = Blend(parts=("ease", "popularity")).fit(LocalEngine(), hard()[name])
    assert np.isfinite(model.scores(Requests(Histories.of([[0], []])))).all()


def test_a_blend_is_saved_with_its_models_and_read_again(tmp_path: Path) -> None:
    model = Blend(parts=("ease", "popularity")).fit(LocalEngine(), mixed())
    manifest = save_model(model, tmp_path / "blend", {})
    assert {"0/weights.npy", "1/weights.npy", "weights.npy"} <= set(manifest["files"])
    again, requests = load_model(tmp_path / "blend"), Requests(Histories.of([[1, 2]]))
    np.testing.assert_array_equal(again.scores(requests), model.scores(requests))
    assert again.nbytes == model.nbytes


def test_parts_are_named_or_told_with_their_parameters() -> None:
    made = learner("blend", {"parts": ["ease", {"learner": "item_knn", "k": 3}]})
    model = made.fit(LocalEngine(), mixed())
    assert model.models[1].neighbours.shape[1] == 3
    assert model.titles == ("ease", "item_knn")


def test_a_part_that_cannot_be_is_refused_by_name() -> None:
    with pytest.raises(UnknownName, match="eas"):
        Blend(parts=("eas",)).fit(LocalEngine(), mixed())
    with pytest.raises(DeclarationError, match="does not say its learner"):
        Blend(parts=({"k": 3},)).fit(LocalEngine(), mixed())


def test_knn_of_the_same_data_is_what_the_blend_of_it_alone_ranks_by() -> None:
    alone = ItemKNN().fit(LocalEngine(), mixed())
    blend = Blend(parts=("item_knn",)).fit(LocalEngine(), mixed())
    requests = Requests(Histories.of([[0, 3], [5]]))
    np.testing.assert_array_equal(alone.top(requests, 10)[0], blend.top(requests, 10)[0])


def test_a_declared_model_that_is_a_part_brings_its_parameters(tmp_path: Path) -> None:
    declared = """
[workspace]
name = "shop"
[models.near]
learner = "item_knn"
k = 3
[models.best]
learner = "blend"
parts = ["near", "popularity"]
[models.round]
learner = "blend"
parts = ["best", "round"]
"""
    (tmp_path / "segue.toml").write_text(declared)
    project = Project.open(tmp_path)
    assert project.learner("best") == Blend(parts=({"learner": "item_knn", "k": 3}, "popularity"))
    with pytest.raises(DeclarationError, match="'round' is part of itself"):
        project.learner("round")


def test_a_part_of_no_name_is_told_the_models_that_are_declared_too(tmp_path: Path) -> None:
    models = '[models.nearest]\nlearner = "item_knn"\n[models.best]\nlearner = "blend"\nparts = ["neares", "ease"]\n'
    (tmp_path / "segue.toml").write_text(f'[workspace]\nname = "shop"\n{models}')
    with pytest.raises(
        UnknownName, match=r"(?s)models\.best.*no model or learner is called 'neares'.*'nearest'.*ease, "
    ) as told:
        Project.open(tmp_path).learner("best")
    assert "best" not in told.value.mend.partition("known: ")[2].split(", ")


@pytest.mark.parametrize(
    ("parts", "error", "told"),
    [
        (["ease"], DeclarationError, r"a blend has two parts or more, found only 'ease'\n.*parts = \[\"ease\", \"pop"),
        ([], DeclarationError, "a blend has two parts or more, found none"),
        ("ease", DeclarationError, r"parts are a list of learners, found 'ease'\n.*say parts = \["),
        (["ease", 3], DeclarationError, r"part 2 is 3, which is neither a name nor a table\n.*\{learner = \"ease\""),
        ([["ease"], "ease"], DeclarationError, r"part 1 is \['ease'\], which is neither"),
        (["ease", {"k": 3}], DeclarationError, "part 2 does not say its learner: {'k': 3}"),
        (["ease", {"learner": 3}], DeclarationError, "part 2 says learner = 3, which is no name"),
        (["ease", {"learner": "eas"}], UnknownName, r"part 2 \(eas\): no learner is called 'eas'\n.*mean 'ease'"),
        (["ease", {"learner": "item_knn", "k": "x"}], DeclarationError, r"part 2 \(item_knn\): k: .*found 'x'"),
        (["ease", {"learner": "blend", "parts": ["ease"]}], DeclarationError, r"part 2 \(blend\): a blend has two"),
    ],
)
def test_parts_that_make_no_blend_are_refused_as_they_are_read(parts: Any, error: type[SegueError], told: str) -> None:
    with pytest.raises(error, match=f"^learner blend: {told}"):
        learner("blend", {"parts": parts})


def test_holding_the_last_item_back_needs_an_order() -> None:
    shuffled = mixed()
    nowhere = pa.array(np.full(shuffled.rows, NO_ORDER, np.int64))
    never = pa.array(np.full(shuffled.rows, NO_TIME, np.int64))
    columns = shuffled.table.set_column(shuffled.table.column_names.index("order"), "order", nowhere)
    columns = columns.set_column(columns.column_names.index("time"), "time", never)
    dataset = Table(columns, shuffled.items, shuffled.users, shuffled.types)
    with pytest.raises(MissingColumn, match="order"):
        Blend(validation="last").fit(LocalEngine(), dataset)


def test_a_blend_of_a_learner_that_is_not_there_is_a_model_that_cannot_be_read(tmp_path: Path) -> None:
    fitted(mixed())[0].save(tmp_path)
    told = tmp_path / "model.json"
    told.write_text(told.read_text().replace('"ease"', '"gone"', 1))
    with pytest.raises(ModelError, match="gone"):
        BlendedItems.load(tmp_path, mixed().items.canonical()[0])


@pytest.mark.parametrize("weight", [1e-44, 1e-38, 1.0, 3e38])
def test_scores_of_any_size_are_brought_to_the_same_length(weight: float) -> None:
    blend = BlendedItems.of([linear("abc", weight)], ["linear"], NO_BOUNDS, np.ones((1, 1)), "scores")
    scores = blend.scores(Requests(Histories.of([[0], []])))
    np.testing.assert_allclose(scores, [[0, 0.5**0.5, 0.5**0.5], [0, 0, 0]], rtol=1e-6)


@pytest.mark.slow
def test_a_part_that_makes_better_lists_alone_stands_alone() -> None:
    parts = ({"learner": "item_knn", "k": 5, "shrinkage": 0}, "popularity")
    model = Blend(parts=parts, segments=1, validation="random").fit(LocalEngine(), two_worlds(1400))
    assert model.weights.tolist() == [[1.0, 0.0]]


def test_weights_are_fitted_on_what_was_last_where_there_is_an_order() -> None:
    ordered = mixed()
    auto, last, random = (
        Blend(parts=("markov", "popularity"), validation=how).fit(LocalEngine(), ordered).weights
        for how in ("auto", "last", "random")
    )
    assert np.array_equal(auto, last)
    assert not np.array_equal(auto, random)
