"""The search: trials of several models in turn, each written down as it is made, until the seconds are spent."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec

from segue.data.lake.lease import lease
from segue.domain.errors import SegueError, unknown
from segue.domain.recommender import Recommender
from segue.engines.engine import Dataset, Engine
from segue.learn.learner import Learner
from segue.learn.ranges import Range
from segue.operate.tune.abandon import OutOfTime, within
from segue.operate.tune.choose import chosen
from segue.operate.tune.cost import predicted
from segue.operate.tune.cuts import covers
from segue.operate.tune.effects import effects
from segue.operate.tune.result import TunedModel
from segue.operate.tune.search import Halving, Job, RandomSearch, Search
from segue.operate.tune.space import FIRST_DRAW, MOST, Space, count
from segue.operate.tune.study import Study, Trial, packed
from segue.operate.tune.tpe import OptunaSearch, installed
from segue.operate.tune.validation import Validation

Method = Literal["halving", "random", "optuna"]
Advance = Callable[[str, float], None]
Clock = Callable[[], float]

METHODS: tuple[Method, ...] = ("halving", "random", "optuna")
BUDGET_S = 300.0
IN_A_ROW = 5  # trials that fail from the first on before a model is given up
LEASE = ".lease"


@dataclass(frozen=True)
class Candidate:
    """A model to tune: its declared learner, and between which values its parameters are looked for.

    Where there are no ranges it is fitted once, as it is declared, to compare others with.
    """

    name: str
    learner: Learner
    ranges: Mapping[str, Range]


@dataclass
class _Running:
    """A model that is being tuned."""

    candidate: Candidate
    space: Space
    search: Search
    study: Study
    ended: str = ""
    made: int = 0
    began: float = field(default=0.0)


def tune(
    candidates: Sequence[Candidate],
    validation: Validation,
    engine: Engine,
    folder: Path,
    *,
    budget: float = BUDGET_S,
    method: Method = "halving",
    seed: int = 0,
    most: int = MOST,
    fresh: bool = False,
    progress: Advance | None = None,
    clock: Clock = time.perf_counter,
    began: float | None = None,
) -> list[TunedModel]:
    """Look for better settings of each model, for `budget` seconds over all of them together.

    The seconds that trials of the same studies took before count: a study that was killed goes on to the same end, and
    one that is done is only told again. With `fresh` it begins anew. `most` is how many settings of a model are tried
    at most, on however many shares of the people each.
    Trials take turns, so that all models get about the same time; what one leaves, others use. A trial that is
    predicted to end too late is not begun, one that is not done when the time is over is abandoned. A setting that the
    learner refuses (too much memory, say) is a trial that failed, with the reason.
    `began` is when the clock of the budget started, where that was before this call.
    Raises `BusyError` where somebody else is tuning one of the models.
    """
    began = clock() if began is None else began
    fair = budget / max(sum(bool(each.ranges) for each in candidates), 1)
    with ExitStack() as held:
        running = []
        for candidate in candidates:
            held.enter_context(lease(folder / candidate.name / LEASE, f"tuning {candidate.name}"))
            running.append(_opened(candidate, validation, folder, fair, method, seed, most, fresh))
        until = began + budget - sum(each.study.seconds for each in running)
        for each in _turns(running):
            left = until - clock()
            _step(each, validation, engine, left, fair, clock)
            if progress is not None:
                progress(_told(each), min(max(1 - left / budget, 0.0), 1.0))
    return [_tuned(each, seed, len(validation.cuts)) for each in running]


def _opened(
    each: Candidate,
    validation: Validation,
    folder: Path,
    budget: float,
    method: Method,
    seed: int,
    most: int,
    fresh: bool,  # noqa: FBT001
) -> _Running:
    space = Space(each.learner, each.ranges, seed, most)
    about = {
        "data": validation.fingerprint,
        "metric": validation.metric,
        "seen": validation.seen,
        "learner": each.learner.name,
        "parameters": msgspec.to_builtins(msgspec.structs.asdict(each.learner)),
        "ranges": {name: repr(each.ranges[name]) for name in sorted(each.ranges)},
        "method": method,
        "seed": seed,
        "told": "what matters",  # a trial does not name the parameters that its others make meaningless
    }
    search = _search(method, space, budget, len(validation.cuts))
    return _Running(each, space, search, Study.opened(folder / each.name, about, fresh=fresh))


def refuse_method(method: str) -> None:
    """An `UnknownName` for a method that there is not, a `MissingExtra` for one that is not installed.

    >>> refuse_method("halving")
    """
    if method not in METHODS:
        raise unknown("method", method, METHODS)
    if method == "optuna":
        installed()


def _search(method: Method, space: Space, budget: float, cuts: int) -> Search:
    match method:
        case "halving":
            return Halving(space, budget, cuts)
        case "random":
            return RandomSearch(space)
        case "optuna":
            return OptunaSearch(space)


def _turns(running: Sequence[_Running]) -> Iterator[_Running]:
    """The model that took the least time so far, until all have ended."""
    while going := [each for each in running if not each.ended]:
        yield min(going, key=lambda each: each.study.seconds)


def _step(each: _Running, validation: Validation, engine: Engine, left: float, fair: float, clock: Clock) -> None:
    """One trial, or the reason why there is no other."""
    trials = each.study.trials
    if len(trials) >= IN_A_ROW and all(trial.failed for trial in trials):
        each.ended = f"all {len(trials)} trials failed"
        return
    if left <= 0:
        each.ended = "the time was over"
        return
    job = each.search.next(trials, min(left, max(fair - each.study.seconds, 0.0)))
    if job is None:
        each.ended = _nothing_left(each)
        return
    takes = predicted(trials, each.space.ranges, job.parameters, job.share, len(validation.cuts)) or 0.0
    if takes > left:
        each.ended = f"the time was over: another trial takes about {takes:,.3g} s"
        return
    if takes > fair / 2 and job.number >= FIRST_DRAW:
        reason = f"not tried: about {takes:,.3g} s, more than half of this model's {fair:,.3g} s"
        each.study.add(Trial(job.number, job.share, job.parameters, failed=reason))
        return
    each.study.add(_trial(job, each, validation, engine, left, clock))


def _nothing_left(each: _Running) -> str:
    if not each.candidate.ranges:
        return "nothing to vary"
    if each.space.is_full(each.study.trials):
        return f"{count(each.study.trials):,} settings were tried"
    return "every setting was tried"


def _trial(job: Job, each: _Running, validation: Validation, engine: Engine, left: float, clock: Clock) -> Trial:
    """Fit and judge, by every cut. Whatever goes wrong in a setting is its result: the next one may be fine."""

    def fit(dataset: Dataset) -> Recommender:
        return each.space.with_setting(job.parameters).fit(engine, dataset)

    began = clock()
    judged, size, failed = "", 0, ""
    value = 0.0
    try:
        with within(left) if clock is time.perf_counter else nullcontext():
            if not each.study.trials:  # what compiles and loads the first time would be taken for what a fit takes
                _, people = covers(job.share, len(validation.cuts))
                validation.judge_cut(fit(validation.dataset(people)))
                began = clock()
            values, size = validation.judge(fit, job.share)
        judged, value = packed(values), float(values.mean())
    except OutOfTime:
        failed = f"abandoned after {clock() - began:,.3g} s: the time was over"
    except SegueError as error:
        failed = str(error).replace("\n", " ").strip()
    except Exception as error:  # a third party's learner may raise anything, and another setting may be fine
        failed = f"{type(error).__name__}: {error}"
    return Trial(job.number, job.share, job.parameters, judged, value, clock() - began, size, failed)


def _tuned(each: _Running, seed: int, cuts: int) -> TunedModel:
    study = each.study
    return TunedModel(
        model=each.candidate.name,
        learner=each.candidate.learner.name,
        study=str(study.path),
        varied=tuple(sorted(each.candidate.ranges)),
        trials=tuple(study.trials),
        chosen=chosen(study.trials, seed, cuts),
        effects=tuple(effects(study.trials, dict(sorted(each.candidate.ranges.items())))),
        ended=each.ended,
        cuts=cuts,
    )


def _told(each: _Running) -> str:
    done: list[Any] = [trial.value for trial in each.study.trials if not trial.failed]
    best = f", best {max(done):.4f}" if done else ""
    return f"{each.candidate.name}: {len(each.study.trials)} trials{best}"


__all__ = ["BUDGET_S", "METHODS", "MOST", "Candidate", "Method", "refuse_method", "tune"]
