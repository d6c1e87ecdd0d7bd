"""200 A/Bs and 200 A/As among the people of a world: the intervals hold the truth that their tastes imply."""

from __future__ import annotations

import numpy as np
import pytest

from segue.domain.experiment import Experiment, Metric, Variant
from segue.measure.statistics import difference, sample
from segue.simulate.history import LOOK
from segue.simulate.respond import respond
from segue.simulate.stream import uniform
from segue.simulate.world import World

RUNS, K, ALPHA = 200, 20, 0.05
WORLD = World("shop", seed=21, people=900, items=200, days=28)
PEOPLE = np.arange(900)


def popular_lists():
    looks = np.bincount(WORLD.history.items[WORLD.history.kinds == LOOK], minlength=200)
    return np.tile(np.argsort(-looks, kind="stable")[:K], (900, 1))


def personal_lists():
    """The popular items of each person's favourite shelf first: something that a learned model could have found."""
    at_home = WORLD.catalog.shelves == WORLD.crowd.affinity.argmax(axis=1)[:, None]
    return np.argsort(-(WORLD.catalog.appeal + 3.0 * at_home), axis=1, kind="stable")[:, :K]


def laws(lists):
    """float64[people, K]: the probabilities of opening, given a look, and of buying, given that it was opened."""
    liking = WORLD.liking(np.repeat(PEOPLE, K), lists.ravel()).reshape(lists.shape)
    return WORLD.behaviour.opens(liking), WORLD.behaviour.buys(liking)


def visited(lists, law, number):
    """Every person's visit `number`, all at once: how many items were opened, and whether any was bought."""
    depth = WORLD.behaviour.depth(uniform(WORLD.seed, "depth", PEOPLE, number), K)
    seen = np.arange(K) < depth[:, None]
    opened = seen & (uniform(WORLD.seed, "open", PEOPLE[:, None], number, lists) < law[0])
    bought = opened & (uniform(WORLD.seed, "buy", PEOPLE[:, None], number, lists) < law[1])
    return opened.sum(axis=1).astype(float), bought.any(axis=1).astype(float)


def assigned(run):
    """bool[people]: who is in the treatment of this run's experiment, by the hash that the service uses."""
    experiment = Experiment("home", {"A": Variant(), "B": Variant()}, {"clicks": Metric("count", ("click",))})
    return np.array([experiment.variant_of(f"run-{run}", f"u:{user}") == "B" for user in WORLD.crowd.ids])


def expected(law):
    """What the declared laws say of one visit: the mean over people of clicks, and of the share that buys."""
    reach = WORLD.behaviour.look(np.arange(K))
    clicks = (law[0] * reach).sum(axis=1).mean()
    ends_at = reach - np.append(reach[1:], 0.0)  # P(exactly p + 1 positions are looked at)
    buys_by = 1 - np.cumprod(1 - law[0] * law[1], axis=1)
    return clicks, (buys_by * ends_at).sum(axis=1).mean()


@pytest.fixture(scope="module")
def arms():
    lists = popular_lists(), personal_lists()
    return [(each, laws(each)) for each in lists]


def found(arms, metric, run):
    treated = assigned(run)
    values = [visited(lists, law, run)[metric] for lists, law in arms]
    return difference(sample(values[0][~treated]), sample(values[1][treated]), ALPHA)


def test_all_visits_at_once_are_the_visits_one_by_one(arms):
    lists, law = arms[1]
    opened, bought = visited(lists, law, 3)
    for person in range(0, 900, 9):
        shown = [WORLD.catalog.items[item].id for item in lists[person]]
        response = respond(WORLD, person, 3, shown)
        assert (len(response.opened), bool(response.bought)) == (opened[person], bought[person])


@pytest.mark.slow
@pytest.mark.parametrize("metric", [0, 1], ids=["clicks", "bought"])
def test_the_interval_holds_the_truth(arms, metric):
    truth = expected(arms[1][1])[metric] - expected(arms[0][1])[metric]
    runs = [found(arms, metric, run).interval for run in range(RUNS)]
    assert truth > 0
    assert 0.92 <= np.mean([each.low <= truth <= each.high for each in runs]) <= 0.98
    error = np.std([each.value for each in runs]) / np.sqrt(RUNS)
    assert np.mean([each.value for each in runs]) == pytest.approx(truth, abs=4 * error)


@pytest.mark.slow
@pytest.mark.parametrize("metric", [0, 1], ids=["clicks", "bought"])
def test_nothing_is_found_where_nothing_is(arms, metric):
    rejected = [found([arms[0], arms[0]], metric, run).p < ALPHA for run in range(RUNS)]
    assert 0.02 <= np.mean(rejected) <= 0.08


def test_common_random_numbers_make_the_truth_sharper_than_the_test(arms):
    """Replaying the same visits tells the difference far better than any two halves of the people."""
    (popular, popular_law), (personal, personal_law) = arms
    paired = [
        (visited(personal, personal_law, run)[0] - visited(popular, popular_law, run)[0]).mean() for run in range(50)
    ]
    halves = [found(arms, 0, run).interval.value for run in range(50)]
    assert np.std(paired) < 0.5 * np.std(halves)
