"""An evaluation: values worked by hand, intervals, pairs, and real learners on people with tastes."""

from __future__ import annotations

import json

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from segue.data.split.split import Held, split_by_time, split_random
from segue.domain.errors import UnknownName
from segue.domain.items import Items
from segue.domain.requests import Histories
from segue.engines.engine import Key
from segue.engines.local import LocalEngine
from segue.engines.table import Table
from segue.learn.ease import EASE
from segue.learn.popularity import Popularity
from segue.measure.familiarity import Familiarity, familiarity
from segue.measure.leaderboard import leaderboard
from segue.measure.offline import Evaluation, evaluate
from segue.measure.settings import EvaluationSettings

from .fixed import Fixed, tastes

ITEMS = Items(["a", "b", "c", "d"])
SHORT = EvaluationSettings(k=(1, 2), bootstrap=200)


def held(histories: list[list[int]], truth: list[list[int]]) -> Held:
    return Held(np.arange(len(truth), dtype=np.int32), Histories.of(histories), Histories.of(truth), None)


def values(evaluation: Evaluation, model: int = 0) -> dict[str, float]:
    return {name: estimate.value for name, estimate in evaluation.models[model].metrics.items()}


def test_values_worked_by_hand():
    """Model says a b c d. Person 1 has a and finds b (rank 1 once a is excluded); person 2 finds d, at rank 4."""
    people = held([[0], []], [[1, 1], [3]])
    known = Familiarity(np.array([4, 2, 1, 1]), people=4)
    found = evaluate({"popularity": Fixed.of(a=4, b=3, c=2, d=1)}, people, ITEMS, SHORT, familiarity=known)
    assert values(found) == pytest.approx(
        {
            "recall@1": 0.5,
            "precision@1": 0.5,
            "ndcg@1": 0.5,
            "map@1": 0.5,
            "mrr@1": 0.5,
            "hit_rate@1": 0.5,
            "recall@2": 0.5,
            "precision@2": 0.25,
            "ndcg@2": 0.5,
            "map@2": 0.5,
            "mrr@2": 0.5,
            "hit_rate@2": 0.5,
            "novelty@1": (1 + 0) / 2,  # b is known to 2 of 4, a to all
            "novelty@2": ((1 + 2) / 2 + (0 + 1) / 2) / 2,
            "coverage@1": 2 / 4,
            "coverage@2": 3 / 4,
        }
    )
    assert (found.people, found.items, found.repeats, found.without_truth) == (2, 4, 0, 0)


def test_a_repeat_is_nothing_to_find_unless_it_may_be_listed():
    people = held([[0], [0]], [[0], [0, 1]])
    model = {"popularity": Fixed.of(a=4, b=3, c=2, d=1)}
    excluded = evaluate(model, people, ITEMS, SHORT)
    assert (excluded.people, excluded.without_truth, excluded.repeats) == (1, 1, 2)
    assert values(excluded)["recall@1"] == 1
    ranked = evaluate(model, people, ITEMS, msgspec.structs.replace(SHORT, seen="ranked"))
    assert (ranked.people, ranked.without_truth, ranked.repeats) == (2, 0, 0)
    assert values(ranked)["recall@1"] == pytest.approx((1 + 1 / 2) / 2)


def test_an_item_that_the_model_never_met_is_a_miss():
    found = evaluate({"popularity": Fixed.of(a=4, b=3)}, held([[]], [[0, 3]]), ITEMS, SHORT)
    assert values(found)["recall@2"] == 0.5


def test_the_same_model_twice_differs_by_nothing():
    people = held([[], [], []], [[0], [1], [2]])
    models = {"popularity": Fixed.of(a=4, b=3, c=2, d=1), "twin": Fixed.of(a=4, b=3, c=2, d=1)}
    found = evaluate(models, people, ITEMS, SHORT)
    assert found.baseline == "popularity"
    assert found.models[0].differences == {}
    for gap in found.models[1].differences.values():
        assert (gap.value, gap.low, gap.high) == (0, 0, 0)


def test_without_the_baseline_there_is_nothing_to_compare_with():
    found = evaluate({"mine": Fixed.of(a=1)}, held([[]], [[0]]), ITEMS, SHORT)
    assert found.baseline is None
    assert found.models[0].differences == {}
    assert "against" not in " ".join(leaderboard(found).rows()[0])
    assert evaluate({}, held([[]], [[0]]), ITEMS, SHORT).models == ()


@pytest.fixture(scope="module")
def learned() -> Evaluation:
    table, _ = tastes()
    engine = LocalEngine()
    split = split_random(engine.prepare(table, Key.USER), 0.3, seed=1)
    models = {
        "popularity": Popularity().fit(engine, split.train),
        "ease": EASE(regularization=5).fit(engine, split.train),
    }
    known = familiarity(engine.prepare(split.train, Key.USER))
    settings = EvaluationSettings(split="random", bootstrap=300)
    return evaluate(
        models, split.test, table.items, settings, split=split, familiarity=known, fit_seconds={"ease": 0.5}
    )


