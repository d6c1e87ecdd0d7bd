"""The parts of tuning, each by itself: ranges, draws, prediction, halving, the choice, effects, and writing it down."""

from __future__ import annotations

import itertools
import signal
import sys
import tomllib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.domain.errors import DataError, DeclarationError, MissingExtra, UnknownName
from segue.learn.ease import EASE
from segue.learn.learner import Learner, learner, learners
from segue.learn.popularity import Popularity
from segue.learn.ranges import Choice, Range, Real, Whole
from segue.operate.tune.abandon import OutOfTime, within
from segue.operate.tune.choose import as_good, chosen, out_of_bag_gain
from segue.operate.tune.cost import predicted
from segue.operate.tune.cuts import covers
from segue.operate.tune.effects import effects
from segue.operate.tune.result import Tuned, TunedModel
from segue.operate.tune.search import SHARES, Halving, Job, RandomSearch
from segue.operate.tune.settings import Between
from segue.operate.tune.space import DEFAULTS, Space, place, readable
from segue.operate.tune.study import Trial, packed, unpacked
from segue.operate.tune.tpe import OptunaSearch
from segue.operate.tune.tune import refuse_method
from segue.operate.tune.varied import changed, ranges_of
from segue.operate.tune.write import edited, write

NOW = datetime(2026, 11, 21, tzinfo=UTC)
RANGES: dict[str, Range] = {"dropout": Real(0, 0.8), "regularization": Real(1, 1000, log=True)}


def trial(number: int, value: float, share: float = 1.0, seconds: float = 1.0, **said: Any) -> Trial:
    """A trial of EASE on four people."""
    parameters = said.pop("parameters", None) or Space(EASE(), RANGES).setting(number)
    return Trial(number, share, parameters, packed(np.full(4, value)), value, seconds, **said)


# ranges and draws


def test_the_declaration_narrows_widens_adds_and_keeps() -> None:
    said = {"regularization": Between(5, 50, log=True), "min_people": Between(1, 9), "dropout": (0.25,)}
    assert ranges_of(EASE(), said, "t") == {
        "min_people": Whole(1, 9),
        "regularization": Real(5.0, 50.0, log=True),
    }
    assert ranges_of(Popularity(), {"half_life_days": (7, 30)}, "t") == {"half_life_days": Choice((7, 30))}
    assert ranges_of(EASE(), {}, "t") == dict(sorted(EASE.ranges.items()))


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"regularisation": (1,)}, "did you mean 'regularization'"),
        ({"seed": (1, 2)}, "no parameter of ease is called 'seed'"),
        ({"dropout": Between(0, 1.5)}, "< 1"),
        ({"dropout": Between(0, 0.5, log=True)}, "above 0"),
        ({"dropout": Between(0.5, 0.5)}, "low < high"),
        ({"dropout": Between(float("nan"), 0.5)}, "low < high"),
        ({"dropout": ()}, "at least one value"),
        ({"min_people": ("two",)}, "Expected `int`"),
    ],
)
def test_names_and_values_that_cannot_be_are_refused(said: dict[str, Any], words: str) -> None:
    with pytest.raises((DeclarationError, UnknownName), match=words) as refused:
        ranges_of(EASE(), said, "segue.toml [tuning.ease]")
    assert str(refused.value).startswith("segue.toml [tuning.ease]")


@pytest.mark.parametrize("name", sorted(learners()))
def test_whatever_is_drawn_from_the_ranges_of_a_learner_is_a_learner(name: str) -> None:
    kind = learners()[name]
    try:
        declared = learner(name, {})
    except DeclarationError:
        return  # it cannot do without parameters of its own
    space = Space(declared, kind.ranges)
    for number in range(2, 40):
        setting = space.setting(number)
        assert space.with_setting(setting) is not None
        assert all(place(kind.ranges[each], setting[each]) is not None for each in setting)


@given(st.floats(1e-6, 1e6), st.floats(1.001, 1e6), st.booleans(), st.floats(0, 1))
def test_a_readable_number_is_in_its_range_and_near_its_place(low: float, times: float, log: bool, at: float) -> None:
    each = Real(low, low * times, log)
    value = readable(each.at(at), each)
    assert each.low <= value <= each.high
    assert value == pytest.approx(each.at(at), rel=0.006)
    assert place(each, value) is not None


