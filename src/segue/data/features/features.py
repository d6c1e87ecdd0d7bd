"""Features of requests as they could be known then: only events strictly before a request's moment count."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from segue.data.features.settings import Feature
from segue.data.features.timeline import Floats, Ints, Timeline, firsts
from segue.domain import columns
from segue.domain.errors import DeclarationError, MissingColumn

Clock = Literal["occurred", "received"]
DAY_US: Final = 86_400_000_000.0
_NOBODY: Final = -1  # the code of a key that is missing, in events or in requests


def features(
    events: pl.LazyFrame | pl.DataFrame,
    requests: pl.DataFrame,
    wanted: Mapping[str, Feature],
    clock: Clock = "occurred",
) -> pl.DataFrame:
    """The requests, in their order, with one column for each feature.

    `requests` has a `time` (a moment, not null) and the columns that features are `of`. An event counts for a request
    when it happened strictly before it: what happened at the very moment does not. Where `clock` is "received", it must
    have been received before it as well, and counts as if it had happened when it was received, so that what came late
    is late. A key that is null, or never seen, has counts of 0 and no recency. Raises `MissingColumn` where events or
    requests lack a column or a time.
    """
    for name, feature in wanted.items():
        feature.check(name)
        if name in requests.columns:
            raise DeclarationError(
                f"the requests have a column '{name}' already",
                where=f"[features.{name}]",
                mend="call the feature otherwise",
            )
    met = _Events(events, requests, wanted, clock)
    return requests.with_columns(pl.Series(name, met.feature(feature)) for name, feature in wanted.items())


class _Events:
    """The events in memory, as far as the features need them, and what was already made of them."""

    def __init__(
        self,
        events: pl.LazyFrame | pl.DataFrame,
        requests: pl.DataFrame,
        wanted: Mapping[str, Feature],
        clock: Clock,
    ) -> None:
        needed = _needed(wanted, clock)
        lazy = events.lazy()
        _have(lazy.collect_schema().names(), needed, "the events")
        _have(requests.columns, {columns.TIME, *(name for each in wanted.values() for name in each.of)}, "the requests")
        self._frame = lazy.select(sorted(needed)).collect(engine="streaming")
        self._requests = requests
        self._moments = _moments(self._frame, clock, "the events")
        self._asked = _moments(requests, "occurred", "the requests")
        self._keys: dict[tuple[str, ...], tuple[Ints, Ints]] = {}
        self._timelines: dict[tuple[Any, ...], Timeline] = {}

    def feature(self, feature: Feature) -> npt.NDArray[Any] | pl.Series:
        """One number for each request."""
        asked, moments = self._codes(feature.of)[1], self._asked
        match feature.kind:
            case "count":
                return self._timeline(feature.of, feature.types).count(asked, moments, feature.window_us())
            case "decayed":
                half_life = feature.half_life_days * DAY_US
                return self._timeline(feature.of, feature.types).decayed(asked, moments, half_life)
            case "recency":
                ages = self._timeline(feature.of, feature.types).age(asked, moments) / DAY_US
                return pl.Series(ages).fill_nan(None)
            case "distinct":
                return self._distinct(feature).count(asked, moments, None)
            case _:
                return self._rate(feature)

    def _rate(self, feature: Feature) -> Floats:
        """(hits + prior * strength) / (shown + strength): the mean of a Beta posterior whose prior is worth `strength`.

        Where no prior is given it is the rate of everything in the window so far, 0 before the first.
        """
        hits, shown = self._counts(feature, feature.of, feature.types), self._counts(feature, feature.of, feature.per)
        prior: Floats | float
        if feature.prior is None:
            all_hits, all_shown = self._counts(feature, (), feature.types), self._counts(feature, (), feature.per)
            prior = np.divide(all_hits, all_shown, out=np.zeros(len(hits)), where=all_shown > 0)
        else:
            prior = feature.prior
        rates: Floats = (hits + prior * feature.strength) / (shown + feature.strength)
        return rates

    def _counts(self, feature: Feature, of: tuple[str, ...], types: tuple[str, ...]) -> Ints:
        return self._timeline(of, types).count(self._codes(of)[1], self._asked, feature.window_us())

    def _timeline(self, of: tuple[str, ...], types: tuple[str, ...]) -> Timeline:
        name = (of, frozenset(types))
        if name not in self._timelines:
            codes, chosen = self._codes(of)[0], self._chosen(of, types)
            self._timelines[name] = Timeline.of(codes[chosen], self._moments[chosen])
        return self._timelines[name]

    def _distinct(self, feature: Feature) -> Timeline:
        """The first event of each key with each value: as many before a moment as there were different ones."""
        name = (feature.of, frozenset(feature.types), feature.what)
        if name not in self._timelines:
            values = _dense(self._frame.select(feature.what))
            chosen = self._chosen(feature.of, feature.types)
            chosen = chosen[values[chosen] != _NOBODY]
            codes, moments = self._codes(feature.of)[0][chosen], self._moments[chosen]
            first = firsts(codes, moments, values[chosen])
            self._timelines[name] = Timeline.of(codes[first], moments[first])
        return self._timelines[name]

    def _chosen(self, of: tuple[str, ...], types: tuple[str, ...]) -> Ints:
        chosen = self._codes(of)[0] != _NOBODY
        if types:
            chosen = chosen & self._frame[columns.TYPE].is_in(list(types)).to_numpy()
        return np.flatnonzero(chosen)

    def _codes(self, of: tuple[str, ...]) -> tuple[Ints, Ints]:
        """int64 codes of the key, of the events and of the requests; alike where all its columns are alike."""
        if not of:
            return np.zeros(len(self._moments), np.int64), np.zeros(len(self._asked), np.int64)
        if of not in self._keys:
            types = {name: self._frame.schema[name] for name in of}
            asked = self._requests.select(pl.col(name).cast(kind) for name, kind in types.items())
            codes = _dense(pl.concat([self._frame.select(of), asked]))
            self._keys[of] = codes[: len(self._moments)], codes[len(self._moments) :]
        return self._keys[of]


def _dense(keys: pl.DataFrame) -> Ints:
    """int64 codes of rows, alike where the rows are; -1 where a column is null."""
    coded = keys.unique().with_row_index("code of key")
    joined = keys.join(coded, on=keys.columns, how="left", maintain_order="left")  # null meets nothing, not even null
    codes: Ints = joined["code of key"].cast(pl.Int64).fill_null(_NOBODY).to_numpy()
    return codes


def _needed(wanted: Mapping[str, Feature], clock: Clock) -> set[str]:
    needed = {columns.TIME} | ({columns.RECEIVED} if clock == "received" else set())
    for feature in wanted.values():
        needed |= set(feature.of)
        needed |= {columns.TYPE} if feature.types or feature.per else set()
        needed |= {feature.what} if feature.kind == "distinct" else set()
    return needed


def _moments(rows: pl.DataFrame, clock: Clock, whose: str) -> Ints:
    if missing := rows[columns.TIME].null_count():
        raise MissingColumn(
            f"features need a time for every row of {whose}, {missing} of {rows.height} have none",
            where=columns.TIME,
            mend="leave those rows out, or map the column that says when it happened",
        )
    time = pl.col(columns.TIME) if clock == "occurred" else pl.max_horizontal(columns.TIME, columns.RECEIVED)
    moments: Ints = rows.select(time.cast(pl.Datetime("us", "UTC")).dt.epoch("us")).to_series().to_numpy()
    return moments


def _have(there: list[str], needed: set[str], whose: str) -> None:
    for name in sorted(needed - set(there)):
        raise MissingColumn(f"{whose} have no column '{name}'", where=name, mend=f"they have: {', '.join(there)}")


__all__ = ["Clock", "Feature", "features"]