def test_a_model_that_learns_tastes_beats_popularity(learned):
    ease = next(model for model in learned.models if model.model == "ease")
    for name in ("ndcg@10", "recall@10", "map@10", "hit_rate@5"):
        assert ease.differences[name].low > 0, name
    assert ease.metrics["coverage@10"].value > learned.models[0].metrics["coverage@10"].value
    assert ease.metrics["novelty@10"].value > learned.models[0].metrics["novelty@10"].value
    assert (ease.fit_seconds, learned.models[0].fit_seconds) == (0.5, None)
    assert ease.bytes > 0


def test_the_leaderboard_is_best_first_in_plain_data(learned):
    board = leaderboard(learned)
    rows = board.rows()
    assert board.by == "ndcg@10"
    assert [row["model"] for row in rows] == ["ease", "popularity"]
    assert {"ndcg@10", "recall@10", "coverage@10", "novelty@10", "interval", "against popularity"} <= set(rows[0])
    assert not any(name.endswith("@5") for name in rows[0])
    assert rows[1]["against popularity"] == ""
    assert " to " in rows[0]["against popularity"]
    assert "ease beats popularity by" in board.sentence()
    assert "all 60 items ranked, own history excluded, split: random" in board.title
    assert "\n30% of each person's items are held back, drawn with seed 1" in board.title


def test_what_the_split_drops_is_said_and_in_the_plain_data():
    """Ann and bob know "x"; later ann finds "y", bob finds "new", and eve comes: two of three later events are lost."""
    table = Table.of(["ann", "bob", "bob", "ann", "bob", "eve"], ["x", "x", "y", "y", "new", "x"])
    timed = table.table.set_column(4, "time", pa.array(np.arange(6), pa.int64()))
    split = split_by_time(LocalEngine().prepare(Table(timed, table.items, table.users), Key.USER), fraction=0.5)
    models = {"popularity": Popularity().fit(LocalEngine(), split.train)}
    board = leaderboard(evaluate(models, split.test, table.items, SHORT, split=split))
    plain = json.loads(msgspec.json.encode(board.evaluation))
    assert plain["split"] == {
        "description": "the last 50% of the events are held back",
        "test_rows": 3,
        "left_out": {"new person": 1, "new item": 1},
    }
    assert board.title.endswith("; 2 of these 3 events judge nobody (new person: 1, new item: 1)")


def test_who_did_nothing_new_is_said():
    found = evaluate({"popularity": Fixed.of(a=1)}, held([[0], [0]], [[0], [0, 1]]), ITEMS, SHORT)
    assert leaderboard(found).title.endswith("over people\n1 more people did nothing new")


def test_records_hold_every_interval(learned):
    records = leaderboard(learned, "recall@5").records()
    assert len(records) == 2 * (6 * 3 + 3 + 3)
    recall = next(row for row in records if (row["model"], row["metric"]) == ("ease", "recall@5"))
    assert recall["low"] < recall["value"] < recall["high"]
    assert recall["difference_low"] < recall["difference"] < recall["difference_high"]
    coverage = next(row for row in records if row["metric"] == "coverage@5")
    assert (coverage["low"], coverage["difference"]) == (None, None)
    msgspec.json.encode([*records, learned])


def test_a_metric_that_was_not_measured_is_refused_with_the_nearest(learned):
    with pytest.raises(UnknownName, match="did you mean 'ndcg@10'"):
        leaderboard(learned, "ndgc@10")


@pytest.mark.parametrize(
    ("scores", "words"),
    [({"a": 9.0}, "other is behind popularity"), ({"b": 9.0}, "other is not told apart from popularity: +0.0000")],
)
def test_the_sentence_does_not_flatter(scores, words):
    truth = [[1] for _ in range(50)]
    popularity = Fixed.of(a=1, b=2)
    other = Fixed.of(**({"a": 0, "b": 0} | scores))
    found = evaluate({"popularity": popularity, "other": other}, held([[] for _ in truth], truth), ITEMS, SHORT)
    assert words in leaderboard(found, "recall@1").sentence()


def test_one_person_is_too_few_for_an_interval():
    models = {"popularity": Fixed.of(a=1, b=2), "other": Fixed.of(a=2, b=1)}
    board = leaderboard(evaluate(models, held([[]], [[0]]), ITEMS, SHORT))
    assert "too few people for an interval" in board.sentence()
    assert board.rows()[0]["interval"] == ""


def test_progress_names_each_model():
    said = []
    models = {"popularity": Fixed.of(a=1), "other": Fixed.of(a=2)}
    evaluate(models, held([[]], [[0]]), ITEMS, SHORT, progress=lambda what, done: said.append((what, done)))
    assert said == [("ranking: popularity", 0.5), ("ranking: other", 1.0)]