@given(st.integers(-50, 50), st.integers(1, 60), st.floats(0, 1))
def test_the_place_of_a_whole_number_is_inside(low: int, width: int, at: float) -> None:
    each = Whole(low, low + width)
    found = place(each, each.at(at))
    assert found is not None
    assert 0 <= found <= 1


def test_a_draw_depends_on_seed_and_number_alone() -> None:
    settings = [Space(EASE(), RANGES, seed).setting(number) for seed in (0, 1) for number in (2, 3)]
    assert len({str(each) for each in settings}) == 4
    assert Space(EASE(regularization=5), RANGES).setting(3) == settings[1]
    narrowed = {**RANGES, "dropout": Real(0, 0.1)}
    assert Space(EASE(), narrowed).setting(3)["regularization"] == settings[1]["regularization"]
    assert changed(EASE(min_people=7), settings[0]).min_people == 7


def test_a_parameter_without_a_default_keeps_what_is_declared() -> None:
    class Demanding(Learner, frozen=True):
        """A learner of which something has to be said."""

        power: float
        steps: tuple[int, ...] = msgspec.field(default_factory=lambda: (1, 2))

    ranges: dict[str, Range] = {"power": Real(0, 1), "steps": Choice(((1, 2), (3,)))}
    space = Space(Demanding(power=0.25, steps=(3,)), ranges)
    assert space.setting(DEFAULTS) == {"power": 0.25, "steps": [1, 2]}
    assert space.defaults_count


def test_what_says_nothing_beside_the_other_parameters_is_neither_varied_nor_counted() -> None:
    knn = learner("item_knn", {"similarity": "cosine", "alpha": 0.5})
    ranges = {name: type(knn).ranges[name] for name in ("similarity", "alpha", "shrinkage")}
    space = Space(knn, ranges)
    assert space.setting(0) == {"similarity": "cosine", "shrinkage": 10.0}
    assert space.setting(1) == {"similarity": "bm25"}
    of = {"tversky": {"alpha", "shrinkage"}, "walk": {"alpha"}, "bm25": set(), "cosine": {"shrinkage"}}
    drawn = [space.setting(number) for number in range(2, 60)]
    assert all(set(each) - {"similarity"} == of.get(each["similarity"], {"shrinkage"}) for each in drawn)
    assert space.with_setting(drawn[0]).alpha == drawn[0].get("alpha", 0.5)  # type: ignore[attr-defined]
    only = Space(knn, {"similarity": Choice(("cosine", "bm25")), "alpha": Real(0, 1)})
    assert [job.parameters for job in tried_out(RandomSearch(only))] == [
        {"similarity": "cosine"},
        {"similarity": "bm25"},
    ]


def test_optuna_is_told_trials_that_lack_what_says_nothing() -> None:
    knn = learner("item_knn", {})
    jobs = tried_out(OptunaSearch(Space(knn, type(knn).ranges, most=15)))
    assert len(jobs) == 15
    assert len({str(job.parameters) for job in jobs}) == 15


def tried_out(search: RandomSearch | OptunaSearch) -> list[Job]:
    """The jobs until there is no other."""
    trials: list[Trial] = []
    jobs = []
    while (job := search.next(trials, 60.0)) is not None:
        jobs.append(job)
        trials.append(Trial(job.number, job.share, job.parameters, value=0.1 * len(job.parameters)))
    return jobs


def test_defaults_outside_of_what_is_declared_are_no_trial() -> None:
    assert Space(EASE(regularization=5), RANGES).defaults_count
    assert not Space(EASE(), RANGES).defaults_count  # they are what is declared
    assert not Space(EASE(regularization=5), {"regularization": Real(1, 10)}).defaults_count


# what a trial takes


