"""Past sessions without the people whose they were: the state and the index that neighbours are looked up in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from segue.domain.items import Items
from segue.domain.requests import places_of
from segue.engines.engine import Key
from segue.learn.growing import State, growing
from segue.learn.sequences import COLUMNS, Sequences, sequences_of_batch


class Sessions:
    """The aggregate: every session of at least two items, as the codes of its last `longest` distinct items in order.

    lengths  int64[sessions]
    codes    int64[events]    the items of all sessions, each at the last place that it had
    times    int64[sessions]  of the last event, microseconds since 1970 UTC, `NO_TIME` where there is none
    events   int64[1]         how many events there were, in sessions of any length

    Sessions are in the order of their times, then of a hash of their items: no trace of whose they were is left.

    >>> from segue.engines.local import LocalEngine, Table
    >>> state = LocalEngine().fold(Sessions(None, 10), Table.of(["ann"] * 4, ["x", "y", "x", "z"]))
    >>> state["lengths"].tolist(), state["codes"].tolist()
    ([3], [1, 0, 2])
    """

    key: Key | None = Key.USER
    columns: tuple[str, ...] = COLUMNS

    def __init__(self, gap_minutes: float | None, longest: int) -> None:
        self.gap_minutes = gap_minutes
        self.longest = longest

    def init(self) -> State:
        nothing = np.zeros(0, np.int64)
        return {"lengths": nothing, "codes": nothing, "times": nothing, "events": np.zeros(1, np.int64)}

    def update(self, state: State, batch: pa.RecordBatch) -> State:
        found = in_order(self._found(sequences_of_batch(batch, self.gap_minutes)))
        return growing(state, found, _together)

    def merge(self, left: State, right: State) -> State:
        return _together(left, right)

    def subtract(self, state: State, part: State) -> State:
        """As many of each session fewer as the part has."""
        both = _beside(state, part)
        order = _ordered(both)
        times, hashes = both["times"][order], _hashes(both)[order]
        fresh = np.append(True, (times[1:] != times[:-1]) | (hashes[1:] != hashes[:-1]))[: len(times)]
        group, starts = np.cumsum(fresh) - 1, np.flatnonzero(fresh)
        taken = np.bincount(group[order >= len(state["lengths"])], minlength=len(starts))
        gone = 2 * taken  # once as it stands in `both` for the part, once for what it takes away
        rest = _selected(both, order[np.arange(len(group)) - starts[group] >= gone[group]])
        return {**rest, "events": state["events"] - part["events"]}

    def _found(self, sequences: Sequences) -> State:
        numbers = sequences.numbers()
        # the last place of each item of a session, of these the last `longest`, sessions of one item left out
        cells = (numbers << 32) | sequences.codes
        _, from_behind = np.unique(cells[::-1], return_index=True)
        keep = np.zeros(len(cells), np.bool_)
        keep[len(cells) - 1 - from_behind] = True
        distinct = sequences.where(keep)
        to_come = distinct.offsets[1:][distinct.numbers()] - 1 - np.arange(len(distinct.codes))
        several = np.diff(distinct.offsets)[distinct.numbers()] > 1
        kept = distinct.where((to_come < self.longest) & several)
        lengths = np.diff(kept.offsets)
        times = sequences.times[sequences.offsets[1:] - 1]
        found, events = kept.codes.astype(np.int64), np.array([len(sequences.codes)])
        return {"lengths": lengths[lengths > 0], "codes": found, "times": times[lengths > 0], "events": events}


@dataclass(frozen=True)
class PastSessions:
    """The newest sessions, and which of them have an item: session `s` is `offsets[s]:offsets[s + 1]` of `codes`.

    offsets   int64[sessions + 1]
    codes     int32[events]        canonical positions, in the order in which they were met
    times     int64[sessions]      ascending
    starts    int64[items + 1]     the sessions of item `i` are `holders[starts[i]:starts[i + 1]]`
    holders   int32[events]        ascending, so the newest last
    """

    offsets: npt.NDArray[np.int64]
    codes: npt.NDArray[np.int32]
    times: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    holders: npt.NDArray[np.int32]


def past_sessions(state: State, items: Items, canonical: Items, most: int) -> PastSessions:
    """The `most` newest sessions of the state; where there are no times, as many of them as a hash draws."""
    position = items.translation(canonical).astype(np.int64)
    codes = position[state["codes"]] if len(items) else state["codes"]
    ordered = in_order({**state, "codes": codes})
    newest = _selected(ordered, np.arange(max(0, len(ordered["lengths"]) - most), len(ordered["lengths"])))
    offsets = np.zeros(len(newest["lengths"]) + 1, np.int64)
    np.cumsum(newest["lengths"], out=offsets[1:])
    sessions = np.repeat(np.arange(len(offsets) - 1), newest["lengths"])
    by_item = np.argsort(newest["codes"], kind="stable")
    starts = np.searchsorted(newest["codes"][by_item], np.arange(len(canonical) + 1)).astype(np.int64)
    return PastSessions(
        offsets, newest["codes"].astype(np.int32), newest["times"], starts, sessions[by_item].astype(np.int32)
    )


def _together(left: State, right: State) -> State:
    return in_order(_beside(left, right))


def _beside(left: State, right: State) -> State:
    both = {name: np.concatenate([left[name], right[name]]) for name in ("lengths", "codes", "times")}
    return both | {"events": left["events"] + right["events"]}


def in_order(state: State) -> State:
    """The same sessions by time, then by a hash of their items."""
    return _selected(state, _ordered(state))


def _ordered(state: State) -> npt.NDArray[np.int64]:
    return np.lexsort((_hashes(state), state["times"]))


def _selected(state: State, sessions: npt.NDArray[np.int64]) -> State:
    offsets = np.append(0, np.cumsum(state["lengths"]))
    return {
        "lengths": state["lengths"][sessions],
        "codes": state["codes"][places_of(offsets, sessions)],
        "times": state["times"][sessions],
        "events": state["events"],
    }


def _hashes(state: State) -> npt.NDArray[np.uint64]:
    """uint64[sessions]: sums of codes, mixed with their places (the finaliser of MurmurHash3, Appleby)."""
    lengths = state["lengths"]
    starts = np.cumsum(lengths) - lengths
    places = np.arange(len(state["codes"])) - np.repeat(starts, lengths)
    mixed = (
        (state["codes"].astype(np.uint64) << np.uint64(32)) + places.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    )
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        mixed = (mixed ^ (mixed >> np.uint64(33))) * np.uint64(factor)
    mixed ^= mixed >> np.uint64(33)
    return np.add.reduceat(mixed, starts) if len(starts) else np.zeros(0, np.uint64)
