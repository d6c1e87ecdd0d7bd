"""The distribution of a column of numbers in one pass and bounded memory: quantiles within 1 % or exact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

# Buckets that grow by a fixed ratio answer every quantile with that relative error, whatever the distribution
# (DDSketch: Masson, Rim, Lee 2019). Values of one bucket are told by their mean, so few distinct values stay exact.
RATIO: Final = 1.02
EXACT: Final = 50_000  # distinct values, up to which each is a bucket of its own
SMALLEST: Final = 1e-300  # so that the bucket of a tiny number still has a number of its own
SIDE: Final = 100_000  # more than there are buckets on either side of zero
BARS: Final = 24
SKEWED: Final = 25.0  # 99 % quantile over median: from here on, bars grow by a ratio, too
SHARES: Final = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


@dataclass(frozen=True)
class Bar:
    """How many values lie from `low` (within) to `high` (without; within for the last bar)."""

    low: float
    high: float
    count: int


@dataclass(frozen=True)
class Numbers:
    """A distribution: extremes and mean exact, `quantiles` (share -> value) and `bars` too or else within one percent.

    The first and the last bar hold what lies beyond them as well. `infinite` counts NaN and infinities, left out else.
    """

    minimum: float
    maximum: float
    mean: float
    quantiles: dict[float, float]
    bars: tuple[Bar, ...]
    infinite: int

    @property
    def median(self) -> float:
        """The middle value."""
        return self.quantiles[0.5]


def numbers(frame: pl.LazyFrame, column: str, distinct: int | None = None) -> Numbers | None:
    """The distribution of a column of numbers; exact where few values differ; None where no value is finite."""
    value = pl.col("value")
    place = (value.abs().clip(SMALLEST).log() / np.log(RATIO)).ceil().cast(pl.Int32) + SIDE
    bucket = value if distinct is not None and distinct <= EXACT else value.sign().cast(pl.Int32) * place
    buckets = (
        frame.select(pl.col(column).cast(pl.Float64).alias("value"))
        .drop_nulls()
        .with_columns(bucket=pl.when(value.is_finite()).then(bucket))
        .group_by("bucket")
        .agg(
            pl.len().alias("count"),
            pl.col("value").mean().alias("mean"),
            pl.col("value").min().alias("low"),
            pl.col("value").max().alias("high"),
        )
        .sort("bucket")
        .collect(engine="streaming")
    )
    finite = buckets.drop_nulls("bucket")
    infinite = buckets.filter(pl.col("bucket").is_null())["count"].to_list()
    return None if finite.is_empty() else _told(finite, sum(infinite))


def _told(buckets: pl.DataFrame, infinite: int) -> Numbers:
    single = pl.when(pl.col("low") == pl.col("high")).then("low").otherwise("mean")  # a mean of equals may round
    means = buckets.select(single).to_series().to_numpy()
    counts = buckets["count"].to_numpy().astype(np.int64)
    reached = counts.cumsum()
    places = np.searchsorted(reached, np.array(SHARES) * reached[-1])
    quantiles = dict(zip(SHARES, means[places.clip(max=len(means) - 1)].tolist(), strict=True))
    return Numbers(
        minimum=float(buckets["low"][0]),
        maximum=float(buckets["high"][-1]),
        mean=float((means * (counts / counts.sum())).sum()),
        quantiles=quantiles,
        bars=bars(means, counts, quantiles),
        infinite=infinite,
    )


def bars(
    values: npt.NDArray[np.float64], counts: npt.NDArray[np.int64], quantiles: dict[float, float]
) -> tuple[Bar, ...]:
    """A histogram between the 1 % and the 99 % quantile, of equal steps or, where it is skewed, of equal ratios."""
    low, high = quantiles[0.01], quantiles[0.99]
    if len(values) <= BARS or low == high:
        return _single(values.tolist(), counts.tolist())
    skewed = low > 0 and high / quantiles[0.5] > SKEWED
    edges = np.geomspace(low, high, BARS + 1) if skewed else np.linspace(low, high, BARS + 1)
    places = (np.searchsorted(edges, values, side="right") - 1).clip(0, BARS - 1)
    heights = np.bincount(places, weights=counts, minlength=BARS).astype(np.int64).tolist()
    return tuple(Bar(*each) for each in zip(edges[:-1].tolist(), edges[1:].tolist(), heights, strict=True))


def _single(values: Sequence[float], counts: Sequence[int]) -> tuple[Bar, ...]:
    """One bar for each of a few values; of too many with one in the middle of all, the commonest."""
    kept = sorted(sorted(zip(counts, values, strict=True), reverse=True)[:BARS], key=lambda pair: pair[1])
    return tuple(Bar(value, value, count) for count, value in kept)