def test_seconds_are_predicted_from_sizes_and_shares() -> None:
    ranges: dict[str, Range] = {"factors": Whole(8, 512, log=True)}
    made = [
        Trial(number, share, {"factors": factors}, "x", seconds=0.01 * factors * share)
        for number, (factors, share) in enumerate([(16, 1 / 9), (64, 1 / 9), (32, 1 / 3), (256, 1 / 3), (64, 1.0)])
    ]
    assert predicted(made, ranges, {"factors": 128}, 1.0) == pytest.approx(1.28, rel=0.25)
    assert predicted(made[:1], ranges, {"factors": 512}, 1.0) > 20 * made[0].seconds  # type: ignore[operator]
    assert predicted([Trial(0, 1.0, {}, failed="no")], ranges, {"factors": 8}, 1.0) is None


def test_each_cut_takes_as_long_as_another() -> None:
    """On a seventh and on half of the people of one of four cuts much the same: so all four take four times as much."""
    ranges: dict[str, Range] = {"regularization": Real(1, 1000)}
    made = [Trial(0, share, {"regularization": 3}, "x", seconds=2.0) for share in (1 / 27, 1 / 9)]
    one, four = (predicted(made, ranges, {"regularization": 3}, share, 4) for share in (1 / 3, 1.0))
    assert four == pytest.approx(4 * one)  # type: ignore[operator]
    assert one > 2  # type: ignore[operator]


def test_what_was_seen_on_a_share_is_believed_more_than_the_power_law() -> None:
    few = [Trial(number, 1 / 9, {}, "x", seconds=1.0) for number in range(30)]
    assert predicted([*few, Trial(0, 1.0, {}, "x", seconds=20.0)], {}, {}, 1.0) > 15  # type: ignore[operator]


# halving


def walk(
    search: Halving | RandomSearch, seconds: float, full: float, takes: Callable[[Job], float] | None = None
) -> list[Job]:
    """The jobs of a search on a world where more regularization is better, and a fit takes `full` on all people."""
    trials: list[Trial] = []
    spent, jobs = 0.0, []
    while (job := search.next(trials, seconds - spent)) is not None:
        each = full * job.share if takes is None else takes(job)
        if spent + each > seconds:
            break
        spent += each
        jobs.append(job)
        value = job.parameters["regularization"] / 1000
        trials.append(trial(job.number, value, job.share, each, parameters=job.parameters))
    return jobs


def test_with_time_enough_every_setting_is_fitted_on_all_people() -> None:
    jobs = walk(Halving(Space(EASE(), RANGES), 100.0), 100.0, full=1.0)
    assert {job.share for job in jobs[1:]} == {1.0}
    assert len(jobs) > 90


def test_with_less_time_the_best_third_is_promoted_to_all_people() -> None:
    jobs = walk(Halving(Space(EASE(), RANGES), 100.0), 100.0, full=8.0)
    counts = {share: sum(job.share == share for job in jobs[1:]) for share in SHARES}
    rungs = [share for share in SHARES if counts[share]]
    assert len(rungs) > 1
    assert rungs[-1] == 1.0
    assert all(counts[low] >= counts[high] for low, high in itertools.pairwise(rungs))
    drawn = [job for job in jobs if job.number >= 2 and job.share == rungs[0]]
    assert len(drawn) >= 20
    finals = {job.number for job in jobs if job.share == 1.0} - {0}
    best = max(drawn, key=lambda job: job.parameters["regularization"]).number
    assert best in finals
    assert all(sum(job.number == number for job in jobs) == len(rungs) for number in finals)


def test_where_not_even_three_fits_fit_in_less_is_learned_from() -> None:
    jobs = walk(Halving(Space(EASE(), RANGES), 100.0), 100.0, full=80.0)
    assert max(job.share for job in jobs) == pytest.approx(1 / 3)


def test_with_several_cuts_and_little_time_many_settings_on_some_are_better_than_few_on_all() -> None:
    for cuts, top in ((1, 1.0), (2, 1 / 3), (3, 1 / 3), (5, 1 / 3)):
        jobs = walk(Halving(Space(EASE(), RANGES), 100.0, cuts), 100.0, full=20.0)
        assert max(job.share for job in jobs if job.number >= 2) == top
    jobs = walk(Halving(Space(EASE(), RANGES), 100.0, 5), 100.0, full=20.0)
    assert sum(job.share == 1 / 3 for job in jobs) > 5
    jobs = walk(Halving(Space(EASE(), RANGES), 100.0, 5), 100.0, full=5.0)
    assert max(job.share for job in jobs if job.number >= 2) == 1.0


