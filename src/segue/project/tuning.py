"""How models are tuned: which take part, between which values, and how what won gets into the declaration."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from time import perf_counter
from typing import TYPE_CHECKING

from segue.declaration import FILE
from segue.domain.errors import DeclarationError
from segue.project.given import positive, text_of, whole
from segue.project.learning import Learning
from segue.project.workspace import Advance, silent

if TYPE_CHECKING:
    from segue.operate.tune.result import Tuned
    from segue.operate.tune.tune import Candidate, Method


class Tuning(Learning):
    """The part of a `Project` that looks for better parameters."""

    def tune(
        self,
        models: Sequence[str] = (),
        *,
        budget: float = 300.0,
        method: Method = "halving",
        metric: str = "ndcg@10",
        seed: int = 0,
        people: int = 5_000,
        trials: int = 500,
        fresh: bool = False,
        as_of: datetime | None = None,
        progress: Advance = silent,
        clock: Callable[[], float] = perf_counter,
    ) -> Tuned:
        """Look for better parameters of the declared models, or those named, for `budget` seconds over all of them.

        Settings are judged by `metric` on people cut from the training part of the declared split, `people` of them at
        most; the test is not looked at. What was tried is kept in `state/tuning`: a search that was interrupted goes
        on, one that is done is told again, and with `fresh` it begins anew. `trials` is how many settings
        of a model are tried at most, on however many shares of the people each;
        `clock` is what counts the seconds (`time.process_time` where others use the machine as well).
        Raises `DeclarationError` where no named model has anything to vary, `MissingExtra` for the method "optuna"
        without it, `UnknownName` for a metric or method that there is not, `SegueError` for a number that cannot be.
        """
        from segue.operate.tune.result import Tuned
        from segue.operate.tune.tune import refuse_method, tune
        from segue.operate.tune.validation import refuse_unknown, validation

        positive("budget", budget)
        for argument, value, least in (("seed", seed, 0), ("people", people, 2), ("trials", trials, 1)):
            whole(argument, value, least)
        refuse_unknown(text_of("metric", metric))
        refuse_method(method)
        candidates, left_out = self._candidates(models)
        began = clock()
        progress("cutting people from the training part", 0.0)
        said = self.declaration.evaluation
        judged_by = validation(self.split(as_of=as_of), said, metric=metric, people=people, seed=seed)
        tuned = tune(
            candidates,
            judged_by,
            self.engine,
            self.folder / "state" / "tuning",
            budget=budget,
            method=method,
            seed=seed,
            most=trials,
            fresh=fresh,
            progress=progress,
            began=began,
            clock=clock,
        )
        baseline = said.baseline if said.baseline in self.declaration.models else None
        held = judged_by.description
        return Tuned(tuple(tuned), metric, len(judged_by.people), held, baseline, left_out)

    def adopt(self, tuned: Tuned) -> list[str]:
        """Write what won into segue.toml, and say of which models; those whose declared setting won stay as they are.

        Raises `DeclarationError` where a model's table cannot be edited safely; it says what to write.
        """
        from segue.operate.tune.write import write

        now = datetime.now(UTC)
        path = self.folder / FILE
        return [each.model for each in tuned.models if write(path, each, tuned.metric, now)]

    def _candidates(self, models: Sequence[str]) -> tuple[list[Candidate], dict[str, str]]:
        """Those that have ranges, the baseline to compare with, and by name why others are left out."""
        from segue.operate.tune.tune import Candidate
        from segue.operate.tune.varied import ranges_of

        candidates, left_out = [], {}
        for name in self._names(models):
            learner = self.learner(name)
            ranges = ranges_of(learner, self.declaration.tuning.get(name, {}), f"{FILE} [tuning.{name}]")
            if ranges:
                candidates.append(Candidate(name, learner, ranges))
            else:
                left_out[name] = f"the learner {learner.name} has no ranges, and [tuning.{name}] gives none"
        if not candidates:
            raise DeclarationError(
                "no model has anything to tune: " + "; ".join(f"{name}: {why}" for name, why in left_out.items()),
                where=FILE,
                mend="say what to vary, such as [tuning.ease] and below it regularization = { low = 10, high = 1000 }",
            )
        baseline = self.declaration.evaluation.baseline
        if baseline in self.declaration.models and baseline not in {each.name for each in candidates}:
            candidates.insert(0, Candidate(baseline, self.learner(baseline), {}))
        return candidates, left_out
