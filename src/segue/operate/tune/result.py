"""What tuning found, as rows: the winners, the trials best first, what each parameter does, and which model leads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from segue.domain.errors import DataError, unknown
from segue.domain.tables import as_html, as_text
from segue.measure.bootstrap import Estimate
from segue.measure.leaderboard import brackets, signed
from segue.operate.tune.choose import CONFIDENCE, Chosen, against
from segue.operate.tune.cuts import covers
from segue.operate.tune.effects import Effect
from segue.operate.tune.space import DECLARED, DEFAULTS
from segue.operate.tune.study import Trial

Row = dict[str, Any]


class TunedModel(msgspec.Struct, frozen=True):
    """One model's study: its trials in the order in which they were made, and its winner.

    varied  the parameters that were varied; none where the model was only fitted to compare others with
    chosen  None where no trial came through
    ended   why there was no other trial
    cuts    of the training part that all settings are judged by where there is time
    """

    model: str
    learner: str
    study: str
    varied: tuple[str, ...]
    trials: tuple[Trial, ...]
    chosen: Chosen | None
    effects: tuple[Effect, ...]
    ended: str
    cuts: int = 1

    @property
    def seconds(self) -> float:
        """What all trials took together."""
        return sum(trial.seconds for trial in self.trials)

    @property
    def changes(self) -> dict[str, Any]:
        """The parameters of the winner that are not as declared."""
        declared = next((trial.parameters for trial in self.trials if trial.number == DECLARED), {})
        won = {} if self.chosen is None else self.chosen.trial.parameters
        return {name: value for name, value in won.items() if name not in declared or declared[name] != value}

    def rows(self) -> list[Row]:
        """One row a trial, those on the most people first, best first; failed ones last."""
        ordered = sorted(self.trials, key=lambda each: (bool(each.failed), -each.share, -each.value, each.number))
        return [_trial_row(trial, self) for trial in ordered]

    def learned_from(self, share: float) -> str:
        """What a share is of, in words: of the people, or of the cuts."""
        cuts, people = covers(share, self.cuts)
        told = f"{people:.0%} of the people"
        return told if cuts == self.cuts or people < 1 else f"{told}, {cuts} of {self.cuts} cuts"

    def row(self, metric: str) -> Row:
        """What a table of tuned models shows."""
        found = self.chosen
        failed = sum(bool(trial.failed) for trial in self.trials)
        return {
            "model": self.model,
            "trials": len(self.trials),
            "failed": failed,
            "won": "" if found is None else (_words(self.changes) or "as declared"),
            "learned from": "" if found is None else self.learned_from(found.trial.share),
            metric: None if found is None else found.value.value,
            "interval": "" if found is None else brackets(found.value),
            "against declared": "" if found is None else signed(found.difference),
            "expected": None if found is None or found.difference is None else found.expected,
            "seconds": round(self.seconds, 1),
            "megabytes": None if found is None else found.trial.bytes / 1e6,
        }


class Tuned(msgspec.Struct, frozen=True):
    """What `segue tune` found.

    people    who all settings were judged by
    held      what was held back for it, in words
    left_out  declared models that were not tuned, and why
    """

    models: tuple[TunedModel, ...]
    metric: str
    people: int
    held: str
    baseline: str | None
    left_out: dict[str, str]

    @property
    def title(self) -> str:
        """For the head of the table."""
        return (
            f"tuned by {self.metric} of {self.people:,} people cut from the training part, {CONFIDENCE:.0%} intervals\n"
            f"{self.held}; the test was not looked at"
        )

    def __repr__(self) -> str:
        """The table and what it says, as `segue tune` prints it."""
        return as_text(self.rows(), self.title, self.sentences())

    def _repr_html_(self) -> str:
        """The same as a notebook shows it."""
        return as_html(self.rows(), self.title, self.sentences())

    def model(self, name: str) -> TunedModel:
        """One model's study."""
        found = {each.model: each for each in self.models}
        if name not in found:
            raise unknown("tuned model", name, found)
        return found[name]

    def rows(self) -> list[Row]:
        """One row a model, best first."""
        return [each.row(self.metric) for each in self._ranked()]

    def effects(self) -> list[Row]:
        """One row for each parameter that was varied: what it explains, and where it is best."""
        return [
            {
                "model": each.model,
                "parameter": effect.parameter,
                "explains": f"{effect.share:.0%}",
                "best": effect.best,
                f"{self.metric} there": effect.mean,
            }
            for each in self.models
            for effect in each.effects
        ]

    def sentences(self) -> list[str]:
        """Why each winner won and each search ended, who was left out, and, last, which model leads and by how much."""
        lines = [_said(each) for each in self.models if each.varied]
        lines += [f"{name} is left out: {why}" for name, why in self.left_out.items()]
        return [*lines, self.leader()]

    def leader(self) -> str:
        """Which model won on validation, and by how much over the baseline."""
        ranked = [each for each in self._ranked() if each.chosen is not None]
        if not ranked:
            return "No setting of any model came through."
        best = ranked[0]
        assert best.chosen is not None
        lead = f"{best.model} wins on validation with {self.metric} {best.chosen.value.value:.4f}"
        if best.chosen.trial.share < 1:
            lead += f" (learned from {best.learned_from(best.chosen.trial.share)}: a larger --budget would see all)"
        apart = [each.model for each in ranked if each.chosen and each.chosen.trial.share != best.chosen.trial.share]
        if apart:
            lead += f"; {', '.join(apart)} learned from another share, so the values cannot be compared"
        base = next((each for each in self.models if each.model == self.baseline), None)
        reference = None if base is None else _declared(base, best.chosen.trial.share)
        if base is None or reference is None or best is base:
            return lead + "."
        difference = against(best.chosen.trial.people(), reference.people())
        return f"{lead}: {signed(difference)} against {base.model} as declared."

    def records(self) -> list[Row]:
        """One row for every trial of every model, as plain data."""
        return [
            {
                "model": each.model,
                "learner": each.learner,
                "trial": trial.number,
                "won": each.chosen is not None and trial is each.chosen.trial,
                "share": trial.share,
                "metric": self.metric,
                "value": None if trial.failed else trial.value,
                "seconds": trial.seconds,
                "bytes": trial.bytes,
                "failed": trial.failed,
                "parameters": json.dumps(trial.parameters),
            }
            for each in self.models
            for trial in each.trials
        ]

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain data, but for the metric of each single person."""
        told = msgspec.to_builtins(self)
        for each in told["models"]:
            each["changes"] = self.model(each["model"]).changes
            for trial in [*each["trials"], *([each["chosen"]["trial"]] if each["chosen"] else [])]:
                del trial["judged"]
        return {"title": self.title, "sentences": self.sentences(), **told}

    def write(self, path: str | Path) -> None:
        """All trials into a .parquet file; columns `parameter.<name>` are text where a value is no number."""
        path = Path(path)
        if path.suffix != ".parquet":
            raise DataError(f"expected a name that ends in .parquet, found {path.name}", mend="such as trials.parquet")
        records = self.records()
        frame = pl.DataFrame(records, infer_schema_length=None)
        for name in sorted({name for each in self.models for name in each.varied}):
            values = [json.loads(record["parameters"]).get(name) for record in records]
            frame = frame.with_columns(_column(f"parameter.{name}", values))
        frame.write_parquet(path)

    def _ranked(self) -> list[TunedModel]:
        return sorted(self.models, key=lambda each: (-(each.chosen.value.value if each.chosen else -1.0), each.model))


def _declared(each: TunedModel, share: float) -> Trial | None:
    """The declared setting on this share: on another one other people may judge."""
    done = (trial for trial in each.trials if trial.number == DECLARED and not trial.failed)
    return next((trial for trial in done if trial.share == share), None)


def _said(each: TunedModel) -> str:
    if each.chosen is None:
        reasons = next((trial.failed for trial in each.trials if trial.failed), "there was no time for one")
        return f"{each.model}: no trial came through ({reasons})"
    share = each.chosen.trial.share
    people = "" if share == 1 else f", learned from {each.learned_from(share)}"
    return f"{each.model}: {each.chosen.why}, of {each.chosen.compared} settings compared{people}; {each.ended}."


def _trial_row(trial: Trial, each: TunedModel) -> Row:
    words = {DECLARED: "declared", DEFAULTS: "defaults"}
    won = each.chosen is not None and each.chosen.trial is trial
    return {
        "trial": f"{trial.number}" + (f" {words[trial.number]}" if trial.number in words else ""),
        "value": None if trial.failed else trial.value,
        "interval": "" if trial.failed else brackets(_interval(trial, each.chosen)),
        "share": f"{trial.share:.0%}",
        **dict.fromkeys(each.varied, ""),
        **trial.parameters,
        "seconds": trial.seconds,
        "megabytes": trial.bytes / 1e6,
        "note": trial.failed or ("won" if won else ""),
    }


def _interval(trial: Trial, chosen: Chosen | None) -> Estimate:
    """Of what won that of the choice; of others, which are many, by the normal approximation."""
    if chosen is not None and trial is chosen.trial:
        return chosen.value
    people = trial.people()
    if len(people) < 2:
        return Estimate(trial.value)
    wide = 1.96 * float(people.std(ddof=1)) / len(people) ** 0.5
    return Estimate(trial.value, trial.value - wide, trial.value + wide)


def _column(name: str, values: list[Any]) -> pl.Series:
    if all(value is None or (isinstance(value, int | float) and not isinstance(value, bool)) for value in values):
        return pl.Series(name, [None if value is None else float(value) for value in values], pl.Float64)
    texts = [None if value is None else value if isinstance(value, str) else json.dumps(value) for value in values]
    return pl.Series(name, texts, pl.String)


def _words(setting: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {_value(value)}" for name, value in setting.items())


def _value(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


__all__ = ["Tuned", "TunedModel"]