@pytest.mark.parametrize("full", [8.0, 16.0, 24.0, 30.0])
def test_however_little_time_there_is_the_best_draw_gets_to_all_people(full: float) -> None:
    jobs = walk(Halving(Space(EASE(), RANGES), 100.0), 100.0, full)
    finals = [job for job in jobs if job.share == 1.0 and job.number >= 2]
    drawn = [job for job in jobs if job.number >= 2 and job.share < 1]
    assert finals
    assert max(drawn, key=lambda job: job.parameters["regularization"]).number in {job.number for job in finals}


def test_few_settings_are_tried_on_more_people_and_the_best_of_them_on_all() -> None:
    jobs = walk(Halving(Space(EASE(), RANGES, most=12), 100.0), 100.0, full=7.0)
    assert {job.number for job in jobs if job.share == 1.0} == {0, *range(2, 13)}
    jobs = walk(Halving(Space(EASE(), RANGES, most=12), 100.0), 100.0, full=12.0)
    assert len({job.number for job in jobs}) == 12
    assert sum(job.share == 1.0 for job in jobs if job.number >= 2) >= 3


@pytest.mark.parametrize("full", [4.0, 6.0, 9.0, 14.0])
@pytest.mark.parametrize("seed", range(8))
def test_a_search_compares_several_settings_where_fits_take_now_more_and_now_less(full: float, seed: int) -> None:
    """Half of what a cut takes does not shrink with its people, and other programs use the machine, too."""
    luck = np.random.default_rng(seed)

    def takes(job: Job) -> float:
        number, people = covers(job.share, 4)
        return full / 4 * number * (0.5 + 0.5 * people) * float(luck.lognormal(0, 0.3))

    jobs = walk(Halving(Space(EASE(), RANGES, seed), 60.0, 4), 60.0, full, takes)
    with_declared = {job.share for job in jobs if job.number == 0 and covers(job.share, 4)[1] == 1}
    assert max(sum(job.share == share for job in jobs) for share in with_declared) >= 4


@pytest.mark.parametrize("budget", [5.0, 30.0, 1e4])
def test_what_is_declared_is_always_on_the_largest_share(budget: float) -> None:
    jobs = walk(Halving(Space(EASE(), RANGES), budget), min(budget, 200.0), full=2.0)
    assert max(job.share for job in jobs) == max(job.share for job in jobs if job.number == 0)


def test_at_random_each_setting_is_met_once() -> None:
    jobs = walk(RandomSearch(Space(EASE(regularization=5), RANGES)), 30.0, full=1.0)
    assert [job.number for job in jobs] == list(range(30))


# time


def test_whatever_happens_the_alarm_is_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where time is over while the timer is taken back, or the timer cannot be set."""
    before = signal.getsignal(signal.SIGALRM)
    late = signal.setitimer

    def over(which: int, seconds: float) -> tuple[float, float]:
        if seconds == 0:
            late(which, 0)
            raise OutOfTime
        return late(which, seconds)

    monkeypatch.setattr(signal, "setitimer", over)
    with pytest.raises(OutOfTime), within(60):
        pass
    assert signal.getsignal(signal.SIGALRM) is before
    monkeypatch.undo()
    with pytest.raises((OverflowError, OSError, ValueError)), within(float("inf")):
        pass
    assert signal.getsignal(signal.SIGALRM) is before


# optuna


def test_optuna_comes_near_to_what_is_good() -> None:
    space = Space(EASE(regularization=1.0), RANGES)
    trials: list[Trial] = []
    for _ in range(30):
        job = OptunaSearch(space).next(trials, 60.0)
        assert job is not None
        value = -abs(np.log(job.parameters["regularization"] / 100)) - job.parameters["dropout"]
        trials.append(trial(job.number, float(value), parameters=job.parameters))
    late = [abs(np.log10(each.parameters["regularization"] / 100)) for each in trials[20:]]
    assert np.median(late) < 0.5


@pytest.mark.parametrize("seed", [5_000, 2**63, 2**200])
def test_optuna_takes_any_seed(seed: int) -> None:
    """The seed of one question to optuna's sampler is made of it, and that has 32 bits."""
    search = OptunaSearch(Space(EASE(), RANGES, seed))
    job = search.next([trial(0, 0.1), trial(1, 0.1)], 1.0)
    assert job is not None
    assert job == search.next([trial(0, 0.1), trial(1, 0.1)], 1.0)


