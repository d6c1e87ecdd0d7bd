"""The doctor finds what was broken on purpose, says one command, and never falls over itself."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from segue import Project
from segue.doctor import diagnose
from segue.engines.compiled import made_of
from segue.learn.warm import KERNELS
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
    said = [finding.told for finding in diagnosis.findings]
    assert any(" in 1 file, version" in each for each in said)
    assert not [each for each in said if re.search(r"\b1 (rows|files|items|models|events|decisions|days)\b", each)]


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


def lose(shop, table):
    """Delete the first file of a table; the day or days and the rows that it had."""
    path = min(path for path in (shop / "lake" / table).rglob("*.parquet") if "_delta_log" not in path.parts)
    rows = pl.read_parquet(path, hive_partitioning=False).height
    path.unlink()
    return path.parent.name.removeprefix("day="), rows


def rows_of(shop):
    snapshot = Project.open(shop).snapshot()
    return {
        "events": snapshot.events().sort("id").collect(),
        "items": snapshot.items().sort("id").drop("received", "order").collect(),
        "users": snapshot.users().sort("id").drop("received", "order").collect(),
        "quarantine": snapshot.quarantine().sort("file", "line").drop("received").collect(),
    }


def test_a_lost_file_of_the_lake_is_all_that_is_broken(shop):
    day, rows = lose(shop, "events")
    said = f"1 file of events is gone, with {rows:,} rows of {day}"
    broken = [each for each in diagnose(shop).findings if each.state == "broken"]
    assert [(each.area, each.told, each.next) for each in broken] == [("lake", said, f"segue -C {shop} lake mend")]


@pytest.mark.slow
def test_a_lost_file_of_the_lake_is_said_and_mended_by_the_commands_that_are_said(shop):
    before = rows_of(shop)
    day, rows = lose(shop, "events")
    said = f"1 file of events is gone, with {rows:,} rows of {day}"
    diagnosis = diagnose(shop)
    status = segue("-C", shop, "lake", "status")
    assert said in status.output
    shutil.rmtree(shop / "cache")
    for words in (["train"], ["check"], ["sql", "SELECT count(*) FROM events"]):
        done = segue("-C", shop, *words)
        assert (done.exit_code, "`segue doctor` says" in done.output) == (2, True), done.output

    mend = f"segue -C {shop} lake mend"
    assert diagnosis.next == mend
    assert f"next: {mend}" in status.output
    mended = segue("-C", shop, "lake", "mend")
    assert "events-2026-01-05.csv" in mended.output
    assert f"next: segue -C {shop} ingest" in mended.output
    assert diagnose(shop).healthy
    assert rows_of(shop)["events"].height == before["events"].height - rows
    assert segue("-C", shop, "ingest").exit_code == 0
    assert diagnose(shop).healthy
    after = rows_of(shop)
    assert all(after[name].equals(before[name]) for name in before), "every row is back, as it was received"
    assert segue("-C", shop, "train", "popularity").exit_code == 0
    assert told("-C", shop, "lake", "mend") == {"lost": [], "read_again": []}


@pytest.mark.slow
@pytest.mark.parametrize("table", ["items", "users", "quarantine", "compacted events"])
def test_a_lost_file_of_any_table_comes_back_from_the_files_it_was_read_from(shop, table):
    if table == "compacted events":
        for number, chunk in enumerate(["a", "b"]):
            day = shop / f"{chunk}.csv"
            day.write_text(
                "event_id,user_id,item_id,event,timestamp,price,quantity,session_id\n"
                f"late{number},u1,p0001,click,2026-01-05T12:00:00Z,,,\n"
            )
            assert segue("-C", shop, "ingest", day).exit_code == 0
        assert segue("-C", shop, "lake", "compact").exit_code == 0
        assert segue("-C", shop, "lake", "vacuum", "--days", "0").exit_code == 0
    before = rows_of(shop)
    lose(shop, table.split()[-1])
    assert diagnose(shop).next == f"segue -C {shop} lake mend"
    mended = segue("-C", shop, "lake", "mend")
    assert f"next: segue -C {shop} ingest" in mended.output
    assert segue("-C", shop, "ingest").exit_code == 0
    if table == "compacted events":  # which are not declared
        assert segue("-C", shop, "ingest", shop / "a.csv", shop / "b.csv").exit_code == 0
    after = rows_of(shop)
    for name, rows in before.items():
        assert after[name].drop("received", strict=False).equals(rows.drop("received", strict=False)), name
    assert diagnose(shop).healthy


@pytest.mark.slow
@pytest.mark.parametrize("part", ["item_ids", "person_ids", "the log of events"])
def test_a_lost_dictionary_or_log_is_mended_by_making_the_lake_anew(shop, part):
    before = rows_of(shop)
    if part == "the log of events":
        (shop / "lake" / "events" / "_delta_log" / f"{0:020d}.json").unlink()
    else:
        lose(shop, part)
        refused = segue("-C", shop, "lake", "mend")
        assert refused.exit_code == 2
        assert "mean nothing" in refused.output
    move, ingest, index = (shlex.split(step) for step in diagnose(shop).next.split(" && "))
    assert move[0] == "mv"
    shutil.move(*move[1:])
    assert segue(*ingest[1:]).exit_code == 0
    assert segue(*index[1:]).exit_code == 0
    assert diagnose(shop).healthy
    assert rows_of(shop)["events"].drop("received").equals(before["events"].drop("received"))
    assert segue("-C", shop, "train", "popularity").exit_code == 0


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


@pytest.mark.slow
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


def test_kernels_of_another_version_are_not_those_that_are_compiled(tmp_path, monkeypatch):
    monkeypatch.setattr("segue.engines.compiled.CACHE", tmp_path)
    folders = {module: tmp_path / made_of(module) for module in KERNELS}
    for module, folder in folders.items():
        (folder / "learn_0").mkdir(parents=True)
        (folder / "learn_0" / f"{module.rpartition('.')[2]}.sums-1.py311.nbi").touch()
    assert any(f"{len(KERNELS)} sets of kernels are compiled" in found.told for found in diagnose(tmp_path).findings)
    folders["segue.learn.als_kernels"].rename(tmp_path / "older")
    said = [found.told.partition(";")[0] for found in diagnose(tmp_path).findings if "compiled" in found.told]
    assert said == ["not compiled yet: solving for factors"]


def test_the_command_exits_with_1_where_something_is_broken(made, shop):
    assert told("-C", made, "doctor")["healthy"]
    (shop / "segue.toml").unlink()
    done = segue("-C", shop, "doctor", "--json")
    assert done.exit_code == 1
    assert not json.loads(done.stdout)["healthy"]
    assert "next: segue init" in segue("-C", shop, "doctor").output
