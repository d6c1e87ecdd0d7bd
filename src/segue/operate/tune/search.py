"""Which setting is tried next, on which share of the people: a function of the trials so far, so that it can go on."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from segue.operate.tune.cost import predicted
from segue.operate.tune.cuts import covers
from segue.operate.tune.space import DECLARED, DEFAULTS, FIRST_DRAW, Space
from segue.operate.tune.study import Trial

ETA = 3  # of three settings one is promoted: what halving halves by (Li et al. 2018 found 3 to 4 best)
SHARES = (1 / 27, 1 / 9, 1 / 3, 1.0)
CLOSER = 10  # times the largest share, more than the budget: then what it takes is looked at more closely before
CARE = 1.3  # times what a final is predicted to take are kept for it
FINALS = 3  # draws that are to be judged on the largest share, and that time is kept for, in at most half of the budget
LEAST_FULL = 3  # trials on the largest share that there has to be time for
REPEATS = 50  # draws that were tried already before a space counts as tried out


@dataclass(frozen=True)
class Job:
    """A setting, by number, and the share of the people that it is fitted on."""

    number: int
    share: float
    parameters: dict[str, Any]


class Search(Protocol):
    """What is tried next, or None where everything was. The same trials and seconds give the same answer."""

    def next(self, trials: Sequence[Trial], left: float) -> Job | None: ...


@dataclass(frozen=True)
class RandomSearch:
    """Every setting on all people: what is declared, the defaults, then draws (Bergstra and Bengio 2012).

    >>> from segue.learn.learner import learner
    >>> from segue.learn.ranges import Real
    >>> search = RandomSearch(Space(learner("ease", {}), {"regularization": Real(1, 10)}))
    >>> search.next([], 60.0)
    Job(number=0, share=1.0, parameters={'regularization': 300.0})
    """

    space: Space

    def next(self, trials: Sequence[Trial], left: float) -> Job | None:  # noqa: ARG002
        """The next number."""
        return opening(self.space, trials, 1.0) or new_draw(self.space, trials, 1.0)


@dataclass(frozen=True)
class Halving:
    """Draws on a small share of the people, the best third on three times as many, and so on up to all of them.

    Successive halving (Jamieson and Talwalkar 2016) that promotes as soon as it can (ASHA: Li et al. 2020), so it may
    end at any time, and goes on as if nothing had been where it was interrupted. The shares come from `budget`, the
    seconds for this model, and from what the first trial took: where there is time to try enough settings on all
    people, all are tried there, as rankings on fewer people mislead about what grows with them. Where there are several
    `cuts`, the winner is chosen on a third of them if there is time for few settings only on all. Before the time for
    them is gone, and where there is nothing else to try, the best `FINALS` draws are judged on the largest share.
    """

    space: Space
    budget: float
    cuts: int = 1

    def next(self, trials: Sequence[Trial], left: float) -> Job | None:
        """First what is declared, on a few people to see what it takes; then promotions and draws; last, a final."""
        if not trials:
            return Job(DECLARED, SHARES[0], self.space.setting(DECLARED))
        rungs = self.rungs(trials)
        first = self._closer_look(trials, rungs) or opening(self.space, trials, rungs[-1])
        if first is not None:
            return first
        job = self._promoted(trials, rungs) or new_draw(self.space, trials, rungs[0])
        return self._final(trials, rungs, left, job) or job

    def rungs(self, trials: Sequence[Trial]) -> tuple[float, ...]:
        """The shares, ascending; the last is what the winner is chosen on."""
        known = [trial for trial in trials if trial.number == DECLARED]
        declared = self.space.setting(DECLARED)
        costs = {share: self._cost(known, share, declared) for share in SHARES}
        top = next((each for each in reversed(SHARES) if self._least(each) * costs[each] <= self.budget), SHARES[0])
        rungs = [tuple(each for each in SHARES if low <= each <= top) for low in reversed(SHARES) if low <= top]
        draws = [self._draws(each, costs) for each in rungs]
        enough = min(8 + 8 * len(self.space.ranges), self.space.most)
        for each, count in zip(rungs, draws, strict=True):
            if count >= min(enough, 0.7 * max(draws)):
                return each
        return rungs[-1]

    def _least(self, share: float) -> int:
        """How many trials there has to be time for: more where the next smaller share has all people, too."""
        return LEAST_FULL * ETA if covers(share / ETA, self.cuts)[1] == 1 else LEAST_FULL

    def _draws(self, rungs: tuple[float, ...], costs: dict[float, float]) -> float:
        """How many settings there is time for, each promoted with a chance of a third."""
        each = sum(costs[share] / ETA**height for height, share in enumerate(rungs))
        return float(max(self.budget - 2 * costs[rungs[-1]], 0.0) / max(each, 1e-9))

    def _promoted(self, trials: Sequence[Trial], rungs: tuple[float, ...]) -> Job | None:
        for low, high in reversed(list(itertools.pairwise(rungs))):
            done = best_first(trials, low)
            for trial in done[: len(done) // ETA]:
                if not tried(trials, trial.number, high):
                    return self._to_compare_with(trials, high) or Job(trial.number, high, trial.parameters)
        return None

    def _to_compare_with(self, trials: Sequence[Trial], share: float) -> Job | None:
        """What is declared, where all people are on this share, so that there is a winner if time ends before more."""
        if covers(share, self.cuts)[1] < 1 or tried(trials, DECLARED, share):
            return None
        return Job(DECLARED, share, self.space.setting(DECLARED))

    def _closer_look(self, trials: Sequence[Trial], rungs: tuple[float, ...]) -> Job | None:
        """What is declared, on more people, where all of them would take much of the time, and maybe more than told."""
        seen = [trial.share for trial in trials if trial.number == DECLARED]
        between = [share for share in SHARES if max(seen) < share < rungs[-1]]
        if not between or CLOSER * self._cost(trials, rungs[-1]) < self.budget:
            return None
        return Job(DECLARED, between[0], self.space.setting(DECLARED))

    def _final(self, trials: Sequence[Trial], rungs: tuple[float, ...], left: float, job: Job | None) -> Job | None:
        """The best that is not on the last rung yet, before the time for it is gone: `job` would leave too little."""
        top = rungs[-1]
        waiting = [each for low in reversed(rungs[:-1]) for each in best_first(trials, low)]
        best = next((each for each in waiting if not tried(trials, each.number, top)), None)
        if best is None or (job is not None and job.share == top):
            return None
        missing = FINALS - sum(trial.share == top and trial.number >= FIRST_DRAW for trial in trials)
        final = CARE * self._cost(trials, top, best.parameters)
        if job is None:
            return Job(best.number, top, best.parameters) if missing > 0 else None
        kept = final * max(min(missing, int(self.budget / 2 / max(final, 1e-9))), 1)
        takes = self._cost(trials, job.share, job.parameters)
        return Job(best.number, top, best.parameters) if left - takes < kept else None

    def _cost(self, trials: Sequence[Trial], share: float, setting: Mapping[str, Any] | None = None) -> float:
        setting = self.space.setting(DECLARED) if setting is None else setting
        return predicted(trials, self.space.ranges, setting, share, self.cuts) or 0.0


def opening(space: Space, trials: Sequence[Trial], share: float) -> Job | None:
    """What is declared and the defaults, on this share, where they were not tried yet."""
    if not tried(trials, DECLARED, share):
        return Job(DECLARED, share, space.setting(DECLARED))
    known = any(trial.number == DEFAULTS for trial in trials)
    if space.defaults_count and not tried(trials, DEFAULTS, share) and (known or not space.is_full(trials)):
        return Job(DEFAULTS, share, space.setting(DEFAULTS))
    return None


def new_draw(space: Space, trials: Sequence[Trial], share: float) -> Job | None:
    """The next draw that is no setting that was tried before; None where there is none, or as many as shall be were."""
    if not space.ranges or space.is_full(trials):
        return None
    number = max([FIRST_DRAW - 1, *(trial.number for trial in trials)]) + 1
    before = [trial.parameters for trial in trials]
    for each in range(number, number + REPEATS):
        if (setting := space.setting(each)) not in before:
            return Job(each, share, setting)
    return None


def best_first(trials: Sequence[Trial], share: float) -> list[Trial]:
    """The trials on a share that did not fail, best first, equal ones by number."""
    done = [trial for trial in trials if trial.share == share and not trial.failed]
    return sorted(done, key=lambda trial: (-trial.value, trial.number))


def tried(trials: Sequence[Trial], number: int, share: float) -> bool:
    """Whether this setting was fitted on this share."""
    return any(trial.number == number and trial.share == share for trial in trials)


__all__ = ["ETA", "SHARES", "Halving", "Job", "RandomSearch", "Search", "best_first", "new_draw", "opening", "tried"]