def test_optuna_takes_choices_that_are_lists() -> None:
    space = Space(learner("slist", {}), {"decays": Choice(((2.0, 0.5), (1.0,))), "window": Whole(10, 100, log=True)})
    asked = OptunaSearch(space).next([trial(0, 0.5, parameters=space.setting(0))], 60.0)
    assert asked is not None
    assert asked.parameters["decays"] in ([2.0, 0.5], [1.0])


def test_without_optuna_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)  # as if it were not there
    with pytest.raises(MissingExtra, match=r'pip install "segue\[tune\]"'):
        refuse_method("optuna")


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(UnknownName, match="did you mean 'random'"):
        refuse_method("randm")


# the choice


def study(values: Sequence[Sequence[float]], sizes: Sequence[int] | None = None) -> list[Trial]:
    """Trials with these values of each person."""
    return [
        Trial(number, 1.0, {"k": number}, packed(np.array(each)), float(np.mean(each)), 1.0, (sizes or [1] * 9)[number])
        for number, each in enumerate(values)
    ]


def noisy(mean: float, seed: int, people: int = 400, spread: float = 0.1) -> list[float]:
    return (mean + spread * np.random.default_rng(seed).standard_normal(people)).tolist()


def test_what_is_declared_wins_where_it_is_as_good() -> None:
    base = noisy(0.5, 0)
    same = (np.array(base) + 0.02 * np.random.default_rng(1).standard_normal(400)).tolist()
    found = chosen(study([base, same]))
    assert found is not None
    assert found.trial.number == 0
    assert found.difference is None


def test_a_real_gain_wins_with_an_interval_and_is_expected_of_others() -> None:
    base = noisy(0.5, 0)
    found = chosen(study([base, noisy(0.5, 1), (np.array(base) + 0.05).tolist()]))
    assert found is not None
    assert found.trial.number == found.best == 2
    assert found.difference is not None
    assert found.difference.value == pytest.approx(0.05, abs=1e-6)
    assert found.expected == pytest.approx(0.05, abs=0.01)


def test_of_those_as_good_the_smallest_wins() -> None:
    base = np.array(noisy(0.5, 0))
    jitter = 0.01 * np.random.default_rng(2).standard_normal((2, 400))
    best, near = base + 0.1 + jitter - jitter.mean(axis=1, keepdims=True)
    found = chosen(study([base.tolist(), noisy(0.2, 3), (best + 1e-5).tolist(), near.tolist()], [9, 9, 9, 2]))
    assert found is not None
    assert (found.trial.number, found.best) == (3, 2)


def test_luck_among_many_is_not_expected_to_last() -> None:
    """A hundred settings that are equal: the best looks better than the declared one, and is not."""
    values = np.column_stack([noisy(0.5, seed) for seed in range(100)])
    apparent = values.mean(axis=0).max() - values[:, 0].mean()
    left = out_of_bag_gain(values, 0, seed=0)
    assert apparent > 0.008
    assert abs(left) < apparent / 2


def test_what_is_declared_stays_where_choosing_gains_nothing_on_others() -> None:
    """Of a hundred that are equal the best is beyond a standard error, and no better on people who did not choose."""
    made = study([noisy(0.5, seed, people=60) for seed in range(2, 102)], [1] * 100)
    found = chosen(made)
    assert found is not None
    assert found.best != 0
    assert found.expected is not None
    assert found.expected <= 0
    assert (found.trial.number, found.difference) == (0, None)
    assert "on people who had no part in choosing, nothing was gained" in found.why
    best = made[found.best].people() - made[0].people()
    assert best.mean() > best.std() / 60**0.5


