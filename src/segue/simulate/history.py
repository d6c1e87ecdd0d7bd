"""What happened in a world before anybody was recommended anything: sessions, pages, seasons, position bias, robots."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segue.simulate.behaviour import Behaviour
from segue.simulate.catalog import Catalog
from segue.simulate.people import Crowd
from segue.simulate.stream import stream

Ints = npt.NDArray[np.int64]

SESSIONS_A_DAY = 0.32  # of a person of mean activity
MORE_PAGES = 1.4  # a session has one page and a Poisson number of further ones
PAGE = 20  # items on a page
FRONT_PAGE = 0.35  # the share of slots that show what is popular; the rest shows a shelf that the person chose
SHELF_TOP = 0.8  # how strongly a page puts appealing items forward
KEPT = 0.25  # the share of opened but not bought items that are put aside
WEEK = np.array([1.0, 0.95, 0.95, 1.0, 1.1, 1.35, 1.5])  # Monday to Sunday
HOURS = np.array([2, 1, 1, 1, 1, 2, 4, 7, 9, 9, 9, 10, 12, 10, 9, 9, 10, 12, 15, 19, 22, 20, 13, 6], np.float64)
ROBOT_EVENTS = (150, 400)
LOOK, KEEP, TAKE = 0, 1, 2


@dataclass(frozen=True)
class History:
    """Events in the order of time, one row each, and the pages that they came from.

    people     int64[events]: position in the crowd; from `len(crowd)` on, a robot
    items      int64[events]
    kinds      int8[events]: LOOK, KEEP or TAKE
    seconds    int64[events]: since the midnight at which the world began
    sessions   int64[events]
    quantity   int64[events]
    depths     int64[pages]: how many of a page's positions were looked at
    robots     how many robots there are
    """

    people: Ints
    items: Ints
    kinds: npt.NDArray[np.int8]
    seconds: Ints
    sessions: Ints
    quantity: Ints
    depths: Ints
    robots: int

    def __len__(self) -> int:
        return len(self.people)


@dataclass(frozen=True)
class _Pages:
    """One row for each page: whose it is, when it was opened, in which session, and how far down it was looked at."""

    people: Ints
    seconds: Ints
    sessions: Ints
    depths: Ints


@dataclass(frozen=True)
class _Events:
    """Rows in no order yet."""

    people: Ints
    items: Ints
    kinds: npt.NDArray[np.int8]
    seconds: Ints
    sessions: Ints


def make_history(
    seed: int, crowd: Crowd, catalog: Catalog, behaviour: Behaviour, days: int, weekday: int, robots: int
) -> History:
    """The history of `days` days, the first of which is a `weekday` (0 is Monday)."""
    rng = stream(seed, "history")
    pages = _pages(rng, crowd, behaviour, days, weekday)
    events = [_answers(rng, crowd, catalog, behaviour, pages)]
    events += [_robot(rng, len(crowd) + number, len(catalog), days, -number - 1) for number in range(robots)]
    return _in_order(rng, events, pages.depths, robots)


def _pages(rng: np.random.Generator, crowd: Crowd, behaviour: Behaviour, days: int, weekday: int) -> _Pages:
    sessions = rng.poisson(crowd.activity * SESSIONS_A_DAY * days)
    people = np.repeat(np.arange(len(crowd)), sessions)
    season = WEEK[(weekday + np.arange(days)) % 7]
    day = rng.choice(days, len(people), p=season / season.sum())
    hour = rng.choice(24, len(people), p=HOURS / HOURS.sum())
    opened = day * 86_400 + hour * 3_600 + rng.integers(0, 3_000, len(people))
    count = 1 + rng.poisson(MORE_PAGES, len(people))
    of = np.repeat(np.arange(len(people)), count)
    nth = np.arange(len(of)) - np.repeat(np.cumsum(count) - count, count)
    depths = behaviour.depth(rng.random(len(of)), PAGE)
    return _Pages(people[of], opened[of] + nth * 170 + rng.integers(0, 60, len(of)), of, depths)


def _answers(rng: np.random.Generator, crowd: Crowd, catalog: Catalog, behaviour: Behaviour, pages: _Pages) -> _Events:
    """What was opened, put aside and bought among all that was looked at."""
    page = np.repeat(np.arange(len(pages.depths)), pages.depths)
    position = np.arange(len(page)) - np.repeat(np.cumsum(pages.depths) - pages.depths, pages.depths)
    people, seconds = pages.people[page], pages.seconds[page] + 6 * position
    items = _shown(rng, crowd, catalog, pages, page)
    day = seconds // 86_400
    liking = behaviour.liking(crowd, catalog, people, items, day)
    opened = rng.random(len(page)) < behaviour.opens(liking)
    opened &= catalog.on_sale(items, day) & _first_on_page(page, items, len(catalog))
    bought = opened & (rng.random(len(page)) < behaviour.buys(liking))
    kept = bought | (opened & (rng.random(len(page)) < KEPT))
    parts = [(opened, LOOK, 0), (kept, KEEP, 25), (bought, TAKE, 95)]
    return _Events(
        np.concatenate([people[rows] for rows, _, _ in parts]),
        np.concatenate([items[rows] for rows, _, _ in parts]),
        np.concatenate([np.full(int(rows.sum()), kind, np.int8) for rows, kind, _ in parts]),
        np.concatenate([seconds[rows] + later for rows, _, later in parts]),
        np.concatenate([pages.sessions[page][rows] for rows, _, _ in parts]),
    )


def _shown(rng: np.random.Generator, crowd: Crowd, catalog: Catalog, pages: _Pages, page: Ints) -> Ints:
    """An item for each slot: of the shelf that the page's person went to, or from the front page."""
    chosen = _choose_shelf(rng, crowd, pages.people)
    order = np.argsort(catalog.shelves, kind="stable")
    mass = np.concatenate([[0.0], np.cumsum(np.exp(SHELF_TOP * catalog.appeal[order]))])
    ends = np.searchsorted(catalog.shelves[order], np.arange(len(catalog.centres) + 1))
    low, high = mass[ends[:-1]], mass[ends[1:]]
    shelf = chosen[page]
    everywhere = (rng.random(len(page)) < FRONT_PAGE) | (high[shelf] == low[shelf])
    place = rng.random(len(page))
    place = np.where(everywhere, place * mass[-1], low[shelf] + place * (high - low)[shelf])
    return np.asarray(order[np.minimum(np.searchsorted(mass, place, side="right") - 1, len(order) - 1)], np.int64)


