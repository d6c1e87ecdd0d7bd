"""Robots: who acts far faster, more evenly or more narrowly than people do, and the evidence for it."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from segue.data.features.timeline import Timeline
from segue.data.identity.settings import RobotSettings
from segue.data.lake.snapshot import Snapshot
from segue.domain import columns

SECOND: Final = 1_000_000
HOUR_US: Final = 3_600 * SECOND
_PERSON: Final = "person"
_NEARLY: Final = 0.9
_EVEN: Final = 0.02  # equal intervals differ by less than this share
_FORMAT: Final = 1

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Robot:
    """Somebody who is taken for a robot. `evidence` says, for each rule that was broken, the most that was found."""

    code: int
    events: int
    evidence: dict[str, float | str] = field(default_factory=dict)

    def why(self) -> str:
        """The evidence in words."""
        return "; ".join(_WORDS[rule].format(found) for rule, found in self.evidence.items())


def robots(
    snapshot: Snapshot, settings: RobotSettings, who: npt.NDArray[np.int32], cache: Path | None = None
) -> list[Robot]:
    """The robots of a snapshot, those with the most events first; `who` says whom each person code counts for.

    Without times there is no rate to go by, and only user agents tell. What was found is remembered in `cache`.
    """
    said = (_FORMAT, snapshot.fingerprint, msgspec.json.encode(settings), who.tobytes())
    path = None if cache is None else cache / f"robots-{blake2b(repr(said).encode(), digest_size=16).hexdigest()}.json"
    if path is not None and path.is_file():
        return [Robot(**told) for told in json.loads(path.read_text())]
    found = _found(snapshot, settings, who)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        draft.write_text(json.dumps([vars(robot) for robot in found]))
        draft.replace(path)
    return found


def sentence(found: Sequence[Robot], verb: str = "are left out") -> str:
    """How many there are, for a person to read.

    >>> sentence([Robot(7, 41_000), Robot(9, 200)])
    '2 robots with 41,200 events are left out (`segue robots` says why)'
    """
    verb = verb.replace("are", "is") if len(found) == 1 else verb
    events = sum(robot.events for robot in found)
    robots = "1 robot" if len(found) == 1 else f"{len(found):,} robots"
    return f"{robots} with {events:,} events {verb} (`segue robots` says why)"


def _found(snapshot: Snapshot, settings: RobotSettings, who: npt.NDArray[np.int32]) -> list[Robot]:
    changed = np.flatnonzero(who != np.arange(len(who)))
    person = pl.coalesce(columns.USER, columns.VISITOR)
    if len(changed):
        person = person.replace(pl.Series(changed, dtype=pl.Int32), pl.Series(who[changed], dtype=pl.Int32))
    events = snapshot.coded_events().with_columns(person.alias(_PERSON))
    events = events.filter(pl.col(_PERSON).is_not_null())
    evidence: dict[int, dict[str, float | str]] = {}
    busy = _busy(events, settings)
    for rule, found in [*_by_pace(busy, settings), *_by_item(busy, settings), *_by_agent(events, settings)]:
        for code, value in found.items():
            evidence.setdefault(code, {})[rule] = value
    counts = events.filter(pl.col(_PERSON).is_in(list(evidence))).group_by(_PERSON).len().collect(engine="streaming")
    made = [Robot(code, count, evidence[code]) for code, count in counts.iter_rows()]
    return sorted(made, key=lambda robot: (-robot.events, robot.code))


Found = tuple[str, dict[int, float | str]]


def _busy(events: pl.LazyFrame, settings: RobotSettings) -> pl.LazyFrame:
    """The timed events of people with enough of them in a day for any of the rules: few, so that looking is cheap."""
    timed = events.filter(pl.col(columns.TIME).is_not_null())
    least = min(settings.per_minute, settings.per_hour, settings.per_day, settings.regular // 2, settings.same_item)
    for of in ([_PERSON], [_PERSON, pl.col(columns.TIME).dt.date().alias("of")]):
        many = timed.group_by(of).len().filter(pl.col("len") >= least).select(pl.col(_PERSON).unique())
        timed = timed.join(many.collect(engine="streaming").lazy(), on=_PERSON, how="semi")
    return timed


def _by_pace(busy: pl.LazyFrame, settings: RobotSettings) -> list[Found]:
    moments = busy.group_by(_PERSON, columns.TIME)
    rows = moments.agg(pl.col(columns.ITEM).min()).collect(engine="streaming")
    time: Ints = rows[columns.TIME].dt.epoch("us").to_numpy()
    line = Timeline.of(rows[_PERSON].cast(pl.Int64).to_numpy(), time)
    spans = (("per_minute", 60), ("per_hour", 3_600), ("per_day", 86_400))
    found = [
        (rule, _most(line.codes, line.count(line.codes, line.moments + 1, span * SECOND), getattr(settings, rule)))
        for rule, span in spans
    ]
    items = rows[columns.ITEM].fill_null(-1).to_numpy()[line.order]
    return [*found, ("regular", _most(line.codes, _even(line, items, settings.regular), settings.regular))]


def _even(line: Timeline, items: npt.NDArray[np.int32], least: int) -> Ints:
    """int64[moments]: how many of the person's moments so far came at equal intervals, 0 unless nearly all of the last
    `least` did and most of those were with another item than the one before: a lost row or a repeat hides no robot."""
    gap = np.diff(line.moments, prepend=line.moments[:1]).astype(np.float64)
    even, other = np.zeros(len(gap), np.bool_), np.zeros(len(gap), np.bool_)
    same = (line.codes[2:] == line.codes[1:-1]) & (line.codes[2:] == line.codes[:-2])
    even[2:] = same & (gap[2:] > 0) & (gap[2:] <= HOUR_US) & (np.abs(gap[2:] - gap[1:-1]) <= _EVEN * gap[2:])
    other[1:] = items[1:] != items[:-1]
    evens, others = (np.concatenate([[0], np.cumsum(flags)]) for flags in (even, even & other))
    place = np.arange(len(gap))
    since = np.maximum(place + 1 - least, line.start(line.codes))
    found = (evens[place + 1] - evens[since] >= _NEARLY * least) & (others[place + 1] - others[since] >= least // 2)
    return np.where(found, np.maximum(least, evens[place + 1] - evens[line.start(line.codes)]), 0)


def _most(codes: Ints, counts: Ints, least: int) -> dict[int, float | str]:
    """The largest count of each person who has one of at least `least`."""
    chosen = counts >= least
    most = pl.DataFrame({"code": codes[chosen], "count": counts[chosen]}).group_by("code").max()
    return dict(most.iter_rows())


def _by_item(busy: pl.LazyFrame, settings: RobotSettings) -> list[Found]:
    timed = busy.filter(pl.col(columns.ITEM).is_not_null())
    day = pl.col(columns.TIME).dt.date().alias("of")
    many = timed.group_by(_PERSON, day, columns.ITEM).len().filter(pl.col("len") >= settings.same_item)
    most = many.group_by(_PERSON).agg(pl.col("len").max()).collect(engine="streaming")
    return [("same_item", dict(most.iter_rows()))]


def _by_agent(events: pl.LazyFrame, settings: RobotSettings) -> list[Found]:
    if settings.agent is None or not settings.agents:
        return []
    agent = pl.col(columns.CONTEXT).str.json_path_match(f"$['{settings.agent}']")
    pattern = "(?i)" + "|".join(f"(?:{each})" for each in settings.agents)
    matched = events.select(_PERSON, agent=agent).filter(pl.col("agent").str.contains(pattern))
    named = matched.group_by(_PERSON).agg(pl.col("agent").min()).collect(engine="streaming")
    return [("agent", dict(named.iter_rows()))]


_WORDS: Final[dict[str, str]] = {
    "per_minute": "{:,} moments in a minute",
    "per_hour": "{:,} moments in an hour",
    "per_day": "{:,} moments in a day",
    "regular": "{:,} moments at equal intervals",
    "same_item": "{:,} events with one item in a day",
    "agent": "user agent {}",
}


def rows(found: Sequence[Robot], ids: Sequence[str]) -> list[dict[str, Any]]:
    """One row a robot for a table; `ids` are people by code, as `person_key` names them."""
    kinds = {"u": "user", "v": "visitor"}
    return [
        {
            "person": ids[robot.code][2:],
            "kind": kinds[ids[robot.code][0]],
            "events": robot.events,
            "evidence": robot.why(),
        }
        for robot in found
    ]
