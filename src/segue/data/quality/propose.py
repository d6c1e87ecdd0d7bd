"""Proposes rules from what is in the lake, each with the evidence for its bounds."""

from __future__ import annotations

import math
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
import polars as pl

from segue.data.lake.lake import Read
from segue.data.lake.snapshot import Snapshot
from segue.data.quality.check import RuleResult, check
from segue.data.quality.history import said
from segue.data.settings import Rule
from segue.domain import columns
from segue.domain.errors import DeclarationError

FEW = 30  # different values of a column that are listed one by one
FAR_DAYS = 90  # without an event, after which events are of another run of days
FEW_ROWS = 0.01  # of all: a run of days with fewer is astray
MOSTLY = 0.5
LEAST_DAYS = 28  # that a log has before its days are held against each other
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")  # control characters and line ends of all kinds
_LEAST = 1e-300  # number that has two digits
SLACK = 1.5  # what is broken now may become so many times as much
NUMBERS: Final = {"events": (columns.VALUE, columns.QUANTITY), "items": (columns.PRICE,), "users": ()}
LISTED: Final = {"events": (columns.TYPE,), "items": (columns.KIND, columns.CURRENCY), "users": ()}
FILLED: Final = {
    "events": (columns.USER, columns.ITEM, columns.TYPE, columns.TIME, columns.SESSION),
    "items": (columns.TITLE, columns.PRICE, columns.CATEGORIES),
    "users": (),
}
PATTERNS: Final = {
    "^[0-9]+$": "digits",
    "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$": "UUIDs",
    "^[A-Z]+[0-9]+$": "capital letters and digits",
    "^[A-Za-z]+[-_]?[0-9]+$": "letters and digits",
}


@dataclass(frozen=True)
class Proposal:
    """A rule and what in the data speaks for its bounds."""

    rule: Rule
    evidence: str

    def toml(self) -> str:
        """As it stands in segue.toml, the evidence as a comment."""
        lines = [f"{name} = {_toml(value)}" for name, value in said(self.rule).items()]
        return "\n".join([f"# {_UNSEEN.sub(' ', self.evidence)}", "[[rules]]", *lines, ""])


def propose(snapshot: Snapshot, now: datetime) -> list[Proposal]:
    """A first set: each rule is tried on the data, and gets the threshold at which what is there passes."""
    candidates = [candidate for name in ("events", "items", "users") for candidate in _candidates(snapshot, name)]
    results = check(snapshot, [candidate.rule for candidate in candidates], now)
    tried = zip(candidates, results, strict=True)
    fitted = (_fitted(candidate, result) for candidate, result in tried if result.checked)
    return [proposal for proposal in fitted if proposal is not None]


def write(path: Path, proposals: list[Proposal], now: datetime) -> None:
    """Add the rules to the end of segue.toml; what is there stays as it is.

    Raises `DeclarationError`, and leaves the file alone, where the new one would say anything else than the old one
    and these rules: names in the data come from strangers.
    """
    before = path.read_text(encoding="utf-8")
    head = f"\n# Proposed by `segue check --propose` on {now.date()} from what was in the lake.\n\n"
    text = before.rstrip("\n") + "\n" + head + "\n".join(each.toml() for each in proposals)
    _only_adds(text, before, [each.rule for each in proposals], path)
    aside = path.with_name(f".{path.name}.new")
    aside.write_text(text, encoding="utf-8")
    aside.replace(path)


def _candidates(snapshot: Snapshot, name: Read) -> Iterator[Proposal]:
    rows = {"events": snapshot.events, "items": snapshot.items, "users": snapshot.users}[name]()
    told = _Told(rows)
    if not told.rows:
        return
    yield Proposal(_rule(name, columns.ID, "unique"), f"{told.rows:,} rows")
    for column in FILLED[name]:
        if told.filled.get(column):
            yield Proposal(_rule(name, column, "null"), f"{told.filled[column]:,} of {told.rows:,} rows have it")
    for column in LISTED[name]:
        yield from _listed(rows, name, column)
    for column in NUMBERS[name]:
        yield from told.bounds(name, column)
    if name == "events":
        yield from _events(snapshot, rows, told)
    if name == "items":
        yield from _pattern(rows, name, columns.ID)