def test_only_what_was_fitted_on_as_many_people_is_compared() -> None:
    made = [trial(0, 0.3), trial(2, 0.9, share=1 / 3), trial(0, 0.2, share=1 / 3), trial(3, 0.8, failed="no")]
    found = chosen(made)
    assert found is not None
    assert (found.trial.number, found.compared) == (0, 1)
    partly = [trial(0, 0.2, share=1 / 3), trial(2, 0.9, share=1 / 3), trial(0, 0.3)]
    for made in (partly[:2], partly):  # where what is declared alone is on all cuts, too
        assert [chosen(made, cuts=cuts).trial.number for cuts in (1, 3)] == [0, 2]  # type: ignore[union-attr]
    assert chosen([trial(3, 0.1, failed="no")]) is None


@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=50))
def test_what_is_packed_is_unpacked(values: list[float]) -> None:
    assert unpacked(packed(np.array(values))).tolist() == values


@given(st.integers(0, 1000))
def test_the_best_is_as_good_as_itself(seed: int) -> None:
    values = np.random.default_rng(seed).random((20, 4))
    order = np.argsort(-values.mean(axis=0))
    assert as_good(values[:, order])[0]


# effects


def test_the_parameter_that_matters_explains_and_its_best_part_is_found() -> None:
    space, random = Space(EASE(), RANGES), np.random.default_rng(0)
    made = []
    for number in range(2, 60):
        setting = space.setting(number)
        value = 0.5 - 0.1 * abs(np.log10(setting["regularization"] / 30)) + 0.005 * random.standard_normal()
        made.append(trial(number, float(value), parameters=setting))
    found = effects(made, RANGES)
    assert [each.parameter for each in found] == ["regularization", "dropout"]
    assert found[0].share > 0.5
    assert found[1].share < 0.15
    low, _, high = found[0].best.partition(" to ")
    assert float(low) <= 32 <= 2 * float(high)
    assert effects(made[:5], RANGES) == []


def test_a_choice_is_told_by_its_value() -> None:
    ranges: dict[str, Range] = {"similarity": Choice(("cosine", "bm25"))}
    made = [trial(n, 0.2 + 0.1 * (n % 2), parameters={"similarity": ("cosine", "bm25")[n % 2]}) for n in range(12)]
    assert [(each.best, round(each.share)) for each in effects(made, ranges)] == [("bm25", 1)]


# the result, and writing it down


def result(changes: dict[str, Any], declared: dict[str, Any], model: str = "ease") -> TunedModel:
    values = study([noisy(0.5, 0), noisy(0.9, 1)])
    made = [
        Trial(0, 1.0, declared, values[0].judged, 0.5, 1.0, 8),
        Trial(2, 1.0, declared | changes, values[1].judged, 0.9, 1.0, 8),
    ]
    return TunedModel(model, "ease", "study", tuple(declared), tuple(made), chosen(made), (), "it was over")


TOML = """# Ours.
[models.popularity]
learner = "popularity"

[models.ease]   # the main one
learner = "ease"
regularization = 300.0  # from the paper
# keep = 50

# who is judged
[evaluation]
split = "random"
"""


def test_what_won_is_set_and_all_else_stays(tmp_path: Path) -> None:
    path = tmp_path / "segue.toml"
    path.write_text(TOML)
    tuned = result({"regularization": 42.0, "dropout": 0.5}, {"regularization": 300.0, "dropout": 0.0})
    assert write(path, tuned, "ndcg@10", NOW)
    text = path.read_text()
    assert tomllib.loads(text)["models"]["ease"] == {"learner": "ease", "regularization": 42.0, "dropout": 0.5}
    assert (
        "regularization = 42.0  # from the paper\ndropout = 0.5\n# keep = 50\n\n# who is judged\n[evaluation]" in text
    )
    assert "[models.ease]   # the main one\n# Tuned by `segue tune` on 2026-11-21: ndcg@10 0." in text
    again = result({"regularization": 43.0}, {"regularization": 42.0})
    assert write(path, again, "ndcg@10", NOW)
    assert path.read_text().count("# Tuned") == 1
    assert not write(path, result({}, {"regularization": 43.0}), "ndcg@10", NOW)


