"""Who was exposed to which variant, and what each of them did afterwards: lazily from the log, to one row a unit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from segue.domain import columns
from segue.domain.errors import DeclarationError
from segue.domain.events import IMPRESSION

if TYPE_CHECKING:
    import polars as pl

    from segue.domain.experiment import Experiment, Metric

UNIT = "unit"
VARIANT = "variant"
SINCE = "since"  # when the unit was first exposed
BELOW = "/per"  # what the column of a ratio's denominator ends in
_SHOWN_TO = "shown_to"
_DECIDED = "decided"
_HERE = "on the surface"


@dataclass(frozen=True, eq=False)
class Exposures:
    """The units of an experiment, one row each: unit, variant, since (the time of its first decision under it).

    mixed    units that met more than one variant: left out of `units`
    unknown  units by a variant that is not declared: left out of `units`
    """

    units: pl.DataFrame
    mixed: int
    unknown: dict[str, int]

    @property
    def first(self) -> datetime | None:
        """The first exposure of all, None where there is none."""
        first = self.units[SINCE].min()
        return first if isinstance(first, datetime) else None


@dataclass(frozen=True, eq=False)
class Outcomes:
    """The exposed units and, in one column a metric (two for a ratio), what each of them did: 0 where nothing.

    end      the latest moment in the log, None for an empty one
    untimed  events that could not be placed before or after the exposure: no time, and no decision that they answer
    strays   events that name a decision which the log does not have: in no metric that is held to the surface
    early    by metric, the events of exposed units that came before the unit's exposure and do not count
    """

    units: pl.DataFrame
    end: datetime | None
    untimed: int
    strays: int
    early: dict[str, int]


def exposures(decisions: pl.LazyFrame, name: str, experiment: Experiment) -> Exposures:
    """Each unit's first decision under the experiment, whatever it saw later.

    A decision is under the experiment where its `assignments` name a variant of it; a unit is `person_key`'s user or
    visitor. A unit that met two variants says nothing about either, and is counted instead.
    """
    import polars as pl

    met = (
        decisions.select(_unit().alias(UNIT), _assigned(decisions, name).alias(VARIANT), pl.col(columns.TIME))
        .drop_nulls()
        .group_by(UNIT)
        .agg(
            pl.col(VARIANT).first(),
            (pl.col(VARIANT).min() != pl.col(VARIANT).max()).alias("mixed"),
            pl.col(columns.TIME).min().alias(SINCE),
        )
        .collect(engine="streaming")
    )
    whole = met.filter(~pl.col("mixed")).drop("mixed")
    declared = pl.col(VARIANT).is_in(list(experiment.variants))
    strangers = whole.filter(~declared).group_by(VARIANT).len().sort(VARIANT)
    return Exposures(whole.filter(declared).sort(UNIT), int(met["mixed"].sum()), dict(strangers.iter_rows()))


def outcomes(exposed: Exposures, decisions: pl.LazyFrame, events: pl.LazyFrame, experiment: Experiment) -> Outcomes:
    """What each exposed unit did from its exposure on, within each metric's window, for each metric.

    An event that answers a decision belongs to whom that decision was for, in metrics that are held to the surface;
    in others it belongs to its own user or visitor. Clocks of clients are not to be trusted: an event happened no later
    than it was received and, where it answers a decision, no earlier than that was made, whatever its time says. One
    without a time is placed where it was received if it answers a decision, and nowhere if not.
    Raises DeclarationError for a ratio without `per`.
    """
    import polars as pl

    _refuse(experiment)
    here = {name: metric for name, metric in experiment.metrics.items() if metric.on_surface}
    anywhere = {name: metric for name, metric in experiment.metrics.items() if not metric.on_surface}
    units = exposed.units.lazy().select(UNIT, SINCE)
    placed = _placed(events, decisions, experiment.surface)
    answers = placed.filter(pl.col(_HERE)).with_columns(pl.col(_SHOWN_TO).alias(UNIT))
    parts = [
        (_theirs(answers, units, here), here),
        (_theirs(placed.with_columns(_unit().alias(UNIT)), units, anywhere), anywhere),
    ]
    frames = [
        *(_totals(theirs, metrics) for theirs, metrics in parts),
        *(_early(theirs, metrics) for theirs, metrics in parts),
        placed.select(
            pl.col(columns.TIME).max().alias("last"),
            pl.col(columns.TIME).null_count().alias("untimed"),
            (pl.col(columns.DECISION).is_not_null() & pl.col(_HERE).is_null()).sum().alias("strays"),
        ),
        decisions.select(pl.col(columns.TIME).max()),
    ]
    on_surface, elsewhere, *early, log, decided = pl.collect_all(frames, engine="streaming")
    table = exposed.units
    for totals in (on_surface, elsewhere):
        table = table.join(totals, on=UNIT, how="left", maintain_order="left")
    values = pl.exclude(UNIT, VARIANT, SINCE)
    last = [moment for moment in (log["last"].item(), decided.item()) if moment is not None]
    return Outcomes(
        units=table.with_columns(values.fill_null(0.0)),
        end=max(last, default=None),
        untimed=log["untimed"].item(),
        strays=log["strays"].item(),
        early={name: counts[name].item() for counts in early for name in counts.columns},
    )


def _unit() -> pl.Expr:
    """`domain.events.person_key`, as an expression."""
    import polars as pl

    user, visitor = pl.col(columns.USER), pl.col(columns.VISITOR)
    return pl.when(user.is_not_null()).then("u:" + user).otherwise("v:" + visitor)


def _placed(events: pl.LazyFrame, decisions: pl.LazyFrame, surface: str) -> pl.LazyFrame:
    """The events where they can have happened, each with whom the decision that it answers was for, and whether that
    was on the surface; both are null where it answers none that the log has."""
    import polars as pl

    made = decisions.select(
        pl.col(columns.ID).alias(columns.DECISION),
        pl.col(columns.TIME).alias(_DECIDED),
        _unit().alias(_SHOWN_TO),
        (pl.col("surface") == surface).alias(_HERE),
    ).unique(subset=columns.DECISION)
    return events.join(made, on=columns.DECISION, how="left").with_columns(_moment().alias(columns.TIME))


def _moment() -> pl.Expr:
    """When an event happened: at its time, but no later than it was received and no earlier than the decision that it
    answers; null where it has no time and answers none."""
    import polars as pl

    time, received = pl.col(columns.TIME), pl.col(columns.RECEIVED)
    moment = pl.max_horizontal(pl.min_horizontal(time, received), _DECIDED)
    return pl.when(time.is_not_null() | pl.col(columns.DECISION).is_not_null()).then(moment)


def _assigned(decisions: pl.LazyFrame, name: str) -> pl.Expr:
    """The variant of the experiment that a decision was made under, or null.

    `assignments` is a list of (experiment, variant), as the lake keeps it, or a struct of one field an experiment.
    """
    import polars as pl

    assignments = pl.col("assignments")
    kind = decisions.collect_schema()["assignments"]
    if isinstance(kind, pl.Struct):
        present = any(field.name == name for field in kind.fields)
        return assignments.struct.field(name) if present else pl.lit(None, pl.String)
    mine = pl.element().struct.field("experiment") == name
    return assignments.list.eval(pl.element().filter(mine).struct.field("variant")).list.first()


def _theirs(events: pl.LazyFrame, units: pl.LazyFrame, metrics: dict[str, Metric]) -> pl.LazyFrame:
    """The events of exposed units that a metric may count, each with the unit's exposure."""
    import polars as pl

    wanted = [_counts(metric.types) | (_counts(metric.per) if metric.per else False) for metric in metrics.values()]
    return (
        events.filter(pl.any_horizontal(*wanted) if wanted else pl.lit(False))  # noqa: FBT003
        .select(UNIT, columns.TYPE, columns.TIME, columns.VALUE, columns.QUANTITY)
        .join(units, on=UNIT)
    )