class _Told:
    """What one pass over a table tells of its columns."""

    def __init__(self, rows: pl.LazyFrame) -> None:
        schema = rows.collect_schema()
        numbers = [name for name, kind in schema.items() if kind == pl.Float64]
        moments = [name for name, kind in schema.items() if isinstance(kind, pl.Datetime)]
        asked = [pl.len().alias("rows"), pl.all().count().name.prefix("filled.")]
        cells = {name: pl.col(name).filter(pl.col(name).is_finite()) for name in numbers}
        asked += [
            getattr(cells.get(name, pl.col(name)), end)().alias(f"{end}.{name}")
            for end in ("min", "max")
            for name in numbers + moments
        ]
        asked += [cells[name].quantile(0.999).alias(f"q.{name}") for name in numbers]
        self._found = rows.select(asked).collect(engine="streaming").row(0, named=True)
        self.rows: int = self._found["rows"]
        self.filled = {name: self._found[f"filled.{name}"] for name in schema}

    def ends(self, column: str) -> tuple[Any, Any]:
        """The smallest and the largest that is finite; None where there is none."""
        return self._found.get(f"min.{column}"), self._found.get(f"max.{column}")

    def bounds(self, name: Read, column: str) -> Iterator[Proposal]:
        """A range with room above what is there."""
        low, high = self.ends(column)
        if low is None:
            return
        floor = 0.0 if low >= 0 else -_above(-2 * low)
        rule = _rule(name, column, "range", min=floor, max=_above(2 * high), severity="warning")
        usual = self._found[f"q.{column}"]
        yield Proposal(
            rule, f"{self.filled[column]:,} numbers from {low:g} to {high:g}, 99.9 % of them up to {usual:g}"
        )


def _events(snapshot: Snapshot, rows: pl.LazyFrame, told: _Told) -> Iterator[Proposal]:
    if snapshot.items().select(pl.len()).collect().item():
        rule = _rule("events", columns.ITEM, "known_item", severity="warning")
        yield Proposal(rule, "the catalog should have what people meet")
    yield from _pattern(rows, "events", columns.ITEM)
    first, last = told.ends(columns.TIME)
    if first is None:
        return
    days = _settled(rows)
    first, strays = max(first, days.start), days.strays
    evidence = f"times from {first} to {last}"
    if strays:
        evidence += f", but for {strays:,} rows more than {FAR_DAYS} days from all others: are their times read right?"
    yield Proposal(_rule("events", columns.TIME, "time_range", min=f"{first.year}-01-01", max="now"), evidence)
    same = tuple(name for name in (columns.USER, columns.ITEM, columns.TYPE, columns.TIME) if told.filled.get(name))
    twice = Rule(table="events", rule="duplicates", columns=same, severity="warning")
    yield Proposal(twice, f"equal in {', '.join(same)}")
    skew = Rule(table="events", rule="clock_skew", within="5m", severity="warning")
    yield Proposal(skew, "no event should happen after it was received")
    yield from _days(days.days, first, last)


@dataclass(frozen=True)
class _Settled:
    """The days on which nearly all events are, when they begin, and how many rows are far from them."""

    days: pl.Series
    start: datetime
    strays: int


def _settled(rows: pl.LazyFrame) -> _Settled:
    """Runs of days with longer gaps between them than `FAR_DAYS`, but for those that hold few rows: a time that was
    read wrong, such as 1970, should not say how fresh a log is."""
    day = pl.col(columns.TIME).dt.date().alias("day")
    counts = rows.select(day, columns.TIME).drop_nulls().group_by("day").agg(pl.len(), pl.col(columns.TIME).min())
    found = counts.sort("day").collect()
    run = (found["day"].diff().dt.total_days().fill_null(0) > FAR_DAYS).cum_sum()
    shares = found.with_columns(run=run).with_columns(share=pl.col("len").sum().over("run") / pl.col("len").sum())
    kept = shares.filter((pl.col("share") >= FEW_ROWS) | (pl.col("share") == pl.col("share").max()))
    return _Settled(kept["day"], kept[columns.TIME][0], int(found["len"].sum()) - int(kept["len"].sum()))


def _days(days: pl.Series, first: datetime, last: datetime) -> Iterator[Proposal]:
    """What needs some weeks: how fresh, how many, how many different, how distributed."""
    if (last - first) < timedelta(days=LEAST_DAYS):
        return
    gap = max(each.days for each in days.diff().drop_nulls())
    fresh = Rule(table="events", rule="freshness", within=f"{gap + 1}d", severity="warning")
    yield Proposal(fresh, f"{len(days):,} days with events, at most {gap} days from one to the next")
    yield Proposal(Rule(table="events", rule="volume", severity="warning"), f"{len(days):,} days with events")
    cardinality = _rule("events", columns.ITEM, "cardinality", severity="warning")
    yield Proposal(cardinality, "different items a day")
    middle = (first + (last - first) / 2).date()
    reference = f"{first.date()}/{middle}"
    for column in (columns.TYPE, columns.VALUE):
        rule = _rule("events", column, "drift", reference=reference, severity="warning")
        yield Proposal(rule, "the second half of the log against the first")