def _choose_shelf(rng: np.random.Generator, crowd: Crowd, people: Ints) -> Ints:
    reach = np.cumsum(crowd.affinity.astype(np.float64), axis=1)
    reach /= reach[:, -1:]
    flat = (reach + np.arange(len(crowd))[:, None]).ravel()
    place = np.searchsorted(flat, people + rng.random(len(people)), side="right")
    return np.asarray(place % reach.shape[1], np.int64)


def _first_on_page(page: Ints, items: Ints, size: int) -> npt.NDArray[np.bool_]:
    """Whether this slot is the first of its page with this item; nobody opens the same item twice on a page."""
    first = np.zeros(len(page), np.bool_)
    first[np.unique(page * size + items, return_index=True)[1]] = True
    return first


def _robot(rng: np.random.Generator, person: int, size: int, days: int, session: int) -> _Events:
    """A robot opens anything, at any position, every other second of one night, and buys nothing."""
    count = int(rng.integers(*ROBOT_EVENTS))
    start = int(rng.integers(days)) * 86_400 + int(rng.integers(3 * 3_600))
    return _Events(
        np.full(count, person),
        rng.integers(size, size=count),
        np.full(count, LOOK, np.int8),
        start + 2 * np.arange(count),
        np.full(count, session),
    )


def _in_order(rng: np.random.Generator, parts: list[_Events], depths: Ints, robots: int) -> History:
    seconds = np.concatenate([part.seconds for part in parts])
    order = np.argsort(seconds, kind="stable")
    kinds = np.concatenate([part.kinds for part in parts])[order]
    more = np.where(kinds == TAKE, rng.choice([0, 1, 2], len(kinds), p=[0.86, 0.11, 0.03]), 0)
    return History(
        people=np.concatenate([part.people for part in parts])[order],
        items=np.concatenate([part.items for part in parts])[order],
        kinds=kinds,
        seconds=seconds[order],
        sessions=np.concatenate([part.sessions for part in parts])[order],
        quantity=1 + more,
        depths=depths,
        robots=robots,
    )
