"""Splits: what is learned from, and what is held back to judge by.

The training part is a view of the prepared dataset: one byte a row says what is held back. The rows of the people who
are judged are copied, 17 bytes each: histories lie end to end, and those of some people are not end to end in all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from segue.data.interactions import NO_ORDER
from segue.data.split.view import Rows, View, ragged
from segue.domain.errors import DataError, MissingColumn
from segue.domain.requests import NO_TIME, Histories
from segue.engines.engine import Dataset, Key

DAY_US: Final = 86_400_000_000

Counting: TypeAlias = npt.NDArray[np.bool_] | None
"""bool[items]: items that may judge though nobody had them in the training part, such as those that the catalog
describes (`engines.content.described`); None for none of them."""


@dataclass(frozen=True)
class Held:
    """What is asked, and what would have been right: row `r` of both histories is person `people[r]`.

    people     int32 person codes, ascending
    histories  what each person did in the training part, oldest first, in `dataset.items` codes
    truth      what each person then did, without items that the training part never saw (those of `counting` stay);
               never empty
    now        the moment that is asked at, microseconds since 1970 UTC; None where the data have no times

    Both are copies, of these people's rows only: item (4 bytes), weight (4), time (8) and type (1) of each.
    """

    people: npt.NDArray[np.int32]
    histories: Histories
    truth: Histories
    now: int | None


@dataclass(frozen=True)
class Split:
    """A training part, and people held against it.

    Every row of the data is either in `train` or one of the `test_rows`. `left_out` counts the test rows that judge
    nobody, by reason: "new person" (nothing of theirs is in the training part) and "new item" (nobody did anything with
    it in the training part, so no model of what people do knows it; unless it is one of `counting`). `description` says
    in words what is held back.
    """

    train: Dataset
    test: Held
    name: str
    description: str
    test_rows: int
    left_out: dict[str, int] = field(default_factory=dict)


def split_by_time(
    prepared: Dataset, test_days: float | None = None, fraction: float | None = None, *, counting: Counting = None
) -> Split:
    """Everything from one moment on is held back: the last `test_days`, or the last `fraction` of the events.

    `prepared` is prepared by user. The moment is the same for everybody, so nothing is learned from anybody's future.
    Without `test_days` and `fraction`, a fifth of the events is held back. Events of one moment stay together: the
    share that is held back is the nearest to `fraction` that the times allow, and the description says which it is.
    Of `counting` see `Split`; it means the same in all splits.
    """
    rows = _rows(prepared)
    _needs_times(prepared, rows)
    if test_days is not None:
        cut = int(rows.time.max()) - round(test_days * DAY_US) + 1
        words = (
            f"the last {test_days:g} days are held back, {100 * float((rows.time >= cut).mean()):.3g}% of the events"
        )
    else:
        fraction = _share(fraction if fraction is not None else 0.2)
        cut = _moment(rows.time, fraction)
        words = _last_share(float((rows.time >= cut).mean()), fraction)
    return _split(prepared, rows, rows.time >= cut, "time", words, cut, counting)


def split_last(prepared: Dataset, k: int = 1, *, counting: Counting = None) -> Split:
    """The last `k` different items of each person are held back: the longest end of the history that has no more.

    A history `a b a c c` ends, at k = 1, in `c c`, and at k = 2 in `a c c`. Nothing after the cut is learned from or in
    the history; what was before stays there, also of the items that come again: the second `a` is then a repeat, which
    counts as found only where lists may have what was seen (`seen = "ranked"`). Without repeats these are the last `k`
    events. Who has no more than `k` different items is only learned from.
    """
    if k < 1:
        raise DataError(f"leave-last-out holds back at least 1 item of each person, found {k}", where="last")
    rows = _rows(prepared)
    if not rows.ordered:
        raise _refusal(rows, "leave-last-out needs a time or an order for every event", prepared)
    to_come = _items_to_come(rows)
    most = np.zeros(len(rows.offsets) - 1, np.int64)
    np.maximum.at(most, rows.user, to_come)
    held = (to_come <= k) & (most > k)[rows.user]
    if not held.any():
        raise DataError(
            f"leaving the last {k} out judges people with more than {k} different items, and nobody has more than "
            f"{most.max()}",
            where="last",
            mend="leave fewer out" if k > 1 else "split in another way",
        )
    words = "each person's last " + ("item is" if k == 1 else f"{k} different items are") + " held back"
    return _split(prepared, rows, held, "last", words, rows.now, counting)


def split_random(
    prepared: Dataset,
    fraction: float = 0.2,
    seed: int = 0,
    *,
    part: tuple[int, int] = (0, 1),
    counting: Counting = None,
) -> Split:
    """A share of each person's items is held back, drawn by a hash of seed, person and item; at least one stays.

    All events of a person with an item go together, and the draw depends on nothing but the seed and the two codes.
    With `part`, such as (0, 5), a fifth of what is drawn is held back, and (1, 5) to (4, 5) hold back the rest of it.
    """
    fraction = _share(fraction)
    rows = _rows(prepared)
    held = _drawn(rows, fraction, seed, *part)
    words = f"{100 * fraction:.3g}% of each person's items are held back, drawn with seed {seed}"
    words += "" if part[1] == 1 else f", part {part[0] + 1} of {part[1]} of them"
    return _split(prepared, rows, held, "random", words, rows.now, counting)


def split_files(train: Dataset, test: Dataset, *, counting: Counting = None) -> Split:
    """Learn from some files, judge by others: two datasets of one snapshot, both prepared by user."""
    if train.items != test.items or train.users != test.users or train.types != test.types:
        raise DataError(
            "the two parts of a split by files speak of different items, people or event types",
            mend="make both with interactions(snapshot, source, cache, batches=...) of the same snapshot",
        )
    rows, future = _rows(train), _rows(test)
    nothing = np.zeros(len(rows.item), np.bool_)
    held, left_out = _held(rows, nothing, future, np.ones(len(future.item), np.bool_), rows.now, counting)
    words = "the events of other files are held back" + _aside(counting)
    return Split(View(train, rows.offsets, nothing, "files"), held, "files", words, test.rows, left_out)


def allowed(prepared: Dataset) -> tuple[str, ...]:
    """The splits that the data allow by themselves: of "time", "last" and "random"."""
    return _allowed(_rows(prepared))


def _split(
    prepared: Dataset,
    rows: Rows,
    test: npt.NDArray[np.bool_],
    name: str,
    words: str,
    now: int | None,
    counting: Counting,
) -> Split:
    held, left_out = _held(rows, test, rows, test, now, counting)
    view = View(prepared, rows.offsets, test, words)
    return Split(view, held, name, words + _aside(counting), int(test.sum()), left_out)


def _aside(counting: Counting) -> str:
    return "" if counting is None else "; items of the catalog count though nobody had them before"


def _held(
    past: Rows,
    away: npt.NDArray[np.bool_],
    future: Rows,
    test: npt.NDArray[np.bool_],
    now: int | None,
    counting: Counting,
) -> tuple[Held, dict[str, int]]:
    """The people to judge by: `past` without `away` is what is known of them, `future` where `test` what they did."""
    users, items = len(past.offsets) - 1, past.items
    known_items = np.zeros(items, np.bool_) if counting is None else counting.copy()
    known_items[past.item[~away]] = True
    has_past = np.bincount(past.user[~away], minlength=users) > 0
    place = np.flatnonzero(test)
    left_out: dict[str, int] = {}
    for reason, known in (("new person", has_past[future.user]), ("new item", known_items[future.item])):
        stays = known[place]
        if not stays.all():
            left_out[reason] = int(len(place) - stays.sum())
        place = place[stays]
    if not len(place):
        raise _nobody(int(test.sum()), left_out)
    people = np.unique(future.user[place])
    chosen = ~away & np.isin(past.user, people)
    histories = ragged(past, np.flatnonzero(chosen), people)
    return Held(people.astype(np.int32), histories, ragged(future, place, people), now), left_out


def _nobody(test_rows: int, left_out: dict[str, int]) -> DataError:
    reasons = ", ".join(f"{reason}: {count:,}" for reason, count in left_out.items())
    held = "1 event that is" if test_rows == 1 else f"{test_rows:,} events that are"
    why = f"none of the {held} held back is left ({reasons})" if test_rows else "no event is held back"
    return DataError(
        f"nobody can be judged by this split: {why}",
        mend="hold back more or less, or split in another way; people with two items or more are needed",
    )


def _moment(time: npt.NDArray[np.int64], fraction: float) -> int:
    """From when on `fraction` of the events are held back, or as near to it as events of one moment allow; never from
    the first moment on where there are several."""
    count = len(time)
    place = min(max(count - round(count * fraction), 1), count - 1)
    moment = int(np.partition(time, place)[place])
    before, through = int((time < moment).sum()), int((time <= moment).sum())
    if through < count and (not before or through - place < place - before):
        return int(time[time > moment].min())
    return moment


def _last_share(share: float, wanted: float) -> str:
    """The words for what is held back: the real share, and the one that was asked for where it is another."""
    real, asked = f"{100 * share:.3g}%", f"{100 * wanted:.3g}%"
    aside = "" if real == asked else f" (nearest to the {asked} asked for)"
    return f"the last {real} of the events are held back{aside}"


def _items_to_come(rows: Rows) -> npt.NDArray[np.int64]:
    """int64[rows]: how many different items a person has from each event on; 1 for the last."""
    count = len(rows.item)
    pair = rows.user.astype(np.int64) * rows.items + rows.item
    last = np.zeros(count, np.int64)
    last[count - 1 - np.unique(pair[::-1], return_index=True)[1]] = 1  # the last event of a person with an item
    from_here = np.cumsum(last[::-1])[::-1]
    after = np.append(from_here, 0)[rows.offsets[1:]]  # those of all people behind
    return np.asarray(from_here - after[rows.user])


def _drawn(rows: Rows, fraction: float, seed: int, part: int, parts: int) -> npt.NDArray[np.bool_]:
    """Of each person's n items those with the smallest hashes: round(n * fraction), never all; and of them a part.

    People begin with different parts, so that those with few items are not all in the first.
    """
    hashes = _mixed(rows.user.astype(np.int64) * rows.items + rows.item, seed)
    order = np.lexsort((hashes, rows.user))
    person, hashes = rows.user[order], hashes[order]
    new = np.ones(len(order), np.bool_)
    new[1:] = (hashes[1:] != hashes[:-1]) | (
        person[1:] != person[:-1]
    )  # equal hashes are equal items: it is a bijection
    items = np.bincount(person[new], minlength=len(rows.offsets) - 1)
    wanted = np.minimum(np.rint(items * fraction).astype(np.int64), np.maximum(items - 1, 0))
    rank = np.cumsum(new) - 1 - (np.cumsum(items) - items)[person]
    held = np.empty(len(order), np.bool_)
    held[order] = (rank < wanted[person]) & ((rank + person) % parts == part)
    return held


def _mixed(values: npt.NDArray[np.int64], seed: int) -> npt.NDArray[np.uint64]:
    """uint64 hashes: the finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014), started at the seed."""
    start = np.uint64(0x9E3779B97F4A7C15 * (2 * seed + 1) % 2**64)
    mixed = values.astype(np.uint64) + start
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def _rows(prepared: Dataset) -> Rows:
    if prepared.key is not Key.USER:
        raise DataError(
            f"a split needs a dataset prepared by user, this one is keyed by {prepared.key or 'nothing'}",
            mend="engine.prepare(dataset, Key.USER) brings each person's rows together",
        )
    if prepared.rows == 0:
        raise DataError(
            "there is nothing to split: no event weighs anything for learning",
            mend="are events ingested, and does any of their types weigh more than 0 under [events.types]?",
        )
    return Rows.of(prepared)


def _needs_times(prepared: Dataset, rows: Rows) -> None:
    if not rows.timed:
        raise _refusal(rows, "a split by time needs a time for every event", prepared)


def _refusal(rows: Rows, problem: str, prepared: Dataset) -> MissingColumn:
    without = int((rows.time == NO_TIME).sum())
    orderless = int(((rows.time == NO_TIME) & (rows.order == NO_ORDER)).sum())
    found = f"{without} of {prepared.rows} have no time" + (
        f", {orderless} of them no order either" if orderless else ""
    )
    return MissingColumn(
        f"{problem}: {found}",
        where="time" if "by time" in problem else "order",
        mend=f"these data allow: {', '.join(_allowed(rows))}, and files if you name a test file",
    )


def _allowed(rows: Rows) -> tuple[str, ...]:
    return tuple(name for name, can in (("time", rows.timed), ("last", rows.ordered), ("random", True)) if can)


def _share(fraction: float) -> float:
    if not 0 < fraction < 1:
        raise DataError(f"expected a share between 0 and 1, found {fraction}", where="fraction")
    return fraction


__all__ = ["Held", "Split", "allowed", "split_by_time", "split_files", "split_last", "split_random"]
