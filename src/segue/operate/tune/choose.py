"""Which setting wins, told apart from luck: of many tried, the best on few people is partly the luckiest."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from segue.measure.bootstrap import Estimate, estimates, resampled_means
from segue.operate.tune.cuts import covers
from segue.operate.tune.search import best_first
from segue.operate.tune.space import DECLARED, DEFAULTS
from segue.operate.tune.study import Trial

RESAMPLES = 1000
CONFIDENCE = 0.95
NO_TIME = "there was no time to fit all people"
NO_GAIN = "what is declared stays: on people who had no part in choosing, nothing was gained"

Floats = npt.NDArray[np.float64]


class Chosen(msgspec.Struct, frozen=True):
    """The winner of a study.

    trial       that won
    best        the trial whose mean is highest; often the same
    compared    how many trials there were to choose from, all on `trial.share` of the people
    value       its metric, with an interval over people
    difference  to what is declared, over the same people, with an interval; None where it is what is declared
    expected    the difference that is left on people who had no part in choosing, None where nothing was chosen
    why         it won
    """

    trial: Trial
    best: int
    compared: int
    value: Estimate
    difference: Estimate | None
    expected: float | None
    why: str


def chosen(trials: Sequence[Trial], seed: int = 0, cuts: int = 1) -> Chosen | None:
    """The winner among the trials on the largest share of the people, or of the cuts, that what is declared is on.

    Every trial whose mean is within one standard error of the best one's (of the paired difference, over people) is as
    good as the best (Breiman et al. 1984, the rule of one standard error). Of these win, in this order: what is
    declared, the defaults, the smallest model, the highest mean. What is declared stays, too, where choosing the best
    gains nothing on people who had no part in choosing. None where no trial came through.
    """
    done = compared(trials, cuts)
    if not done:
        return None
    values = np.column_stack([trial.people() for trial in done])
    near = as_good(values)
    place = min(range(len(done)), key=lambda each: (not near[each], *_preferred(done[each])))
    declared = next((row for row, trial in enumerate(done) if trial.number == DECLARED), None)
    expected = None if declared is None or len(done) < 2 else out_of_bag_gain(values, declared, seed)
    why = _why(done[place], int(near.sum()), place == 0)
    if covers(done[0].share, cuts)[1] < 1:  # what is best on a few people need not be best on all
        place, why = place if declared is None else declared, NO_TIME
    elif declared is not None and place != declared and expected is not None and expected <= 0:
        place, why = declared, NO_GAIN
    resampled = resampled_means(values, RESAMPLES, seed)
    difference = None
    if declared is not None and place != declared:
        difference = _estimate(values[:, place] - values[:, declared], resampled[:, place] - resampled[:, declared])
    return Chosen(
        trial=done[place],
        best=done[0].number,
        compared=len(done),
        value=_estimate(values[:, place], resampled[:, place]),
        difference=difference,
        expected=expected,
        why=why,
    )


def compared(trials: Sequence[Trial], cuts: int = 1) -> list[Trial]:
    """The trials that the winner is one of, best first: those on the largest share that the declared one is on.

    Where nothing else is there, it is a smaller share, if that is of all people too and so leaves out cuts only.
    """
    shares = {trial.share for trial in trials if not trial.failed}
    with_declared = {trial.share for trial in trials if not trial.failed and trial.number == DECLARED}
    told = [each for each in with_declared if covers(each, cuts)[1] == 1 and len(best_first(trials, each)) > 1]
    return best_first(trials, max(told or with_declared or shares)) if shares else []


def as_good(values: Floats) -> npt.NDArray[np.bool_]:
    """bool[trials] of float64[people, trials]: whose mean is within a standard error of the first column's, the best.

    >>> as_good(np.array([[1.0, 0.9, 0.0], [0.0, 0.1, 0.0], [1.0, 0.9, 0.0], [0.8, 0.9, 0.0]])).tolist()
    [True, True, False]
    """
    behind = values[:, :1] - values
    error = behind.std(axis=0, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.zeros(values.shape[1])
    return np.asarray(behind.mean(axis=0) <= error)


def out_of_bag_gain(values: Floats, declared: int, seed: int, resamples: int = 200) -> float:
    """What choosing the best gains over the declared setting, on people who had no part in the choice.

    In each bootstrap resample of the people the best is chosen on those who were drawn, and compared with the declared
    one on those who were not (Tsamardinos, Greasidou and Borboudakis 2018, "Bootstrapping the out-of-sample predictions
    for efficient and accurate cross-validation").
    """
    people, random = len(values), np.random.default_rng([seed, 3])
    gains = []
    for _ in range(resamples):
        drawn = np.bincount(random.integers(0, people, people), minlength=people)
        out = drawn == 0
        if out.any():
            best = int(np.argmax(drawn @ values))
            gains.append(float((values[out, best] - values[out, declared]).mean()))
    return float(np.mean(gains)) if gains else 0.0


def against(values: Floats, base: Floats, seed: int = 0) -> Estimate:
    """The mean difference of two models over the same people, float64[people] each, with its interval."""
    difference = (values - base)[:, None]
    return estimates(difference, resampled_means(difference, RESAMPLES, seed), CONFIDENCE)[0]


def _estimate(values: Floats, resampled: Floats) -> Estimate:
    return estimates(values[:, None], resampled[:, None], CONFIDENCE)[0]


def _preferred(trial: Trial) -> tuple[int, int, float, int]:
    """What decides between trials that are as good."""
    rank = {DECLARED: 0, DEFAULTS: 1}.get(trial.number, 2)
    return rank, trial.bytes, -trial.value, trial.number


def _why(trial: Trial, near: int, is_best: bool) -> str:  # noqa: FBT001
    others = f"within a standard error of the best, as {near - 1} of the others are"
    match trial.number:
        case 0 if is_best:
            return "what is declared is the best"
        case 0:
            return "what is declared is as good as the best"
        case 1 if not is_best:
            return "the defaults are as good as the best"
        case _:
            return "the best" if is_best else f"the smallest model {others}"


__all__ = ["Chosen", "against", "as_good", "chosen", "compared", "out_of_bag_gain"]
