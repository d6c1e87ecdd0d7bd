"""What is measured beyond accuracy, in a whole evaluation: chosen by name, or by what the data allow."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from segue.data.split.split import Held, split_by_time, split_files, split_last, split_random
from segue.domain.catalog import Item
from segue.domain.errors import DataError
from segue.domain.items import Items
from segue.domain.requests import Histories
from segue.engines.content import content_of, described
from segue.engines.engine import Key
from segue.engines.local import LocalEngine
from segue.engines.table import Table
from segue.measure.familiarity import Familiarity, familiarity
from segue.measure.leaderboard import leaderboard
from segue.measure.offline import Evaluation, evaluate
from segue.measure.settings import EvaluationSettings

from .fixed import Fixed, tastes

ITEMS = Items(["a", "b", "c", "d"])
CONTENT = content_of([Item(name, categories=(kind,)) for name, kind in zip("abcd", "xxyy", strict=True)])
KNOWN = Familiarity(np.array([4, 2, 1, 0]), people=4)
SHORT = EvaluationSettings(k=(2,), bootstrap=200)


def held(histories: list[list[int]], truth: list[list[int]]) -> Held:
    return Held(np.arange(len(truth), dtype=np.int32), Histories.of(histories), Histories.of(truth), None)


def asked(*metrics: str, **more: object) -> EvaluationSettings:
    return msgspec.structs.replace(SHORT, metrics=metrics, **more)


def values(found: Evaluation, model: int = 0) -> dict[str, float]:
    return {name: estimate.value for name, estimate in found.models[model].metrics.items()}


PEOPLE = held([[0], [0]], [[1, 3], [2]])
MODEL = {"popularity": Fixed.of(a=4, b=3, c=2, d=1)}


def test_values_worked_by_hand():
    """Both get b and c. Of a, b and c the head is a and b: 6 of the 7 pairs; popularity would have given b and c."""
    names = ("diversity", "miscalibration", "new_item_recall", "long_tail_recall", "serendipity", "popularity")
    settings = asked(*names, "popularity_lift", "gini")
    found = evaluate(MODEL, PEOPLE, ITEMS, settings, familiarity=KNOWN, content=CONTENT)
    half = math.log(1 / (0.99 * 0.5 + 0.01))
    assert values(found) == pytest.approx(
        {
            "diversity@2": 1,
            "miscalibration@2": half,
            "new_item_recall@2": 0,
            "long_tail_recall@2": (0 + 1) / 2,
            "serendipity@2": 0,
            "popularity@2": (2 / 4 + 1 / 4) / 2,
            "popularity_lift@2": (3 / 8) / 1 - 1,
            "gini@2": 0.5,
        }
    )
    assert found.models[0].metrics["new_item_recall@2"].people == 1


def test_what_is_measured_goes_by_what_there_is():
    plain = {"recall@2", "precision@2", "ndcg@2", "map@2", "mrr@2", "hit_rate@2", "coverage@2"}
    assert set(values(evaluate(MODEL, PEOPLE, ITEMS, SHORT))) == plain
    known = values(evaluate(MODEL, PEOPLE, ITEMS, asked(new_items="counted"), familiarity=KNOWN))
    assert set(known) == plain | {"novelty@2", "new_item_recall@2"}
    all_of_it = evaluate(MODEL, PEOPLE, ITEMS, SHORT, familiarity=KNOWN, content=CONTENT)
    assert set(values(all_of_it)) == plain | {"novelty@2", "diversity@2", "miscalibration@2"}
    assert "diversity@2" not in leaderboard(all_of_it).rows()[0]  # the table stays as wide as it was
    assert any(record["metric"] == "diversity@2" for record in leaderboard(all_of_it).records())


def test_what_was_asked_for_is_all_there_is_and_stands_in_the_table():
    found = evaluate(MODEL, PEOPLE, ITEMS, asked("gini", "diversity"), content=CONTENT)
    assert set(values(found)) == {"gini@2", "diversity@2"}
    board = leaderboard(found)
    assert board.by == "diversity@2"
    assert {"gini@2", "diversity@2"} <= set(board.rows()[0])


@pytest.mark.parametrize(
    ("metric", "words"), [("serendipity", "how many people know each item"), ("diversity", "go by categories")]
)
def test_what_the_data_do_not_allow_is_refused(metric, words):
    with pytest.raises(DataError, match=words):
        evaluate(MODEL, PEOPLE, ITEMS, asked(metric))


def test_a_value_that_some_people_lack_is_compared_over_the_others():
    """Two people have something to find in the tail; the other model finds it for both, popularity for one."""
    people = held([[0], [0], [0]], [[1], [2], [2, 3]])
    models = MODEL | {"other": Fixed.of(a=4, b=1, c=3, d=2)}
    found = evaluate(models, people, ITEMS, asked("long_tail_recall", "recall", k=(1,)), familiarity=KNOWN)
    gap = found.models[1].differences["long_tail_recall@1"]
    assert (gap.value, gap.people, found.models[1].differences["recall@1"].people) == (0.75, 2, None)
    assert gap.low is not None
    assert gap.low >= 0.5
    assert found.models[1].p_values["long_tail_recall@1"] == 0.5  # two people: of four signs two are as far


def test_nobody_with_a_value_is_no_number():
    found = evaluate(MODEL, held([[0]], [[1]]), ITEMS, asked("new_item_recall"), familiarity=KNOWN)
    assert math.isnan(values(found)["new_item_recall@2"])
    assert leaderboard(found).rows()
    assert b'"value":null' in msgspec.json.encode(found)


def test_a_lift_is_compared_by_ratios_of_the_same_people():
    people = held([[0], [1], [1, 2]], [[1], [2], [0]])
    models = MODEL | {"other": Fixed.of(a=1, b=2, c=3, d=4)}
    found = evaluate(models, people, ITEMS, asked("popularity_lift", k=(1,)), familiarity=KNOWN)
    own = (1 + 0.5 + 0.375) / 3
    lift, other = (values(found, model)["popularity_lift@1"] for model in (0, 1))
    assert lift == pytest.approx((0.5 + 1 + 1) / 3 / own - 1)
    assert other == pytest.approx(-1)
    gap = found.models[1].differences["popularity_lift@1"]
    assert gap.value == pytest.approx(other - lift)
    assert gap.low < gap.value < gap.high


def test_less_miscalibration_is_better():
    settings = asked("miscalibration", k=(1,), permutations=200)
    people = held([[0]] * 40, [[2]] * 40)
    models = {"popularity": Fixed.of(b=1, c=2), "other": Fixed.of(b=2, c=1)}
    board = leaderboard(evaluate(models, people, ITEMS, settings, content=CONTENT))
    assert board.rows()[0]["model"] == "other"
    assert "other beats popularity by 4.6052" in board.sentence()


def test_many_models_are_corrected_for_their_number():
    """A difference of three people in forty: enough for one comparison, not for twenty."""
    truth = [[1]] * 7 + [[2]] * 33
    better = Fixed.of(a=0, b=2, c=1)
    models = {"popularity": Fixed.of(c=0, a=1)} | {f"m{number}": better for number in range(20)}
    settings = asked("recall", k=(1,))
    alone = leaderboard(evaluate(dict(list(models.items())[:2]), held([[]] * 40, truth), ITEMS, settings))
    assert "m0 beats popularity" in alone.sentence()
    assert alone.corrected()["m0"] == pytest.approx(2 / 2**7, rel=0.5)
    many = leaderboard(evaluate(models, held([[]] * 40, truth), ITEMS, settings))
    every = ", ".join(sorted(f"m{number}" for number in range(20)))
    assert f"Not told apart from popularity: {every}." in many.sentence()
    assert "corrected for 20 (Holm)." in many.sentence()
    assert many.rows()[0]["p"] == pytest.approx(20 * 2 / 2**7, rel=0.5)
    record = next(each for each in many.records() if (each["model"], each["metric"]) == ("m0", "recall@1"))
    assert record["p"] == pytest.approx(many.rows()[0]["p"], rel=0.05)
    assert record["p"] == pytest.approx(20 * record["p_uncorrected"])


def test_many_models_are_told_by_what_is_said_of_them():
    models = {"popularity": Fixed.of(c=0, a=1, b=0.5), "even": Fixed.of(a=1, b=0.5)}
    models |= {f"better{number}": Fixed.of(b=2, c=1) for number in range(3)}
    models |= {f"worse{number}": Fixed.of(c=2) for number in range(2)}
    people = held([[]] * 80, [[1]] * 70 + [[0]] * 10)
    settings = asked("recall", k=(1,), permutations=2000)
    board = leaderboard(evaluate(models, people, ITEMS, settings))
    told = board.sentence()
    assert told.startswith("better0 leads with recall@1 0.8750. popularity is beaten by better0, better1, better2. ")
    assert "Not told apart from popularity: even. Behind popularity: worse0, worse1. " in told
    assert len(told) < 400


def test_the_short_table_has_what_was_asked_for_and_how_long_it_took():
    models = {"popularity": Fixed.of(c=0, a=1), "other": Fixed.of(b=2, c=1)}
    people = held([[]] * 40, [[1]] * 40)
    usual = leaderboard(evaluate(models, people, ITEMS, asked(k=(1,)), familiarity=KNOWN))
    brief = ["model", "recall@1", "ndcg@1", "against popularity", "fit_seconds"]
    assert list(usual.brief_rows()[0]) == brief
    assert set(brief) < set(usual.rows()[0])
    alone = leaderboard(evaluate({"other": models["other"]}, people, ITEMS, asked(k=(1,)), familiarity=KNOWN))
    assert list(alone.brief_rows()[0]) == ["model", "recall@1", "ndcg@1", "interval", "fit_seconds"]
    named = leaderboard(evaluate(models, people, ITEMS, asked("mrr", "hit_rate", k=(1,))), "mrr@1")
    assert [name for name in named.brief_rows()[0] if "@" in name] == [name for name in named.rows()[0] if "@" in name]
    unusual = leaderboard(evaluate(models, people, ITEMS, asked(k=(2,)), content=CONTENT), "diversity@2")
    sorted_by = ["model", "recall@2", "diversity@2", "against popularity", "fit_seconds"]
    assert list(unusual.brief_rows()[0]) == sorted_by
    assert {*sorted_by, "interval", "p"} < set(unusual.rows()[0])


def test_a_model_that_lists_nothing_says_why():
    models = {"popularity": Fixed.of(c=1, a=2), "again": Fixed.of(a=2)}
    people = held([[0]] * 40, [[1]] * 40)
    board = leaderboard(evaluate(models, people, ITEMS, asked("recall", k=(1,))))
    (note,) = board.notes()
    assert note.startswith("again: every list is empty, so nothing is found: what people had is left out")
    people = held([[0]] * 40, [[0]] * 40)
    ranked = leaderboard(evaluate(models, people, ITEMS, asked("recall", k=(1,), seen="ranked")))
    assert ranked.notes() == []


def test_the_sentence_says_what_these_people_show():
    table, _ = tastes(people=80)
    split = split_random(LocalEngine().prepare(table, Key.USER), 0.3, seed=1)
    models = {"popularity": Fixed(table.items, np.arange(len(table.items), dtype=np.float32) + 1)}
    models["other"] = Fixed(table.items, np.arange(len(table.items), 0, -1, dtype=np.float32))
    board = leaderboard(evaluate(models, split.test, table.items, EvaluationSettings(split="random", bootstrap=100)))
    smallest = board.evaluation.models[1].detectable[board.by]
    assert f"people show a difference of {smallest:.4f} 8 times in 10" in board.sentence()


def sold() -> Table:
    """Ann and bob know "x"; later ann finds "new", which the catalog describes, and "odd", which it does not."""
    table = Table.of(["ann", "bob", "bob", "ann", "ann", "bob"], ["x", "x", "y", "new", "odd", "x"])
    timed = table.table.set_column(4, "time", pa.array(np.arange(6), pa.int64()))
    catalog = {"new": Item("new", title="Lamp"), "x": Item("x", title="Chair")}
    return Table(timed, table.items, table.users, content=content_of(map(catalog.get, table.items.ids)))


def test_new_items_count_where_the_catalog_describes_them():
    prepared = LocalEngine().prepare(sold(), Key.USER)
    without = split_by_time(prepared, fraction=0.5)
    assert without.left_out == {"new item": 2}
    with pytest.raises(DataError, match="nobody is left to evaluate"):
        evaluate(MODEL, without.test, prepared.items, SHORT)
    counting = described(prepared.content)
    split = split_by_time(prepared, fraction=0.5, counting=counting)
    assert split.left_out == {"new item": 1}
    assert "items of the catalog count though nobody had them before" in split.description
    model = {"content": Fixed.of(new=2, x=1), "popularity": Fixed.of(x=2, y=1)}
    settings = msgspec.structs.replace(SHORT, new_items="counted", k=(1,))
    found = evaluate(model, split.test, prepared.items, settings, familiarity=familiarity(split.train))
    assert (values(found)["new_item_recall@1"], values(found, 1)["new_item_recall@1"]) == (1, 0)
    assert leaderboard(found).rows()[0]["model"] == "content"


def test_every_split_can_count_them():
    table = sold()
    prepared = LocalEngine().prepare(table, Key.USER)
    everything = np.ones(len(table.items), np.bool_)
    first = LocalEngine().prepare(Table(table.table.slice(0, 2), table.items, table.users), Key.USER)
    rest = LocalEngine().prepare(Table(table.table.slice(2), table.items, table.users), Key.USER)
    assert split_last(prepared, 1, counting=everything).left_out == {}
    assert split_random(prepared, 0.6, 1, counting=everything).left_out == {}
    assert split_files(first, rest, counting=everything).left_out == {}
    assert split_files(first, rest).left_out == {"new item": 3}