def _totals(theirs: pl.LazyFrame, metrics: dict[str, Metric]) -> pl.LazyFrame:
    """One row for each unit that did something since its exposure, one Float64 column for each metric."""
    import polars as pl

    since = theirs.filter(pl.col(columns.TIME) >= pl.col(SINCE))
    return since.group_by(UNIT).agg([column for name, metric in metrics.items() for column in _columns(name, metric)])


def _early(theirs: pl.LazyFrame, metrics: dict[str, Metric]) -> pl.LazyFrame:
    """One row: for each metric, how many events came before their unit's exposure."""
    import polars as pl

    early = theirs.filter(pl.col(columns.TIME) < pl.col(SINCE))
    return early.select(_counts(metric.types).sum().alias(name) for name, metric in metrics.items())


def _columns(name: str, metric: Metric) -> list[pl.Expr]:
    import polars as pl

    counted = _counts(metric.types) & _within(metric)
    match metric.kind:
        case "proportion":
            return [counted.any().cast(pl.Float64).alias(name)]
        case "count":
            return [counted.sum().cast(pl.Float64).alias(name)]
        case "sum":
            amount = pl.col(metric.column).cast(pl.Float64).fill_nan(0.0).fill_null(0.0)
            return [amount.filter(counted).sum().alias(name)]
        case "ratio":
            below = (_counts(metric.per) & _within(metric)).sum().cast(pl.Float64)
            return [counted.sum().cast(pl.Float64).alias(name), below.alias(name + BELOW)]


def _counts(types: tuple[str, ...]) -> pl.Expr:
    """Whether an event is of one of the types; of any but an impression where none is named."""
    import polars as pl

    kind = pl.col(columns.TYPE)
    return kind.is_in(list(types)) if types else kind != IMPRESSION


def _within(metric: Metric) -> pl.Expr:
    import polars as pl

    if metric.window_days is None:
        return pl.lit(True)  # noqa: FBT003
    return pl.col(columns.TIME) < pl.col(SINCE) + timedelta(days=metric.window_days)


def _refuse(experiment: Experiment) -> None:
    for name, metric in experiment.metrics.items():
        if metric.kind == "ratio" and not metric.per:
            raise DeclarationError(
                f"the ratio metric '{name}' does not say what it is per",
                where=f"[experiments.….metrics.{name}]",
                mend='add a line such as: per = ["impression"]',
            )
