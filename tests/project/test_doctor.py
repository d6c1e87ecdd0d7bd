"""The doctor finds what was broken on purpose, says one command, and never falls over itself."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from segue import Project
from segue.doctor import diagnose
from tests.project.conftest import segue, told


def found(folder, area, state):
    return [finding for finding in diagnose(folder).findings if (finding.area, finding.state) == (area, state)]


def test_a_sound_workspace_is_healthy(made):
    diagnosis = diagnose(made)
    assert diagnosis.healthy, diagnosis.rows()
    assert {finding.area for finding in diagnosis.findings} >= {
        "machine", "installation", "declaration", "lake", "clock", "journal", "index", "models", "release",
    }  # fmt: skip
    assert not [finding for finding in diagnosis.findings if finding.state == "warning"], diagnosis.rows()


def test_where_there_is_no_workspace_it_says_how_to_make_one(tmp_path):
    diagnosis = diagnose(tmp_path / "nowhere")
    assert not diagnosis.healthy
    assert diagnosis.next == "segue init DIR --events FILE"


def test_a_declaration_that_cannot_be_read_does_not_hide_the_lake(shop):
    (shop / "segue.toml").write_text("[evnts]\n")
    diagnosis = diagnose(shop)
    assert diagnosis.next == f"segue -C {shop} config show"
    assert "evnts" in found(shop, "declaration", "broken")[0].told
    assert found(shop, "lake", "ok")


def test_a_lost_file_of_the_lake_is_broken(shop):
    next((shop / "lake" / "events").rglob("*.parquet")).unlink()
    assert "1 files of events are gone" in found(shop, "lake", "broken")[0].told


def test_a_commit_that_was_cut_off_is_mended_by_the_command_it_says(shop):
    log = shop / "lake" / "events" / "_delta_log"
    last = max(log.glob("*.json"))
    (log / f"{int(last.stem) + 1:020d}.json").write_text('{"commitInfo": {"timest')
    diagnosis = diagnose(shop)
    assert found(shop, "lake", "warning")[0].next == diagnosis.next == f"segue -C {shop} ingest"
    assert segue("-C", shop, "ingest").exit_code == 0
    assert not found(shop, "lake", "warning")


def damage(folder):
    array = max(folder.glob("*.npy"), key=lambda path: path.stat().st_size)
    data = bytearray(array.read_bytes())
    data[-1] ^= 0xFF
    array.write_bytes(data)


def test_a_damaged_model_is_broken_and_trained_again(shop):
    damage(shop / "models" / "ease" / (shop / "models" / "ease" / "current").read_text().strip())
    assert [finding.next for finding in found(shop, "models", "broken")] == [f"segue -C {shop} train ease"]
    assert segue("-C", shop, "train", "ease").exit_code == 0
    assert not found(shop, "models", "broken")


def test_a_damaged_release_is_broken_and_released_again(shop):
    damage(shop / "releases" / Project.open(shop).registry.current() / "models" / "ease")
    assert found(shop, "release", "broken")[0].next == f"segue -C {shop} release"
    assert "ease" in found(shop, "release", "broken")[0].told
    assert segue("-C", shop, "release").exit_code == 0
    assert not found(shop, "release", "broken")
    damage(shop / "releases" / Project.open(shop).registry.current() / "models" / "ease")
    assert found(shop, "release", "broken")[0].next == f"segue -C {shop} release rollback"


@pytest.mark.slow
def test_models_that_are_older_than_the_lake_are_a_note(shop):
    Project.open(shop).lake.append_events(
        pl.DataFrame({"id": ["new"], "user": ["somebody"], "item": ["i0001"], "type": ["click"]}), "late"
    )
    assert len(found(shop, "models", "note")) >= 2
    assert diagnose(shop).healthy
    assert found(shop, "index", "warning")[0].next == f"segue -C {shop} lake index"
    assert segue("-C", shop, "lake", "index").exit_code == 0
    assert not found(shop, "index", "warning")


def test_a_lake_from_the_future_says_that_a_clock_is_wrong(shop):
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    rows = {"id": ["early"], "user": ["somebody"], "item": ["i1"], "type": ["click"], "time": [tomorrow]}
    Project.open(shop).lake.append_events(pl.DataFrame(rows | {"received": [tomorrow]}), "early")
    assert "clocks is wrong" in found(shop, "clock", "broken")[0].told
    assert "has not come yet" in found(shop, "clock", "warning")[0].told


@pytest.mark.parametrize("part", ["lake", "models", "releases", "state", "journal"])
def test_whatever_is_missing_or_no_folder_it_answers(shop, part):
    shutil.rmtree(shop / part)
    assert diagnose(shop).findings
    (shop / part).write_text("no folder")
    assert diagnose(shop).findings


def test_the_command_exits_with_1_where_something_is_broken(made, shop):
    assert told("-C", made, "doctor")["healthy"]
    (shop / "segue.toml").unlink()
    done = segue("-C", shop, "doctor", "--json")
    assert done.exit_code == 1
    assert not json.loads(done.stdout)["healthy"]
    assert "next: segue init" in segue("-C", shop, "doctor").output
