"""The rule on distributions: what came later against a reference, by PSI, KS or Jensen-Shannon, with an interval."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from segue.data.quality.distance import Counts, statistics
from segue.data.quality.kinds import Finding
from segue.data.quality.table import CheckedTable, needed, refused
from segue.data.settings import Rule
from segue.domain import columns

Places = npt.NDArray[np.int64]

BINS = 10  # of numbers: between the deciles of the reference, as PSI is mostly computed
NAMED = 50  # values that are held against each other singly: of text, the rest together; of numbers, if no more
REPEATED = 5  # rows that few numbers have each, on average; else they are samples of many, as in a small table
KS_BINS = 512  # of numbers, for KS: more resolve no more than the interval does
DISTINCT = 1 << 16  # numbers that are counted exactly; with more of them, all are rounded to 10 binary digits
DRAWS = 400  # of the bootstrap
LIMITS: Final = {"psi": 0.25, "ks": 0.1, "js": 0.1}  # PSI: Siddiqi, Credit Risk Scorecards (2006)


class Drift:
    """Counts of each value in the reference and in what came after it; all statistics come from these."""

    def __init__(self, rule: Rule, table: CheckedTable) -> None:
        column = table.column(rule)
        self._rule, self._table, self._cell = rule, table, pl.col(column)
        self._numeric = table.schema[column].is_numeric()
        if rule.statistic == "ks" and not self._numeric:
            raise refused(rule, f"'{column}' holds no numbers, which KS compares", 'use statistic = "psi" or "js"')
        self._side, by = _side(rule, table)
        self.columns = tuple(dict.fromkeys((column, by)))
        self._counts = pl.DataFrame(schema={"later": pl.Boolean, "cell": pl.Float64, "len": pl.UInt32})
        self._rounded = False
        self._parts: list[pl.DataFrame] = []

    def update(self, batch: pl.DataFrame) -> None:
        """Count each value on its side."""
        cell = self._cell.cast(pl.Float64) + 0.0 if self._numeric else self._cell
        rows = batch.lazy().select(later=self._side, cell=cell).drop_nulls()
        counted = self._merged([rows.group_by("later", "cell").len().collect()])
        self._parts.append(counted)
        if sum(part.height for part in self._parts) > 4 * DISTINCT:
            self._parts = [self._merged(self._parts)]

    def finding(self) -> Finding:
        """Broken where even the lower end of the statistic's 95 % interval is above `limit`."""
        counts = self._merged(self._parts) if self._parts else None
        if counts is None or counts["later"].n_unique() < 2:
            return Finding(0, 0, ("nothing to compare",))
        before, later, names = self._binned(counts)
        name = self._rule.statistic
        statistic, (low, high) = float(statistics(name, before, later)), interval(name, before, later)
        limit = LIMITS[name] if self._rule.limit is None else self._rule.limit
        return Finding(1, int(low > limit), _moved(before, later, names), statistic, low, high)

    def _merged(self, parts: list[pl.DataFrame]) -> pl.DataFrame:
        """Counts of several batches as one; rounded from the first moment at which there are too many numbers."""
        counts = _summed(pl.concat(parts))
        if not self._numeric:
            return counts
        if not self._rounded and counts["cell"].n_unique() > DISTINCT:
            self._rounded = True
            self._parts = [_summed(_rounded(part)) for part in self._parts]
        return _summed(_rounded(counts)) if self._rounded else counts

    def _binned(self, counts: pl.DataFrame) -> tuple[Counts, Counts, list[str]]:
        wide = counts.pivot("later", index="cell", values="len", aggregate_function="sum").fill_null(0)
        wide = wide.rename({"false": "before", "true": "later"})
        if self._numeric:
            return _of_numbers(wide.sort("cell"), KS_BINS if self._rule.statistic == "ks" else BINS)
        texts = wide.with_columns(cell=self._texts(wide["cell"]))
        ordered = texts.sort(pl.col("before") + pl.col("later"), "cell", descending=[True, False])
        names = [str(name) for name in ordered["cell"].head(NAMED)] + ["all others"]
        sides = [_with_rest(ordered[side].to_numpy().astype(float)) for side in ("before", "later")]
        return sides[0], sides[1], names

    def _texts(self, cells: pl.Series) -> pl.Series:
        column = self._rule.column
        found = self._table.texts(column).gather(cells) if column in self._table.coded else cells
        return found.cast(pl.String)


def drift(rule: Rule, table: CheckedTable) -> Drift:
    """What came after the reference is distributed otherwise than it."""
    return Drift(rule, table)


def interval(name: str, before: Counts, later: Counts, seed: int = 7) -> tuple[float, float]:
    """95 %: both sides drawn again from their shares, and the basic bootstrap, which takes off the statistic's bias
    (a distance of two samples of one distribution is never 0). Davison and Hinkley, Bootstrap Methods (1997), 5.2.
    Where taking it off moves the interval past the statistic, it is widened to hold it."""
    generator = np.random.default_rng(seed)
    drawn = [generator.multinomial(int(side.sum()), side / side.sum(), DRAWS).astype(float) for side in (before, later)]
    draws = statistics(name, drawn[0], drawn[1])
    found = float(statistics(name, before, later))
    low, high = np.quantile(draws, [0.025, 0.975])
    return min(found, max(0.0, 2 * found - float(high))), max(found, 2 * found - float(low))


