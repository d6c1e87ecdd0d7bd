"""The demo once around at a small scale: what it prints is true of the workspace that it leaves behind."""

from __future__ import annotations

import io
import json
import os
import re

import pytest
from rich.console import Console

from segue.demo import MARK, make_fresh, run
from segue.demo.service import Service
from segue.demo.shop import EXPERIMENT, Scale, on_a_shop
from segue.demo.telling import Teller
from segue.domain.errors import SegueError
from segue.project import Project

pytestmark = [pytest.mark.slow, pytest.mark.service]


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "demo"
    make_fresh(folder)
    out = io.StringIO()
    scale = Scale(people=800, items=500, visits=1_400, last_visits=400)
    on_a_shop(folder, Teller(Console(file=out, width=116, highlight=False)), stay=False, scale=scale)
    return folder, out.getvalue()


def test_every_step_is_told_with_its_seconds(told):
    _, text = told
    headings = re.findall(r"^ *(\d+)  (\S.*)$", text, re.MULTILINE)
    assert [int(number) for number, _ in headings] == list(range(1, 15))
    assert len(re.findall(r"^ +\d+\.\d s$", text, re.MULTILINE)) == 14


def test_leaderboards_have_the_columns_of_segue_evaluate(told):
    _, text = told
    heads = [re.split(r"\s{2,}", line.strip()) for line in re.findall(r"^ +model +recall.*$", text, re.MULTILINE)]
    told = ["model", "recall@10", "ndcg@10"]
    assert heads == [
        [*told, "against popularity", "fit seconds"],
        [*told, "against old release", "fit seconds"],
    ]


def test_what_was_broken_is_what_is_in_quarantine(told):
    folder, _ = told
    truth = json.loads((folder / "files" / "truth.json").read_bytes())
    broken = {(row["file"], row["line"]) for row in truth["broken"] if row["kind"] != "duplicate"}
    quarantine = Project.open(folder).snapshot().quarantine().select("file", "line").collect().to_dicts()
    assert {(row["file"].rpartition("/")[2], row["line"]) for row in quarantine} == broken


def test_the_lake_holds_the_history_and_the_visits_once(told):
    folder, _ = told
    truth = json.loads((folder / "files" / "truth.json").read_bytes())
    events = Project.open(folder).snapshot().events().select("id", "decision", "type").collect()
    assert events["id"].n_unique() == len(events)
    visited = events.filter(events["decision"].is_not_null())
    assert len(events) - len(visited) == truth["rows"] - len(truth["broken"])
    assert set(visited["type"]) == {"impression", "click", "buy"}


def test_every_visit_is_a_decision_under_the_experiment(told):
    folder, _ = told
    decisions = Project.open(folder).snapshot().decisions().collect()
    assert len(decisions) == decisions["request_id"].n_unique() == 1_400


def test_the_learned_lists_win_and_the_truth_lies_in_the_interval_or_near_it(told):
    folder, text = told
    (readout,) = Project.open(folder).experiment(EXPERIMENT)
    clicks = next(metric for metric in readout.metrics if metric.name == "clicks")
    gap = clicks.comparisons[0].difference
    assert readout.finding == "difference"
    assert gap.low > 0
    (true_difference,) = re.findall(r"^ *clicks +\d.* (\S+) +(?:yes|no) *$", text, re.MULTILINE)
    width = gap.high - gap.low
    assert gap.low - width / 2 < float(true_difference) < gap.high + width / 2


def test_the_new_release_is_current_and_the_old_one_still_there(told):
    folder, text = told
    registry = Project.open(folder).registry
    old, new = registry.names()
    assert registry.current() == new
    assert text.index(old) < text.index(new)


def test_no_process_stays_behind(told):
    folder, _ = told
    mine = str(folder).encode()
    for process in os.listdir("/proc"):
        if process.isdigit() and int(process) != os.getpid():
            try:
                with open(f"/proc/{process}/cmdline", "rb") as file:
                    assert mine not in file.read()
            except (FileNotFoundError, ProcessLookupError):
                continue


def test_a_folder_that_is_not_the_demos_is_left_alone(tmp_path):
    (tmp_path / "letter.txt").write_text("dear all")
    with pytest.raises(SegueError, match="not empty"):
        run(tmp_path, serve=False)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_folder_of_the_demo_is_made_anew(tmp_path):
    make_fresh(tmp_path / "demo")
    (tmp_path / "demo" / "left.over").touch()
    make_fresh(tmp_path / "demo")
    assert [path.name for path in (tmp_path / "demo").iterdir()] == [MARK]


def test_a_service_that_cannot_start_says_why(tmp_path):
    with pytest.raises(SegueError) as refusal, Service(tmp_path, workers=1):
        pass
    assert "there is no workspace here" in str(refusal.value)
