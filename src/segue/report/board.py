"""A leaderboard as a report: who leads, what it costs, which settings differ, who it holds for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from markupsafe import Markup

from segue.measure.leaderboard import LESS_IS_BETTER, Leaderboard
from segue.measure.offline import ModelResult
from segue.report.board_plots import Point, costs, curves, intervals, unbeaten
from segue.report.section import Figure, Report, Section
from segue.report.words import counted

Parameters = Mapping[str, Mapping[str, Any]]


def board(told: Leaderboard, parameters: Parameters, name: str, now: datetime) -> Report:
    """The report of an evaluation; `parameters` are those of each model, by its name, defaults included."""
    evaluation = told.evaluation
    sections = [_models(told), _costs(told), _settings(parameters), _slices(told), _everything(told)]
    return Report(
        name=name,
        made=f"{now:%Y-%m-%d %H:%M} UTC",
        facts=(
            ("models", f"{len(evaluation.models):,}"),
            ("people", f"{evaluation.people:,}"),
            ("items, all ranked", f"{evaluation.items:,}"),
        ),
        sections=tuple(section for section in sections if section is not None),
        kind="Leaderboard",
        maker="segue evaluate --out",
    )


def curve_board(rows: Sequence[Mapping[str, Any]], by: str, along: str, name: str, now: datetime) -> Report:
    """Learning curves as a report: `rows` as those of `CurvePoint.row`."""
    lines: dict[str, list[Point]] = {}
    for row in rows:
        low, high = (row[by] if row[end] is None else row[end] for end in ("low", "high"))
        lines.setdefault(row["model"], []).append(Point(row["model"], row["events"], row[by], low, high))
    title = f"{by} against events learned from"
    figure = Figure(
        title,
        curves(
            lines, "events", title, f"{title}, by share of {along}, a line for each of {counted(len(lines), 'model')}"
        ),
        list(map(dict, rows)),
        f"project.learning_curve(along={along!r})",
        None,
    )
    gains = {model: line[-1].value - line[-2].value for model, line in lines.items() if len(line) > 1}
    told = ", ".join(f"{model} {gain:+.4f}" for model, gain in sorted(gains.items(), key=lambda item: -item[1]))
    section = Section("curves", "Learning curves", f"What the last doubling brought: {told}.", (), (figure,))
    facts = (("models", f"{len(lines):,}"), ("points", f"{len(rows):,}"))
    return Report(
        name, f"{now:%Y-%m-%d %H:%M} UTC", facts, (section,), kind="Learning curves", maker="segue curve --out"
    )


def differing(parameters: Parameters) -> list[dict[str, Any]]:
    """One row a parameter that two models of one learner have other values of, one column a model.

    >>> differing({"a": {"learner": "ease", "k": 1, "n": 2}, "b": {"learner": "ease", "k": 1, "n": 3}})
    [{'learner': 'ease', 'parameter': 'n', 'a': '2', 'b': '3'}]
    """
    rows = []
    for learner in dict.fromkeys(said["learner"] for said in parameters.values()):
        alike = {name: said for name, said in parameters.items() if said["learner"] == learner}
        for parameter in dict.fromkeys(key for said in alike.values() for key in said):
            values = {name: str(said.get(parameter, "")) for name, said in alike.items()}
            if len(set(values.values())) > 1:
                blank = dict.fromkeys(parameters, "")
                rows.append({"learner": learner, "parameter": parameter, **blank, **values})
    return rows


def _models(told: Leaderboard) -> Section:
    lead, *more = told.sentence().split(". ")
    sentences = tuple(f"{sentence.removesuffix('.')}." for sentence in more if sentence)
    held = told.title.replace("\n", "; ")
    points = [_point(told, model, 0.0) for model in _valued(told)]
    drawn = intervals(points, told.by, f"{told.by} of {counted(len(points), 'model')}, best first") if points else ""
    figure = Figure(f"{told.by}, with its interval", Markup(drawn), told.rows(), "project.evaluate().rows()", None)
    return Section("models", "Models", f"{lead.removesuffix('.')}.", (f"{held}.", *sentences, *told.notes()), (figure,))


def _costs(told: Leaderboard) -> Section | None:
    """Quality against seconds of fitting, and against bytes."""
    models = _valued(told)
    if not models:
        return None
    by_bytes = [_point(told, model, model.bytes / 1e6) for model in models]
    figures = [_cost_figure(told, by_bytes, "MB", "size")]
    timed = [_point(told, model, model.fit_seconds) for model in models if model.fit_seconds]
    if timed:
        figures.insert(0, _cost_figure(told, timed, "seconds", "time to fit"))
    cheapest = unbeaten(timed or by_bytes, _better(told))
    names = ", then ".join(point.name for point in cheapest)
    lead = f"From the cheapest on, the best are {names}." if len(cheapest) > 1 else f"None beats {names} at any cost."
    untimed = [model.model for model in models if not model.fit_seconds] if timed else []
    left_out = f"That leaves out {', '.join(untimed)}: how long it took to fit was not measured."
    return Section("costs", "Quality and cost", lead, (left_out,) if untimed else (), tuple(figures))


def _cost_figure(told: Leaderboard, points: Sequence[Point], unit: str, what: str) -> Figure:
    title = f"{told.by} against {what}"
    rows = [{"model": point.name, unit: point.cost, told.by: point.value} for point in points]
    drawn = costs(points, unit, title, f"{title} of each model", _better(told))
    return Figure(title, drawn, rows, "project.evaluate().rows()", None)


def _settings(parameters: Parameters) -> Section | None:
    if not parameters:
        return None
    rows = differing(parameters)
    every = [
        {"model": name, "parameter": parameter, "value": str(value)}
        for name, said in parameters.items()
        for parameter, value in said.items()
    ]
    lead = f"Models of one learner differ in {counted(len(rows), 'setting')}." if rows else "No learner is there twice."
    figures = [_table("All settings", every, "project.learner(name)")]
    if rows:
        figures.insert(0, _table("Settings that differ", rows, "project.learner(name)"))
    return Section("settings", "Settings", lead, (), tuple(figures))


def _slices(told: Leaderboard) -> Section | None:
    rows = told.slice_rows()
    if not rows:
        return None
    parts = {(row["slice"], row["part"]): row for row in reversed(rows)}  # the first of a part is its best
    leaders = {row["model"] for row in parts.values()}
    lead = (
        f"{leaders.pop()} leads in every part."
        if len(leaders) == 1
        else f"Which model leads depends on who is asked: {', '.join(sorted(leaders))}."
    )
    return Section("slices", "Parts", lead, (), (_table("Each part", rows, "project.evaluate().slice_rows()"),))


def _everything(told: Leaderboard) -> Section:
    rows = told.records()
    lead = f"{counted(len(rows), 'number')} in all, each with its interval."
    return Section(
        "everything", "All numbers", lead, (), (_table("Every metric", rows, "project.evaluate().records()"),)
    )


def _table(title: str, rows: Sequence[dict[str, Any]], python: str) -> Figure:
    return Figure(title, Markup(), rows, python, None)


def _valued(told: Leaderboard) -> list[ModelResult]:
    """The models that have a value of the metric, best first: what has none has no place in a plot."""
    return [model for model in told.models() if not math.isnan(model.metrics[told.by].value)]


def _better(told: Leaderboard) -> int:
    return -1 if told.by.startswith(LESS_IS_BETTER) else 1


def _point(told: Leaderboard, model: ModelResult, cost: float) -> Point:
    estimate = model.metrics[told.by]
    low = estimate.value if estimate.low is None else estimate.low
    high = estimate.value if estimate.high is None else estimate.high
    return Point(model.model, cost, estimate.value, low, high)


__all__ = ["board", "curve_board", "differing"]
