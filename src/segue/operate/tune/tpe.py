"""Search by optuna's tree of Parzen estimators, which draws near to what went well (Bergstra et al. 2011)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from segue.domain.errors import MissingExtra
from segue.learn.ranges import Choice, Range, Whole
from segue.operate.tune.search import REPEATS, Job, new_draw, opening
from segue.operate.tune.space import DEFAULTS, Space, place, plain, readable
from segue.operate.tune.study import Trial

SEEDS = 2**32  # that NumPy's RandomState takes, which optuna's sampler draws from


@dataclass(frozen=True)
class OptunaSearch:
    """What is declared, the defaults, then what optuna asks for, all on all people; `pip install "segue[tune]"`.

    Each question is put to a sampler of its own, seeded by seed and number, that is told all trials before it: so a
    study that was interrupted goes on as it would have.
    """

    space: Space

    def next(self, trials: Sequence[Trial], left: float) -> Job | None:  # noqa: ARG002
        """The next number; what was tried before is drawn anew, at random."""
        first = opening(self.space, trials, 1.0)
        if first is not None or not self.space.ranges or self.space.is_full(trials):
            return first
        number = max(DEFAULTS, *(trial.number for trial in trials)) + 1
        before = [trial.parameters for trial in trials]
        for each in range(number, number + REPEATS // 10):
            if (setting := self.space.without_ignored(self._asked(trials, each))) not in before:
                return Job(each, 1.0, setting)
        return new_draw(self.space, trials, 1.0)

    def _asked(self, trials: Sequence[Trial], number: int) -> dict[str, Any]:
        optuna = installed()
        kinds = {name: _distribution(optuna, each) for name, each in self.space.ranges.items()}
        seed = (1_000_003 * self.space.seed + number) % SEEDS
        study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
        for trial in trials:
            places = {name: _told(self.space.ranges[name], value) for name, value in trial.parameters.items()}
            if not trial.failed and None not in places.values():
                varied = {name: kinds[name] for name in places}
                study.add_trial(optuna.trial.create_trial(params=places, distributions=varied, value=trial.value))
        asked = study.ask(kinds).params
        return {name: _meant(self.space.ranges[name], asked[name]) for name in sorted(asked)}


def _distribution(optuna: Any, each: Range) -> Any:
    kinds = optuna.distributions
    match each:
        case Choice():
            return kinds.CategoricalDistribution(tuple(range(len(each.values))))
        case Whole():
            return kinds.IntDistribution(each.low, each.high, log=each.log)
        case _:
            return kinds.FloatDistribution(each.low, each.high, log=each.log)


def _told(each: Range, value: Any) -> Any:
    """A value as optuna knows it, a choice by its place; None where it is outside of the range."""
    where = place(each, value)
    if where is None:
        return None
    return int(where * len(each.values)) if isinstance(each, Choice) else value


def _meant(each: Range, value: Any) -> Any:
    return plain(each.values[value]) if isinstance(each, Choice) else readable(value, each)


def installed() -> Any:
    """The package; a `MissingExtra` where it is not there."""
    try:
        import optuna
    except ImportError as error:
        raise MissingExtra(
            "the method 'optuna' needs optuna, which is not installed",
            where="tune",
            mend='pip install "segue[tune]"; without it, --method halving and --method random are there',
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


__all__ = ["OptunaSearch", "installed"]