def _side(rule: Rule, table: CheckedTable) -> tuple[pl.Expr, str]:
    """False for rows of the reference, True for those after it, null for others; and the column that it goes by."""
    said = needed(rule, "reference", 'reference = "2026-01-01/2026-02-01", or a moment of arrival')
    first, _, last = said.partition("/")
    if not last:
        received = table.column(rule, columns.RECEIVED)
        return pl.col(received) > _end(table.moment(rule, first), first), received
    name = columns.TIME if columns.TIME in table.schema else columns.RECEIVED
    time, start, end = pl.col(name), table.moment(rule, first), _end(table.moment(rule, last), last)
    return pl.when(time >= end).then(True).when(time >= start).then(False), name  # noqa: FBT003


def _end(moment: datetime, text: str) -> datetime:
    """A day that is named as an end counts whole."""
    return moment + timedelta(days=1) if len(text) == len("2026-01-31") else moment


def _summed(counts: pl.DataFrame) -> pl.DataFrame:
    return counts.group_by("later", "cell").agg(pl.col("len").cast(pl.Int64).sum())


def _rounded(counts: pl.DataFrame) -> pl.DataFrame:
    mantissa, exponent = np.frexp(counts["cell"].to_numpy())
    return counts.with_columns(cell=pl.Series(np.ldexp(np.round(mantissa * 1024) / 1024, exponent)))


def _of_numbers(wide: pl.DataFrame, bins: int) -> tuple[Counts, Counts, list[str]]:
    """Finite numbers in bins; of those that are none, -inf is a bin below them all, inf and NaN are bins above."""
    finite = wide.filter(pl.col("cell").is_finite())
    below = wide.filter(pl.col("cell") == -math.inf)
    above = wide.filter(pl.col("cell").is_nan() | (pl.col("cell") == math.inf))
    before, later, names = _by_quantiles(finite, bins) if finite.height else (np.zeros(0), np.zeros(0), [])
    sides = [
        np.concatenate([below[side].to_numpy(), counts, above[side].to_numpy()]).astype(float)
        for side, counts in (("before", before), ("later", later))
    ]
    return (
        sides[0],
        sides[1],
        [*(f"{cell:g}" for cell in below["cell"]), *names, *(f"{cell}" for cell in above["cell"])],
    )


def _by_quantiles(wide: pl.DataFrame, bins: int) -> tuple[Counts, Counts, list[str]]:
    """Counts between quantiles of both sides together for KS, of the reference for the others (`_cuts`)."""
    cells = wide["cell"].to_numpy()
    before, later = (wide[side].to_numpy().astype(float) for side in ("before", "later"))
    cuts = _quantiles(before + later, bins) if bins == KS_BINS else _cuts(before, later, bins)
    starts = np.concatenate([[0], cuts[cuts < len(cells) - 1] + 1])
    ends = np.concatenate([starts[1:] - 1, [len(cells) - 1]])
    names = [f"{cells[a]:g} to {cells[b]:g}" if a < b else f"{cells[a]:g}" for a, b in zip(starts, ends, strict=True)]
    return np.add.reduceat(before, starts), np.add.reduceat(later, starts), names


def _cuts(before: Counts, later: Counts, bins: int) -> Places:
    """The last place of each bin: few values that repeat are each their own. Of others there are the quantiles of the
    reference, each value that fills one is by itself, and so is what is below and above all of the reference. Where the
    reference has no number at all, one bin holds them."""
    if not before.any():
        return np.array([len(before) - 1])
    if len(before) <= NAMED and before.sum() + later.sum() >= REPEATED * len(before):
        return np.arange(len(before))
    alone = np.flatnonzero(before >= before.sum() / bins)
    there = np.flatnonzero(before)
    outside = np.array([there[0] - 1, there[-1]])
    cuts = np.unique(np.concatenate([_quantiles(before, bins), alone - 1, alone, outside]))
    return cuts[cuts >= 0]


def _quantiles(ruling: Counts, bins: int) -> Places:
    share = ruling.cumsum() / ruling.sum()
    return np.unique(np.searchsorted(share, np.arange(1, bins) / bins - 1e-12))


def _with_rest(counts: Counts) -> Counts:
    return np.append(counts[:NAMED], counts[NAMED:].sum())


def _moved(before: Counts, later: Counts, names: list[str]) -> tuple[str, ...]:
    """The values whose shares changed most."""
    p, q = before / before.sum(), later / later.sum()
    most = np.argsort(-np.abs(q - p), kind="stable")[:3]
    return tuple(f"{names[place]}: {p[place]:.1%} to {q[place]:.1%}" for place in most if p[place] != q[place])
