"""An evaluation as a leaderboard: rows of plain data, best model first, and a sentence that says what they say."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from segue.domain.errors import unknown
from segue.domain.tables import as_html, as_text
from segue.measure.bootstrap import Estimate
from segue.measure.offline import Evaluation, ModelResult
from segue.measure.significance import holm

Row = dict[str, Any]
RECORD: Row = {  # the columns of `records` and what they hold, for files
    **dict.fromkeys(("slice", "part", "model", "metric"), ""),
    **dict.fromkeys(("value", "low", "high"), 0.0),
    "people": 0,
    **dict.fromkeys(("difference", "difference_low", "difference_high", "p", "p_uncorrected", "detectable"), 0.0),
    **dict.fromkeys(("split", "held_back"), ""),
}
MANY = 5  # models beside the baseline; so many are told group by group
BRIEF = ("recall",)  # beside the metric that the table is sorted by
USUAL = ("recall", "precision", "ndcg", "map", "mrr", "hit_rate", "novelty", "coverage", "new_item_recall")
LESS_IS_BETTER = ("miscalibration", "gini")


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

    def __repr__(self) -> str:
        """The table and what it says, as `segue evaluate` prints it."""
        return as_text(self.brief_rows(), self.title, [self.sentence(), *self.notes()])

    def _repr_html_(self) -> str:
        """The same as a notebook shows it."""
        return as_html(self.brief_rows(), self.title, [self.sentence(), *self.notes()])

    def rows(self) -> list[Row]:
        """One row a model for a table: the metrics at the length of `by`, interval and p of `by`, and the costs.

        Where [evaluation] names no metrics it has the usual ones, and `by`; `records` has all that were measured.
        """
        asked = self.evaluation.settings.metrics or USUAL
        measured = self.models()[0].metrics if self.models() else {}
        told = [name for name in measured if name.endswith(self._length) and name.partition("@")[0] in asked]
        names = [name for name in measured if name in (*told, self.by)]
        return [self._row(model, names) for model in self.models()]

    def brief_rows(self) -> list[Row]:
        """The columns of `rows` that a terminal of 100 characters has room for: the metrics that [evaluation] names, or
        recall and the one to sort by, the difference with its interval, and how long it took to fit."""
        asked = self.evaluation.settings.metrics or BRIEF
        cells = (self.by, "model", "fit_seconds", *(["interval"] if self.evaluation.baseline is None else []))

        def told(name: str) -> bool:
            return name in cells or name.startswith("against ") or name.partition("@")[0] in asked

        return [{name: value for name, value in row.items() if told(name)} for row in self.rows()]

    def notes(self) -> list[str]:
        """What a number of the table does not tell by itself: why a model found nothing at all."""
        people = self.evaluation.people
        silent = [model.model for model in self.models() if people and model.unlisted == people]
        if not silent:
            return []
        why = "nothing is known of what comes in question"
        if self.evaluation.settings.seen == "excluded":
            why = 'what people had is left out, and nothing else is known of; [evaluation] seen = "ranked" ranks it'
        return [f"{', '.join(silent)}: every list is empty, so nothing is found: {why}."]

    def slice_rows(self) -> list[Row]:
        """One row for every part of a slice and model, best first in each: people, the metric, and the difference."""
        base = self.evaluation.baseline
        rows = []
        for part in self.evaluation.slices:
            best_first = sorted(part.models, key=lambda model: (-self._merit(model.metrics.get(self.by)), model.model))
            for model in best_first:
                estimate = model.metrics.get(self.by)
                row: Row = {"slice": part.slice, "part": part.part, "people": part.people, "model": model.model}
                row |= {self.by: estimate.value if estimate else None, "interval": brackets(estimate)}
                if base is not None:
                    row[f"against {base}"] = signed(model.differences.get(self.by))
                rows.append(row | {"note": "few people" if part.few else ""})
        return rows

    def records(self) -> list[Row]:
        """One row for every slice, model and metric, with all intervals: the whole evaluation as plain data.

        `people` is how many the value is a mean of. `p` is of the paired permutation test, corrected for the number of
        models as it is where the table shows it (Holm, each metric by itself), `p_uncorrected` as it is for one
        comparison; slices have neither. `split` and `held_back` say what all were judged by.
        """
        corrected: dict[str, dict[str, float]] = {}
        whole = []
        for model in self.models():
            for name, value in model.metrics.items():
                if name not in corrected:
                    corrected[name] = self.corrected(name)
                row: Row = {"slice": "", "part": "", "model": model.model, "metric": name}
                row |= _numbers(value, model.differences.get(name), self.evaluation.people)
                row |= {"p": corrected[name].get(model.model), "p_uncorrected": model.p_values.get(name)}
                whole.append(row | {"detectable": model.detectable.get(name)})
        told = self.evaluation.split
        held = {"split": self.evaluation.settings.split, "held_back": told.description if told else ""}
        return [row | held for row in [*whole, *self._slice_records()]]

    def _slice_records(self) -> list[Row]:
        return [
            {"slice": part.slice, "part": part.part, "model": model.model, "metric": name}
            | _numbers(value, model.differences.get(name), part.people)
            | {"p": None, "p_uncorrected": None, "detectable": None}
            for part in self.evaluation.slices
            for model in part.models
            for name, value in model.metrics.items()
        ]

    def sentence(self) -> str:
        """Which model leads, which are told apart from the baseline, and from which difference on these people tell.

        A model is told apart where the interval of the difference excludes zero and the paired permutation test, with
        Holm's correction for the number of models, is below 1 - confidence.
        """
        models = self.models()
        if not models:
            return "No model was evaluated."
        best = models[0]
        lead = f"{best.model} leads with {self.by} {best.metrics[self.by].value:.4f}."
        compared = [model for model in models if self.by in model.differences]
        against = self._groups(compared) if len(compared) > MANY else [self._against(model) for model in compared]
        return " ".join([lead, *against, *self._power()])

    def corrected(self, metric: str | None = None) -> dict[str, float]:
        """The p-value of each model's difference to the baseline, corrected for their number (Holm).

        By the metric that the board goes by where none is named.
        """
        by = metric or self.by
        return holm({model.model: model.p_values[by] for model in self.models() if by in model.p_values})

    def _power(self) -> list[str]:
        """What the permutation test says, and the smallest difference that would be seen."""
        p_values = self.corrected()
        smallest = [model.detectable[self.by] for model in self.models() if self.by in model.detectable]
        seen = [value for value in smallest if value == value]
        if not p_values or not seen:
            return []
        said = ": " + ", ".join(f"{model} {p:.2g}" for model, p in p_values.items()) if len(p_values) <= MANY else ""
        return [
            f"p by paired permutation, corrected for {len(p_values)} (Holm){said}.",
            f"{self.evaluation.people:,} people show a difference of {max(seen):.4f} 8 times in 10; most smaller ones "
            "they do not.",
        ]

    @property
    def _length(self) -> str:
        return "@" + self.by.rpartition("@")[2]

    def models(self) -> list[ModelResult]:
        """The results, best first."""
        return sorted(self.evaluation.models, key=lambda model: (-self._merit(model.metrics[self.by]), model.model))

    @property
    def _better(self) -> int:
        return -1 if self.by.startswith(LESS_IS_BETTER) else 1

    def _merit(self, estimate: Estimate | None) -> float:
        """The value to sort by; what has none comes last."""
        return -math.inf if estimate is None or math.isnan(estimate.value) else self._better * estimate.value

    def _row(self, model: ModelResult, names: list[str]) -> Row:
        row: Row = {"model": model.model}
        for name in names:
            row[name] = model.metrics[name].value
            if name == self.by:
                row["interval"] = brackets(model.metrics[name])
                if self.evaluation.baseline is not None:
                    row[f"against {self.evaluation.baseline}"] = signed(model.differences.get(name))
                    row["p"] = _short(self.corrected().get(model.model))
        return row | {
            "fit_seconds": model.fit_seconds,
            "megabytes": model.bytes / 1e6,
            "us_per_person": model.microseconds_per_person,
        }

    def _against(self, model: ModelResult) -> str:
        gap, base = model.differences[self.by], self.evaluation.baseline
        if gap.low is None or gap.high is None:
            return f"{model.model} against {base}: too few people for an interval."
        verdict = self._verdict(model)
        if verdict == "even":
            return f"{model.model} is not told apart from {base}: {signed(gap)}."
        low, high = sorted((abs(gap.low), abs(gap.high)))
        said = "beats" if verdict == "ahead" else "is behind"
        by = f"{abs(gap.value):.4f} ({low:.4f} to {high:.4f})"
        return f"{model.model} {said} {base} by {by}."

    def _groups(self, models: list[ModelResult]) -> list[str]:
        """The same of many models, by what is said of them; the differences are in the table."""
        base = self.evaluation.baseline
        said = {
            "ahead": f"{base} is beaten by",
            "even": f"Not told apart from {base}:",
            "behind": f"Behind {base}:",
            "unknown": f"Too few people for an interval against {base}:",
        }
        of_each = {verdict: [model.model for model in models if self._verdict(model) == verdict] for verdict in said}
        return [f"{said[verdict]} {', '.join(names)}." for verdict, names in of_each.items() if names]

    def _verdict(self, model: ModelResult) -> str:
        """Whether a model is "ahead" of the baseline, "behind" it, "even" with it, or "unknown"."""
        gap = model.differences[self.by]
        if gap.low is None or gap.high is None:
            return "unknown"
        by_chance = self.corrected().get(model.model, 0.0) > 1 - self.evaluation.settings.confidence
        if by_chance or gap.low <= 0 <= gap.high:
            return "even"
        return "ahead" if self._better * gap.value > 0 else "behind"


def leaderboard(evaluation: Evaluation, by: str | None = None) -> Leaderboard:
    """The leaderboard by a metric such as "ndcg@10".

    Where none is named, NDCG, or the first that was measured, at 10 or, without it, at the largest k.

    Raises UnknownName for a metric that was not measured.
    """
    cuts = evaluation.settings.k
    length = 10 if 10 in cuts else max(cuts)
    known = list(evaluation.models[0].metrics) if evaluation.models else [by or f"ndcg@{length}"]
    usual = [f"ndcg@{length}", *(name for name in known if name.endswith(f"@{length}"))]
    chosen = by or next(name for name in usual if name in known)
    if chosen not in known:
        raise unknown("metric", chosen, known)
    return Leaderboard(evaluation, chosen)


def _numbers(estimate: Estimate, difference: Estimate | None, people: int) -> Row:
    row: Row = {"value": estimate.value, "low": estimate.low, "high": estimate.high}
    row["people"] = people if estimate.people is None else estimate.people
    gap = difference or Estimate(math.nan)
    told = gap.value if difference else None
    return row | {"difference": told, "difference_low": gap.low, "difference_high": gap.high}


def brackets(estimate: Estimate | None) -> str:
    """The interval in words; nothing where there is none."""
    if estimate is None or estimate.low is None or estimate.high is None:
        return ""
    return f"{estimate.low:.4f} to {estimate.high:.4f}"


def _short(p: float | None) -> float | None:
    return None if p is None else float(f"{p:.2g}")


def signed(estimate: Estimate | None) -> str:
    """A difference with its sign and interval; nothing where there is none."""
    if estimate is None:
        return ""
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:+.4f}"
    return f"{estimate.value:+.4f} ({estimate.low:+.4f} to {estimate.high:+.4f})"