def test_what_won_has_one_interval_wherever_it_is_told() -> None:
    tuned = result({"regularization": 42.0}, {"regularization": 300.0})
    (won,) = [row for row in tuned.rows() if row["note"] == "won"]
    assert won["interval"] == tuned.row("ndcg@10")["interval"]


def test_what_is_none_is_taken_out(tmp_path: Path) -> None:
    path = tmp_path / "segue.toml"
    path.write_text(TOML.replace("# keep = 50", "keep = 50"))
    assert write(path, result({"keep": None}, {"keep": 50}), "ndcg@10", NOW)
    assert "keep" not in tomllib.loads(path.read_text())["models"]["ease"]


@pytest.mark.parametrize(
    "text",
    [
        '[models]\nease = { learner = "ease", regularization = 300.0 }\n',
        'models.ease.learner = "ease"\n',
        '[models.ease]\nlearner = "ease"\nregularization = """\n300"""\n',
    ],
)
def test_a_table_that_cannot_be_edited_safely_is_left_alone(tmp_path: Path, text: str) -> None:
    path = tmp_path / "segue.toml"
    path.write_text(text)
    with pytest.raises(DeclarationError, match=r"regularization = 42\.0"):
        write(path, result({"regularization": 42.0}, {"regularization": 300.0}), "ndcg@10", NOW)
    assert path.read_text() == text


@given(
    st.dictionaries(
        st.sampled_from(["k", "similarity", "decays"]),
        st.one_of(st.integers(0, 99), st.text(max_size=8), st.lists(st.floats(0, 9), max_size=3)),
        min_size=1,
    )
)
def test_whatever_is_set_is_read_again(values: dict[str, Any]) -> None:
    before = '[models."a.b"]\nlearner = "x"\nk = 3 # three\nsimilarity = "a#b"\n[other]\nk = 1\n'
    try:
        found = tomllib.loads(edited(before, "a.b", values, "# why"))
    except tomllib.TOMLDecodeError:
        assert "similarity" in values or any("\x7f" in str(each) for each in values.values())  # `write` refuses it
        return
    assert found["other"] == {"k": 1}
    if "similarity" not in values:
        assert found["models"]["a.b"] == {"learner": "x", "k": 3, "similarity": "a#b"} | values


def test_models_are_held_against_each_other_on_the_same_share_only() -> None:
    """On another one other people judge."""
    won = result({"regularization": 42.0}, {"regularization": 300.0})
    partly = [msgspec.structs.replace(each, share=1 / 3) for each in won.trials]
    won = msgspec.structs.replace(won, trials=tuple(partly), chosen=chosen(partly, cuts=3), cuts=3)
    on_all = trial(0, 0.2)
    base = TunedModel("popularity", "popularity", "study", (), (on_all,), chosen([on_all]), (), "it was over", 3)
    told = Tuned((won, base), "ndcg@10", 400, "held back", "popularity", {}).leader()
    assert told.startswith("ease wins on validation")
    assert "learned from 100% of the people, 1 of 3 cuts" in told
    assert "; popularity learned from another share, so the values cannot be compared" in told
    assert "against" not in told


def test_the_trials_go_into_a_parquet_file(tmp_path: Path) -> None:
    one = result({"regularization": 42.0}, {"regularization": 300.0})
    other = result({"similarity": "bm25"}, {"similarity": "cosine"}, "knn")
    tuned = Tuned((one, other), "ndcg@10", 400, "held back", None, {"popularity": "no ranges"})
    tuned.write(tmp_path / "trials.parquet")
    frame = pl.read_parquet(tmp_path / "trials.parquet")
    assert frame["parameter.regularization"].to_list() == [300.0, 42.0, None, None]
    assert frame["parameter.similarity"].to_list() == [None, None, "cosine", "bm25"]
    assert frame["won"].to_list() == [False, True, False, True]
    with pytest.raises(DataError, match=r"\.parquet"):
        tuned.write(tmp_path / "trials.csv")
    assert tuned.sentences()[-2].startswith("popularity is left out")
    assert "judged" not in str(tuned.as_dict())
