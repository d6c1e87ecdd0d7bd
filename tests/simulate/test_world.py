"""A world is the same to the byte from the same seed, looks like a shop, and can be learned."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.simulate.catalog import NEVER
from segue.simulate.history import LOOK, TAKE
from segue.simulate.world import World

SMALL = {"people": 120, "items": 80, "days": 21}


def small(flavour="shop", seed=3, **more):
    return World(flavour, seed=seed, **{**SMALL, **more})


def digest(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir())
    return hashlib.blake2b(b"".join(name.encode() + (folder / name).read_bytes() for name in names)).hexdigest()


@pytest.mark.parametrize("flavour", ["shop", "music"])
def test_the_same_seed_is_the_same_to_the_byte_in_another_process(tmp_path, flavour):
    small(flavour).write(tmp_path / "here")
    script = (
        "import sys; from pathlib import Path; from segue.simulate.world import World;"
        f"World({flavour!r}, seed=3, people=120, items=80, days=21).write(Path(sys.argv[1]))"
    )
    subprocess.run([sys.executable, "-c", script, tmp_path / "there"], check=True, env={"PYTHONHASHSEED": "77"})
    assert digest(tmp_path / "here") == digest(tmp_path / "there")


def test_another_seed_is_another_world(tmp_path):
    small(seed=3).write(tmp_path / "three")
    small(seed=4).write(tmp_path / "four")
    assert digest(tmp_path / "three") != digest(tmp_path / "four")


def test_parts_draw_from_streams_of_their_own():
    few, many = small(people=50), small(people=150)
    assert few.catalog.items == many.catalog.items
    assert [item.title for item in small(days=21).catalog.items] == [
        item.title for item in small(days=22).catalog.items
    ]


@pytest.mark.parametrize("flavour", ["shop", "music"])
def test_items_read_like_a_shop(flavour):
    items = World(flavour, seed=1).catalog.items
    assert len({item.id for item in items}) == 600
    assert len({item.title for item in items}) == 600
    for item in items:
        assert item.title[0].isupper()
        assert item.text.endswith(".")
        assert len(item.categories) == 2
        assert 1 <= item.price <= 500
        assert item.released is not None


def test_variants_share_a_group_and_lie_close_together():
    catalog = World("shop", seed=1).catalog
    groups = {}
    for position, item in enumerate(catalog.items):
        groups.setdefault(item.group, []).append(position)
    singles = groups.pop(None)
    assert len(singles) > 100
    assert all(len(places) > 1 or places[-1] == len(catalog) - 1 for places in groups.values())
    cosine = catalog.vectors @ catalog.vectors.T
    within = [cosine[a, b] for places in groups.values() for a in places for b in places if a < b]
    assert np.mean(within) > 0.9 > 0.2 > cosine.mean()


def test_popularity_has_a_long_tail():
    world = World("shop", seed=1)
    looks = np.bincount(world.history.items[world.history.kinds == LOOK], minlength=600)
    top_tenth = np.sort(looks)[::-1][:60].sum() / looks.sum()
    assert 0.25 < top_tenth < 0.7
    assert (looks > 0).mean() > 0.95


@pytest.mark.slow
def test_nothing_is_opened_by_people_before_its_release_or_after_its_end():
    world = World("shop", seed=1)
    history, catalog = world.history, world.catalog
    people = history.people < len(world.crowd)
    opened = people & (history.kinds == LOOK)
    items, day = history.items[opened], history.seconds[opened] // 86_400
    assert (catalog.released[items] <= day).all()
    assert (day <= catalog.withdrawn[items]).all()
    assert (catalog.withdrawn < NEVER).any()
    assert (catalog.released > 0).any()


def test_weeks_and_days_have_their_seasons():
    world = World("shop", seed=1, days=56, start=date(2026, 1, 5))
    looks = world.history.seconds[world.history.kinds == LOOK]
    by_day = np.bincount(looks // 86_400 % 7, minlength=7)
    by_hour = np.bincount(looks // 3_600 % 24, minlength=24)
    assert by_day[6] > 1.3 * by_day[1]
    assert by_hour[20] > 8 * by_hour[3]


def test_sessions_are_short_and_belong_to_one_person():
    history = small().history
    for session in np.unique(history.sessions[history.sessions >= 0])[:50]:
        rows = history.sessions == session
        assert len(set(history.people[rows].tolist())) == 1
        assert np.ptp(history.seconds[rows]) < 3 * 3_600


def test_what_is_bought_was_opened():
    history = small().history
    keys = history.people * 1_000 + history.items
    assert np.isin(keys[history.kinds == TAKE], keys[history.kinds == LOOK]).all()


def test_position_bias_measured_is_the_one_declared():
    world = World("shop", seed=2)
    depths = world.history.depths
    measured = np.array([(depths > position).mean() for position in range(20)])
    declared = world.behaviour.look(np.arange(20))
    error = np.sqrt(declared * (1 - declared) / len(depths))
    assert (np.abs(measured - declared) <= 4.5 * error + 1e-12).all()


def test_robots_are_told_apart_and_buy_nothing():
    world = small(robots=3)
    robots = world.history.people >= len(world.crowd)
    assert len(np.unique(world.history.people[robots])) == 3
    assert (world.history.kinds[robots] == LOOK).all()


def test_tastes_drift_a_little_from_week_to_week():
    tastes = World("shop", seed=1).crowd.tastes
    from_start = np.einsum("wpf,pf->wp", tastes, tastes[0]).mean(axis=1)
    assert (np.diff(from_start) < 0).all()
    assert 0.9 < from_start[-1] < 0.995


def test_liking_says_what_people_open():
    """A logistic regression of its own: opening follows the known liking, bin by bin, in the history itself."""
    world = World("shop", seed=5)
    rng = np.random.default_rng(0)
    people, items = rng.integers(2_000, size=40_000), rng.integers(600, size=40_000)
    liking = world.liking(people, items)
    declared = world.behaviour.opens(liking)
    assert np.corrcoef(liking, declared)[0, 1] > 0.6
    assert declared.min() >= world.behaviour.noise * world.behaviour.accident
    assert 0.02 < declared.mean() < 0.15


@settings(max_examples=20, deadline=None)
@given(
    flavour=st.sampled_from(["shop", "music"]),
    people=st.integers(1, 30),
    items=st.integers(1, 40),
    days=st.integers(1, 20),
    seed=st.integers(0, 2**32),
)
def test_any_size_of_world_holds_together(tmp_path_factory, flavour, people, items, days, seed):
    world = World(flavour, seed=seed, people=people, items=items, days=days, robots=0)
    assert len(world.catalog) == items
    assert len(world.crowd) == people
    history = world.history
    assert (np.diff(history.seconds) >= 0).all()
    assert len(history) == 0 or history.seconds.max() < (days + 1) * 86_400
    truth = world.write(tmp_path_factory.mktemp("world"))
    assert truth.whole + truth.duplicates + truth.unreadable == truth.rows


@pytest.mark.slow
def test_a_learned_model_beats_popularity_by_the_known_tastes():
    """Item-item ridge regression (EASE, Steck 2019) in plain NumPy, judged by the truth itself."""
    world = World("shop", seed=11)
    seen = np.zeros((2_000, 600), np.float64)
    rows = world.history.people < 2_000
    seen[world.history.people[rows], world.history.items[rows]] = 1
    inverse = np.linalg.inv(seen.T @ seen + 200 * np.eye(600))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    popular = np.tile(seen.sum(axis=0), (2_000, 1))
    learned, by_popularity = (_opened_in_a_visit(world, scores, seen) for scores in (seen @ weights, popular))
    assert learned > 1.3 * by_popularity
    everybody = np.repeat(np.arange(2_000), 600)
    best = world.liking(everybody, np.tile(np.arange(600), 2_000)).reshape(2_000, 600)
    assert learned < _opened_in_a_visit(world, best, seen)


def _opened_in_a_visit(world, scores, seen):
    """The expected number of unseen items that a person opens in a list of 20."""
    gone = ~world.catalog.on_sale(np.arange(600), world.days)
    top = np.argsort(-np.where((seen > 0) | gone, -np.inf, scores), axis=1)[:, :20]
    liking = world.liking(np.repeat(np.arange(len(top)), 20), top.ravel()).reshape(top.shape)
    return float((world.behaviour.opens(liking) * world.behaviour.look(np.arange(20))).sum(axis=1).mean())
