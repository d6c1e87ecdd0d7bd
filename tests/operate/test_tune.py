"""Tuning looks for better settings without the test, goes on where it was, and survives what settings do."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pytest

from segue.data.lake.lease import lease
from segue.data.split.split import Split, split_last, split_random
from segue.domain.errors import BusyError, DataError, UnknownName
from segue.engines.engine import Dataset
from segue.engines.local import LocalEngine
from segue.learn.ease import LinearItems
from segue.learn.popularity import Popularity
from segue.learn.ranges import Choice
from segue.learn.repeats import Repeats
from segue.measure.settings import EvaluationSettings
from segue.operate.tune.result import Tuned
from segue.operate.tune.space import count
from segue.operate.tune.study import Study
from segue.operate.tune.tune import LEASE, METHODS, Candidate, tune
from segue.operate.tune.validation import validation
from tests.operate.tastes import (
    EACH,
    PEOPLE,
    SAID,
    Together,
    dataset,
    judges,
    rows,
    split,
    ticking,
    together,
    tuned,
)


def test_a_bad_declaration_is_bettered_and_a_winner_is_never_worse(tmp_path: Path) -> None:
    found = tuned(tmp_path, together(regularization=0.0, power=0.0), method="random")
    assert found.chosen is not None
    declared = next(trial for trial in found.trials if trial.number == 0)
    assert found.chosen.trial.value >= declared.value
    assert found.changes == found.chosen.trial.parameters
    assert [trial.number for trial in found.trials] == list(range(12))
    assert found.trials[1].parameters == {"power": 1.0, "regularization": 10.0}
    assert found.ended == "12 settings were tried"
    assert found.row("ndcg@5")["won"].startswith("power = ")


@pytest.mark.parametrize("method", METHODS)
def test_settings_are_counted_on_however_many_shares_they_were_tried(tmp_path: Path, method: str) -> None:
    found = tuned(tmp_path, method=method, most=9)
    assert count(found.trials) == 9
    assert len(found.trials) == 9 + (method == "halving")  # what is declared is looked at on a small share first
    assert found.ended == "9 settings were tried"
    fewer = tuned(tmp_path, method=method, most=4)  # the same study: what was tried is told as it is
    assert (fewer.trials, fewer.ended) == (found.trials, "9 settings were tried")


@pytest.mark.parametrize("method", ["halving", "random"])
def test_the_test_has_no_part_in_a_study(tmp_path: Path, method: str) -> None:
    """Whatever the test rows say: every draw, every value of every person and the winner are the same bytes."""
    studies = []
    for name, table in (("as it is", rows()), ("poisoned", poisoned(rows()))):
        found = tuned(tmp_path / name, judged=judges(table), method=method)
        studies.append((Path(found.study).name, Path(found.study).read_bytes(), found.chosen))
    assert studies[0] == studies[1]


def poisoned(table: pa.Table) -> pa.Table:
    """The same training rows; those of the last two days are of other people, items and weights."""
    late = np.flatnonzero(table["time"].to_numpy() >= np.sort(table["time"].to_numpy())[int(len(table) * 0.8)])
    assert len(late) == PEOPLE * EACH // 5
    mixed = np.random.default_rng(5).permutation(late)
    changed = table
    for name in ("user", "item"):
        values = table[name].to_numpy().copy()
        values[late] = values[mixed]
        changed = changed.set_column(changed.column_names.index(name), table.schema.field(name), pa.array(values))
    weights = table["weight"].to_numpy().copy()
    weights[late] = 1000.0
    return changed.set_column(3, table.schema.field("weight"), pa.array(weights))


RANDOM = EvaluationSettings(split="random", test_fraction=0.3)


class Untouchable:
    """A test that nobody may look at."""

    def __getattr__(self, name: str) -> None:
        raise AssertionError(f"the test was asked for its {name}")


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (split(), SAID),
        (split_last(dataset(), 1), EvaluationSettings(split="last", last=1)),
        (split_random(dataset(), 0.3), RANDOM),
    ],
    ids=["time", "last", "random"],
)
def test_only_rows_of_the_training_part_are_learned_from_or_judged_by(made: Split, said: EvaluationSettings) -> None:
    allowed = {tuple(row.values()) for row in rows_of(made.train)}
    blind = Split(made.train, Untouchable(), made.name, "", 0)  # type: ignore[arg-type]
    judged = validation(blind, said, metric="recall@5")
    assert len(judged.cuts) > 1
    for number, cut in enumerate(judged.cuts):
        learned = rows_of(judged.dataset(1.0, number))
        assert {tuple(row.values()) for row in learned} < allowed
        pairs = {(row["user"], row["item"]) for row in learned}
        meant = {(person, item) for person, item, *_ in allowed} - pairs
        truth = set(zip(np.repeat(cut.people, np.diff(cut.judged.truth.offsets)), cut.judged.truth.items, strict=True))
        assert truth
        assert truth <= meant
        histories = cut.judged.histories
        assert set(zip(np.repeat(cut.people, np.diff(histories.offsets)), histories.items, strict=True)) <= pairs


def test_the_window_of_validation_is_as_long_as_that_of_the_test() -> None:
    from segue.data.split.split import split_by_time

    made = split_by_time(dataset(), 2.0)
    judged = validation(made, EvaluationSettings(test_days=2.0), metric="ndcg@5")
    assert "the last 2 days" in judged.description
    longer = validation(made, EvaluationSettings(test_days=30.0), metric="ndcg@5")  # than all there is
    assert longer.description.startswith("the last 20% of the events are held back")


def rows_of(dataset: Dataset) -> list[dict[str, Any]]:
    return [row for part in dataset.partitions(1) for batch in part for row in batch.to_pylist()]


def test_shares_of_the_people_are_nested_and_the_same_in_all_cuts() -> None:
    judged = judges()
    last = len(judged.cuts) - 1
    people = [{row["user"] for row in rows_of(judged.dataset(share))} for share in (1 / 9, 1 / 3, 1.0)]
    assert people[0] < people[1] < people[2]
    assert {row["user"] for row in rows_of(judged.dataset(1 / 3, last))} == people[1]
    names = {judged.dataset(share, cut).fingerprint for share in (1 / 3, 1.0) for cut in (0, last)}
    assert len(names) == 4  # what an engine keeps by that name is of one cut


def test_where_enough_people_judge_there_is_one_cut() -> None:
    """And more only as long as there are too few."""
    few = validation(split(), SAID, people=7)
    assert len(few.cuts) == 1
    assert len(few.people) == len(few.cuts[0].judged.truth) == len(few.cuts[0].judged.histories) == 7
    assert few.people.tolist() == validation(split(), SAID, people=7).people.tolist()
    assert few.description == "the last 25% of the events are held back"
    counts = [len(validation(split_random(dataset(), 0.3), RANDOM, people=people).cuts) for people in (90, 91, 10_000)]
    assert counts == [1, 2, 5]


@pytest.mark.parametrize(
    ("made", "said"), [(split(), SAID), (split_random(dataset(), 0.3), RANDOM)], ids=["time", "random"]
)
def test_cuts_hold_back_in_parts_what_one_would_hold_back(made: Split, said: EvaluationSettings) -> None:
    whole, parts = (validation(made, said, people=people) for people in (90, 5_000))
    assert (len(whole.cuts), len(parts.cuts)) == (1, 5)
    kept = [{tuple(row.values()) for row in rows_of(parts.dataset(1.0, cut))} for cut in range(len(parts.cuts))]
    least = {tuple(row.values()) for row in rows_of(whole.dataset(1.0))}
    assert all(len(each) > len(least) for each in kept[:-1])
    assert set.intersection(*kept) == least
    assert set(whole.people.tolist()) <= set(parts.people.tolist())


def test_a_share_is_of_the_cuts_first_and_then_of_the_people(tmp_path: Path) -> None:
    judged = judges()
    assert len(judged.cuts) == 5
    learned: list[int] = []

    def fit(part: Dataset) -> LinearItems:
        learned.append(len({row["user"] for row in rows_of(part)}))
        return Together().fit(LocalEngine(threads=1), part)

    people = [len(judged.judge(fit, share)[0]) for share in (1.0, 1 / 3, 1 / 27)]
    assert learned[:7] == [PEOPLE] * 7
    assert learned[7] < PEOPLE
    assert people == [PEOPLE, len(set(judged.cuts[0].people) | set(judged.cuts[1].people)), len(judged.cuts[0].people)]
    assert people[2] < people[1]
    model = tuned(tmp_path, judged=judged, most=3)
    told = [model.learned_from(share) for share in (1.0, 1 / 3, 1 / 27)]
    assert told == ["100% of the people", "100% of the people, 2 of 5 cuts", "19% of the people"]


def test_what_was_last_before_is_cut_off_while_enough_is_left() -> None:
    judged = validation(split_last(dataset(), 1), EvaluationSettings(split="last"))
    assert [len(cut.rows.item) for cut in judged.cuts] == [PEOPLE * 8, PEOPLE * 7]
    assert judged.description.startswith(
        "each person's last item is held back, then what was last before it, in 2 cuts"
    )


def test_the_value_of_a_person_is_the_mean_over_the_cuts_that_judge_them() -> None:
    judged = judges()
    first = judged.cuts[0]
    fewer = dataclasses.replace(first, people=first.people[:30], judged=first.judged.part(0, 30))
    judged = dataclasses.replace(judged, cuts=(fewer, *judged.cuts[1:]))
    learner, engine = Together(), LocalEngine(threads=1)
    values, _ = judged.judge(lambda part: learner.fit(engine, part), 1.0)
    of = []
    for number, cut in enumerate(judged.cuts):
        found = judged.judge_cut(learner.fit(engine, judged.dataset(1.0, number)), number)
        of.append(dict(zip(cut.people.tolist(), found.tolist(), strict=True)))
    assert len(of[0]) == 30
    assert len(judged.people) == PEOPLE
    wanted = [np.mean([each[person] for each in of if person in each]) for person in judged.people.tolist()]
    np.testing.assert_allclose(values, wanted)


@pytest.mark.parametrize("method", METHODS)
def test_an_interrupted_study_goes_on_as_it_would_have(tmp_path: Path, method: str) -> None:
    """Cut off after any trial, and in the middle of a line: what follows is what would have followed."""
    study = Path(tuned(tmp_path / "whole", method=method).study)
    whole = study.read_bytes()
    lines = whole.splitlines(keepends=True)
    for kept, torn in ((1, b""), (7, lines[7][: len(lines[7]) // 2])):
        path = tmp_path / f"cut-{kept}" / "together" / study.name
        path.parent.mkdir(parents=True)
        path.write_bytes(b"".join(lines[:kept]) + torn)
        assert Path(tuned(path.parent.parent, method=method).study).read_bytes() == whole


def test_what_is_done_is_told_again_and_fresh_begins_anew(tmp_path: Path) -> None:
    first = tuned(tmp_path, most=5)
    written = Path(first.study).stat().st_mtime_ns
    assert tuned(tmp_path, most=5).trials == first.trials
    assert Path(first.study).stat().st_mtime_ns == written
    assert count(tuned(tmp_path, most=7).trials) == 7
    assert tuned(tmp_path, most=5, fresh=True).trials == first.trials


@pytest.mark.parametrize("other", [{"seed": 1}, {"candidate": together(power=0.5)}, {"judged": judges(rows(seed=1))}])
def test_another_question_is_another_study(tmp_path: Path, other: dict[str, object]) -> None:
    assert tuned(tmp_path, most=3).study != tuned(tmp_path, most=3, **other).study  # type: ignore[arg-type]


KILLED = """
import sys
from pathlib import Path
from tests.operate.tastes import Together, tuned
tuned(Path(sys.argv[1]), most=200, budget=1e6, method="random")
"""


@pytest.mark.slow
def test_a_kill_costs_at_most_one_trial(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path / "killed")], cwd=root)
    while not (lines := trials_in(tmp_path / "killed")) >= 5:
        assert process.poll() is None
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert trials_in(tmp_path / "killed") >= lines
    settings = {"most": 20, "budget": 1e6, "method": "random"}
    resumed = tuned(tmp_path / "killed", **settings)
    straight = tuned(tmp_path / "straight", **settings)
    told = [
        [(each.number, each.parameters, each.judged) for each in study.trials[:20]] for study in (resumed, straight)
    ]
    assert told[0] == told[1]


def trials_in(folder: Path) -> int:
    return sum(path.read_bytes().count(b"\n") - 1 for path in folder.glob("*/*.jsonl"))


class Moody(Together, frozen=True):
    """One that refuses large regularization, and cannot do with much power at all."""

    name: ClassVar[str] = "moody"

    def fit(self, engine, dataset, validate=None):
        if self.regularization > 100:
            raise DataError("a dense model needs about 900 GB", mend="set max_items = 10")
        if self.power > 1:
            raise ZeroDivisionError("division by zero")
        return super().fit(engine, dataset, validate)


def test_settings_that_a_learner_refuses_are_told_with_the_reason(tmp_path: Path) -> None:
    found = tuned(tmp_path, Candidate("moody", Moody(), together().ranges), method="random", most=20)
    reasons = {trial.failed for trial in found.trials}
    assert "a dense model needs about 900 GB → set max_items = 10" in {" ".join(each.split()) for each in reasons}
    assert "ZeroDivisionError: division by zero" in reasons
    assert found.chosen is not None
    assert not found.chosen.trial.failed
    assert found.row("ndcg@5")["failed"] == sum(bool(trial.failed) for trial in found.trials) > 0


def test_a_model_that_cannot_be_fitted_at_all_is_given_up(tmp_path: Path) -> None:
    found = tuned(tmp_path, Candidate("moody", Moody(power=1.5), {"power": Choice((1.1, 1.2, 1.3, 1.4, 1.6, 1.7))}))
    assert found.chosen is None
    assert found.ended == "all 5 trials failed"


def test_where_every_list_is_empty_it_is_said_and_the_search_stops(tmp_path: Path) -> None:
    """Repeats say nothing of what somebody never had, and what they had is left out."""
    repeats = Candidate("repeats", Repeats(), Repeats.ranges)
    found = tuned(tmp_path, repeats, most=40)
    assert found.chosen is None
    assert found.ended == "all 5 trials failed"
    assert all("every list is empty" in trial.failed for trial in found.trials)
    said = Tuned((found,), "ndcg@5", 90, "held back", None, {}).sentences()[0]
    assert 'seen = "ranked"' in said


def test_the_budget_is_kept_and_shared(tmp_path: Path) -> None:
    """A trial takes a second of the ticking clock, and each look at it another: 60 are spent on two models alike."""
    two = [together(), Candidate("other", together(power=0.3).learner, together().ranges)]
    found = tune(two, judges(), LocalEngine(threads=1), tmp_path, budget=60, clock=ticking(), method="random")
    assert all("the time was over" in each.ended for each in found)
    made = [len(each.trials) for each in found]
    assert abs(made[0] - made[1]) <= 1
    assert 15 <= sum(each.seconds for each in found) <= 60


def test_a_trial_that_takes_too_long_is_abandoned(tmp_path: Path) -> None:
    class Slow(Together, frozen=True):
        name: ClassVar[str] = "slow"

        def fit(self, engine, dataset, validate=None):
            while True:
                time.sleep(0.001)

    candidate = Candidate("slow", Slow(), together().ranges)
    (found,) = tune([candidate], judges(), LocalEngine(), tmp_path, budget=0.5)
    assert [trial.failed[:15] for trial in found.trials] == ["abandoned after"]
    assert found.chosen is None


def test_without_ranges_a_model_is_fitted_once_to_compare_with(tmp_path: Path) -> None:
    models = [Candidate("popularity", Popularity(), {}), together()]
    popular, tuned_one = tune(models, judges(), LocalEngine(), tmp_path, budget=1000, most=4, clock=ticking())
    assert {trial.number for trial in popular.trials} == {0}
    assert (popular.ended, popular.changes, count(tuned_one.trials)) == ("nothing to vary", {}, 4)


def test_a_small_space_is_tried_out(tmp_path: Path) -> None:
    candidate = Candidate("together", Together(), {"regularization": Choice((10.0, 30.0, 300.0))})
    found = tuned(tmp_path, candidate, method="random", most=50)
    assert sorted(trial.parameters["regularization"] for trial in found.trials) == [10.0, 30.0, 300.0]
    assert found.ended == "every setting was tried"


def test_two_cannot_tune_one_model_at_once(tmp_path: Path) -> None:
    with lease(tmp_path / "together" / LEASE, "tuning it"), pytest.raises(BusyError):
        tuned(tmp_path)


def test_a_study_with_a_damaged_line_is_refused_with_its_line(tmp_path: Path) -> None:
    path = Path(tuned(tmp_path, most=4).study)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[1] + b"{nothing}\n" + lines[2])
    with pytest.raises(DataError) as refused:
        tuned(tmp_path, most=4)
    assert str(refused.value.where).endswith(".jsonl:3")
    assert json.loads(lines[0])["learner"] == "together"
    assert Study.opened(tmp_path / "together", json.loads(lines[0]), fresh=True).trials == []


def test_an_unknown_metric_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="did you mean 'ndcg@7'"):
        validation(split(), SAID, metric="ndgc@7")
    with pytest.raises(UnknownName):
        validation(split(), SAID, metric="ndcg@0")
