"""The truth of an experiment: the same people on the same visits, once all under A, once all under B."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segue.domain.events import IMPRESSION
from segue.domain.experiment import Metric
from segue.simulate.naming import Style
from segue.simulate.respond import Plan
from segue.simulate.visit import Door, Visited, visit
from segue.simulate.world import World

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Effect:
    """What a metric is if everybody gets the control, and if everybody gets the treatment."""

    control: float
    treatment: float

    @property
    def difference(self) -> float:
        """Treatment minus control."""
        return self.treatment - self.control

    @property
    def lift(self) -> float:
        """The difference relative to the control; NaN where the control is 0."""
        return self.difference / self.control if self.control else float("nan")


def replay(world: World, plan: Plan, control: Door, treatment: Door, threads: int = 8) -> tuple[Visited, Visited]:
    """Carry out one plan twice, over two services that were forced to one variant each."""
    return visit(world, plan, control, threads=threads), visit(world, plan, treatment, threads=threads)


def true_effect(metric: Metric, style: Style, control: Visited, treatment: Visited) -> Effect:
    """A metric's true effect over all people who came, each under both variants.

    Means over people, as the readout has them; "ratio" is the total over the total. `window_days` does not matter: a
    plan is over within a day.
    """
    return Effect(_value(metric, style, control), _value(metric, style, treatment))


def _value(metric: Metric, style: Style, visited: Visited) -> float:
    done = _per_person(visited, metric.types, metric, style)
    match metric.kind:
        case "proportion":
            return float((done > 0).mean())
        case "ratio":
            return float(done.sum() / _per_person(visited, metric.per, metric, style).sum())
        case _:
            return float(done.mean())


def _per_person(visited: Visited, types: tuple[str, ...], metric: Metric, style: Style) -> Floats:
    """float64[people who came]: the sum over each person's visits."""
    counts = {IMPRESSION: visited.looked, style.look: visited.opened, style.take: visited.bought}
    spent = {style.take: visited.spent}
    source = spent if metric.kind == "sum" and metric.column == "value" else counts
    rows = sum((np.asarray(source[kind], np.float64) for kind in types if kind in source), np.zeros(len(visited.plan)))
    _, person = np.unique(visited.plan.people, return_inverse=True)
    return np.bincount(person, weights=rows).astype(np.float64)
