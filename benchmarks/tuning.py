"""Whether tuning carries over: what is declared, the defaults and what `segue tune` found, on the test.

python -m benchmarks.tuning WORKSPACE [--budget SECONDS] [--method halving] [--models ease,slim] [--clock processor]

The test is looked at once, after the search. On a shared machine, count the budget in processor seconds.
"""

from __future__ import annotations

import argparse
import time

import msgspec

from segue import Project
from segue.measure.offline import evaluate
from segue.operate.tune.result import TunedModel
from segue.operate.tune.space import DEFAULTS, Space
from segue.operate.tune.varied import ranges_of

METRIC = "ndcg@10"
CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}


def main() -> None:
    """Tune, then hold each model's three settings against the test."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("workspace")
    words.add_argument("--budget", type=float, default=300.0)
    words.add_argument("--method", default="halving")
    words.add_argument("--models", default="")
    words.add_argument("--clock", choices=CLOCKS, default="wall")
    said = words.parse_args()
    project = Project.open(said.workspace)
    began = time.perf_counter()
    tuned = project.tune(
        [each for each in said.models.split(",") if each],
        budget=said.budget,
        method=said.method,
        clock=CLOCKS[said.clock],
    )
    print(f"{said.workspace}: {time.perf_counter() - began:.0f} s in all")
    for row in tuned.rows():
        print(row)
    for row in tuned.effects():
        print(row)
    for line in tuned.sentences():
        print(line)
    for each in tuned.models:
        if each.varied:
            held_against_the_test(project, each)


def held_against_the_test(project: Project, each: TunedModel) -> None:
    """Fit the three settings on the training part of the declared split, and measure them on its test."""
    split = project.split()
    declared = project.learner(each.model)
    space = Space(declared, ranges_of(declared, project.declaration.tuning.get(each.model, {}), ""))
    settings = {"declared": {}, "defaults": space.setting(DEFAULTS), "tuned": each.changes}
    fitted = {name: space.with_setting(setting).fit(project.engine, split.train) for name, setting in settings.items()}
    said = msgspec.structs.replace(project.declaration.evaluation, baseline="declared")
    found = evaluate(fitted, split.test, split.train.items, said)
    values = {model.model: model.metrics[METRIC] for model in found.models}
    gain = next(model.differences[METRIC] for model in found.models if model.model == "tuned")
    told = ", ".join(
        f"{name} {value.value:.4f} ({value.low:.4f} to {value.high:.4f})" for name, value in values.items()
    )
    print(
        f"TEST {each.model} {METRIC}: {told}; tuned - declared "
        f"{gain.value:+.4f} ({gain.low:+.4f} to {gain.high:+.4f}); {each.changes}",
        flush=True,
    )


if __name__ == "__main__":
    main()
