"""What a leaderboard's page says of metrics of which less is better, and of models that have no value."""

from __future__ import annotations

from datetime import datetime

from segue.measure.bootstrap import Estimate
from segue.measure.leaderboard import leaderboard
from segue.measure.offline import Evaluation, ModelResult
from segue.measure.settings import EvaluationSettings
from segue.report.board import board
from segue.report.page import page
from segue.report.section import Report

BY = "miscalibration@10"
TIMED = (("near", 0.2, 3.0), ("loaded", 0.1, None))


def of(**values: float) -> Report:
    """A board of models by name; each next one took longer to fit."""
    models = [
        ModelResult(name, {BY: Estimate(value, value - 0.1, value + 0.1)}, {}, 1.0, 100 * place, float(place))
        for place, (name, value) in enumerate(values.items(), 1)
    ]
    evaluation = Evaluation(tuple(models), 10, 10, 0, 0, None, EvaluationSettings())
    return board(leaderboard(evaluation, BY), {}, "shop", datetime(2026, 1, 1))


def lead(report: Report, name: str) -> str:
    return next(section.lead for section in report.sections if section.key == name)


def test_what_is_dearer_and_worse_is_not_called_the_best_where_less_is_better() -> None:
    assert lead(of(near=0.2, far=2.0), "costs") == "None beats near at any cost."
    assert lead(of(far=2.0, near=0.2), "costs") == "From the cheapest on, the best are far, then near."


def test_models_whose_fit_was_not_timed_are_named_where_costs_are_told() -> None:
    models = [ModelResult(name, {BY: Estimate(value)}, {}, 1.0, 100, seconds) for name, value, seconds in TIMED]
    evaluation = Evaluation(tuple(models), 10, 10, 0, 0, None, EvaluationSettings())
    report = board(leaderboard(evaluation, BY), {}, "shop", datetime(2026, 1, 1))
    (costs,) = (section for section in report.sections if section.key == "costs")
    assert costs.lead == "None beats near at any cost."
    assert costs.sentences == ("That leaves out loaded: how long it took to fit was not measured.",)
    (every,) = (section for section in of(near=0.2, far=2.0).sections if section.key == "costs")
    assert every.sentences == ()


def test_a_model_without_a_value_has_no_place_in_a_plot() -> None:
    told = page(of(near=0.2, silent=float("nan")))
    assert 'cx="nan"' not in told
    assert 'cy="nan"' not in told
    assert page(of(silent=float("nan")))