def _listed(rows: pl.LazyFrame, name: Read, column: str) -> Iterator[Proposal]:
    counts = rows.group_by(column).len().drop_nulls().sort("len", column, descending=[True, False])
    found = counts.head(FEW + 1).collect(engine="streaming")
    if not 0 < found.height <= FEW:
        return
    seen = ", ".join(f"{value} {count:,}" for value, count in found.head(6).iter_rows())
    rest = f" and {found.height - 6} more" if found.height > 6 else ""
    yield Proposal(_rule(name, column, "allowed", values=tuple(found[column])), f"all there are: {seen}{rest}")


def _pattern(rows: pl.LazyFrame, name: Read, column: str) -> Iterator[Proposal]:
    """The first pattern that nearly all different ids are of."""
    ids = rows.select(pl.col(column).unique()).collect(engine="streaming").to_series().drop_nulls()
    for pattern, words in PATTERNS.items():
        share = ids.str.contains(pattern).mean() if len(ids) else None
        if isinstance(share, float) and share >= 0.98:
            evidence = f"{share:.2%} of {len(ids):,} different ids are {words}"
            yield Proposal(_rule(name, column, "regex", pattern=pattern, severity="warning"), evidence)
            return


def _fitted(candidate: Proposal, result: RuleResult) -> Proposal | None:
    """The rule with the threshold, or limit, at which the data pass, and with what was found; None where none is."""
    rule, evidence = candidate.rule, candidate.evidence
    if result.statistic is not None and rule.rule == "drift":
        low, high = result.low or 0.0, result.high or 0.0
        evidence += f": {rule.statistic} {result.statistic:.3g} ({low:.3g} to {high:.3g})"
        limit = _above(SLACK * low) if result.broken else None
        return Proposal(msgspec.structs.replace(rule, limit=limit), evidence)
    if rule.rule == "freshness":
        return Proposal(rule, evidence) if result.passed else None  # the log has ended: nothing is waited for
    if result.share > MOSTLY:  # a rule that most of the data break would pass whatever comes
        return None
    evidence += f"; {result.broken:,} of {result.checked:,} break it" if result.broken else "; none breaks it"
    threshold = min(1.0, _above(SLACK * result.share)) if result.broken else 0.0
    return Proposal(msgspec.structs.replace(rule, threshold=threshold), evidence)


def _rule(table: Read, column: str, kind: str, **settings: Any) -> Rule:
    return Rule(table=table, column=column, rule=kind, **settings)


def _above(number: float) -> float:
    """The next number of two digits that is no smaller.

    >>> _above(0.01234), _above(190.4)
    (0.013, 200.0)
    """
    if number <= 0:
        return 0.0
    number = min(max(number, _LEAST), sys.float_info.max)
    digits = 1 - math.floor(math.log10(number))
    rounded = round(math.ceil(number * 10**digits - 1e-9) / 10**digits, max(digits, 0))
    return min(float(rounded), sys.float_info.max)


def _toml(value: Any) -> str:
    """A value as TOML writes it: strings, numbers and lists of them are written as in JSON, but for DEL.

    >>> _toml(("a\x7f", "b\\n"))
    '["a\\\\u007f","b\\\\n"]'
    """
    return _UNSEEN.sub(lambda found: "".join(f"\\u{ord(each):04x}" for each in found[0]), _json(value))


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _only_adds(text: str, before: str, rules: list[Rule], path: Path) -> None:
    """Refuse a text that says anything else than the one before and these rules."""
    try:
        old, new = tomllib.loads(before), tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _unwritten(f"with the proposals this would be no TOML: {error}", path) from error
    added = msgspec.convert([*new.pop("rules", [])[len(old.pop("rules", [])) :]], list[Rule])
    if old != new or added != rules:
        raise _unwritten("with the proposals this would say something else than before", path)


def _unwritten(problem: str, path: Path) -> DeclarationError:
    mend = "look at `segue check --propose` and write the rules that you want yourself"
    return DeclarationError(problem, where=str(path), mend=mend)


__all__ = ["Proposal", "propose", "write"]
