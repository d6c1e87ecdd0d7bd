"""An evaluation as a leaderboard: rows of plain data, best model first, and a sentence that says what they say."""

from __future__ import annotations

from typing import Any

import msgspec

from segue.domain.errors import unknown
from segue.measure.bootstrap import Estimate
from segue.measure.offline import Evaluation, ModelResult

Row = dict[str, Any]


class Leaderboard(msgspec.Struct, frozen=True):
    """The models of an evaluation by one metric, best first."""

    evaluation: Evaluation
    by: str

    @property
    def title(self) -> str:
        """For the head of the table: what it shows and, in a second line, what was held back and what that left out."""
        evaluation, settings = self.evaluation, self.evaluation.settings
        excluded = ", own history excluded" if settings.seen == "excluded" else ""
        shown = (
            f"{evaluation.people:,} people, all {evaluation.items:,} items ranked{excluded}, "
            f"split: {settings.split}, {settings.confidence:.0%} intervals over people"
        )
        aside = [evaluation.split.sentence()] if evaluation.split else []
        if evaluation.without_truth:
            aside.append(f"{evaluation.without_truth:,} more people did nothing new")
        return f"{shown}\n{'; '.join(aside)}" if aside else shown

    def rows(self) -> list[Row]:
        """One row a model for a table: every metric at the length of `by`, the interval of `by`, and the costs."""
        names = [name for name in self._models()[0].metrics if name.endswith(self._length)] if self._models() else []
        return [self._row(model, names) for model in self._models()]

    def records(self) -> list[Row]:
        """One row for every model and metric, with all intervals: the whole evaluation as plain data."""
        return [
            {
                "model": model.model,
                "metric": name,
                **_interval("", value),
                **_interval("difference", model.differences.get(name)),
            }
            for model in self._models()
            for name, value in model.metrics.items()
        ]

    def sentence(self) -> str:
        """Which model leads, and which are told apart from the baseline by an interval that excludes zero."""
        models = self._models()
        if not models:
            return "No model was evaluated."
        best = models[0]
        lead = f"{best.model} leads with {self.by} {best.metrics[self.by].value:.4f}."
        return " ".join([lead, *(self._against(model) for model in models if self.by in model.differences)])

    @property
    def _length(self) -> str:
        return "@" + self.by.rpartition("@")[2]

    def _models(self) -> list[ModelResult]:
        return sorted(self.evaluation.models, key=lambda model: (-model.metrics[self.by].value, model.model))

    def _row(self, model: ModelResult, names: list[str]) -> Row:
        row: Row = {"model": model.model}
        for name in names:
            row[name] = model.metrics[name].value
            if name == self.by:
                row["interval"] = _brackets(model.metrics[name])
                if self.evaluation.baseline is not None:
                    row[f"against {self.evaluation.baseline}"] = _signed(model.differences.get(name))
        return row | {
            "fit_seconds": model.fit_seconds,
            "megabytes": model.bytes / 1e6,
            "us_per_person": model.microseconds_per_person,
        }

    def _against(self, model: ModelResult) -> str:
        difference = model.differences[self.by]
        base = self.evaluation.baseline
        match difference:
            case Estimate(low=None) | Estimate(high=None):
                return f"{model.model} against {base}: too few people for an interval."
            case Estimate(low=low, high=high) if low is not None and high is not None and low > 0:
                return f"{model.model} beats {base} by {difference.value:.4f} ({low:.4f} to {high:.4f})."
            case Estimate(low=low, high=high) if low is not None and high is not None and high < 0:
                return f"{model.model} is behind {base} by {-difference.value:.4f} ({-high:.4f} to {-low:.4f})."
            case _:
                return f"{model.model} is not told apart from {base}: {_signed(difference)}."


def leaderboard(evaluation: Evaluation, by: str | None = None) -> Leaderboard:
    """The leaderboard by a metric such as "ndcg@10"; where none is named, NDCG at 10 or, without it, at the largest k.

    Raises UnknownName for a metric that was not measured.
    """
    cuts = evaluation.settings.k
    chosen = by or f"ndcg@{10 if 10 in cuts else max(cuts)}"
    known = list(evaluation.models[0].metrics) if evaluation.models else [chosen]
    if chosen not in known:
        raise unknown("metric", chosen, known)
    return Leaderboard(evaluation, chosen)


def _interval(prefix: str, estimate: Estimate | None) -> Row:
    names = (prefix or "value", f"{prefix}_low".lstrip("_"), f"{prefix}_high".lstrip("_"))
    values = (estimate.value, estimate.low, estimate.high) if estimate else (None, None, None)
    return dict(zip(names, values, strict=True))


def _brackets(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return ""
    return f"{estimate.low:.4f} to {estimate.high:.4f}"


def _signed(estimate: Estimate | None) -> str:
    if estimate is None:
        return ""
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:+.4f}"
    return f"{estimate.value:+.4f} ({estimate.low:+.4f} to {estimate.high:+.4f})"
