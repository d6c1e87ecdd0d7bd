"""The whole chain on inputs that nobody hopes for: it ends in lists, or in a sentence that says what to do."""

from __future__ import annotations

import gzip
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from segue import Project
from segue.declaration import FILE
from tests.project.conftest import segue, told

pytestmark = pytest.mark.slow

COMMON = "user,item,time\n"


def chain(folder: Path, events: Path, *flags: str) -> Path:
    """init and ingest; the workspace."""
    begun = segue("init", folder, "--events", events, *flags)
    assert begun.exit_code == 0, begun.output
    taken = segue("-C", folder, "ingest")
    assert taken.exit_code == 0, taken.output
    return folder


def rows(pairs: list[tuple[str, str]]) -> str:
    return COMMON + "".join(
        f"{user},{item},2026-01-{1 + n % 28:02d}T00:00:00Z\n" for n, (user, item) in enumerate(pairs)
    )


SMALL = {
    "one user": [("ann", f"i{n}") for n in range(9)],
    "one item": [(f"u{n}", "x") for n in range(9)],
    "one event": [("ann", "x")],
    "all equal": [(f"u{u}", f"i{i}") for u in range(6) for i in range(5)],
    "unicode": [(user, item) for user in ("Zoë", "李", "💚") for item in ("ä", "ß ", "naïve, café")],
}


@pytest.mark.parametrize("name", SMALL)
def test_small_worlds_train_release_and_answer(tmp_path: Path, name: str) -> None:
    quoted = [(user, f'"{item}"') for user, item in SMALL[name]]
    (tmp_path / "e.csv").write_text(rows(quoted), encoding="utf-8")
    shop = chain(tmp_path / "w", tmp_path / "e.csv", "--column", "user=user", "--column", "item=item")
    assert len(told("-C", shop, "train")) == 4
    assert told("-C", shop, "release")
    user, _ = SMALL[name][0]
    for who in (user, "stranger"):
        listed = told("-C", shop, "recommend", "--user", who, "-k", 200)
        items = [row["item"] for row in listed["items"]]
        assert len(items) == len(set(items))
    assert told("-C", shop, "recommend", "--user", "stranger")["fallback"]
    evaluated = segue("-C", shop, "evaluate", "--json")
    assert evaluated.exit_code == 0 or "→" in evaluated.stderr


@pytest.mark.parametrize("text", ["", "user,item,time\n", "\n\n\n"])
def test_files_without_rows_are_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "e.csv").write_text(text)
    (tmp_path / "good.csv").write_text(rows(SMALL["all equal"]))
    shop = chain(tmp_path / "w", tmp_path / "good.csv")
    before = Project.open(shop).snapshot().events_count
    result = segue("-C", shop, "ingest", tmp_path / "e.csv")
    assert "no rows" in result.output or "→" in result.output
    assert Project.open(shop).snapshot().events_count == before


def test_a_truncated_parquet_is_refused_and_nothing_of_it_is_taken(tmp_path: Path) -> None:
    (tmp_path / "good.csv").write_text(rows(SMALL["all equal"]))
    shop = chain(tmp_path / "w", tmp_path / "good.csv")
    pq.write_table(
        pa.table({"user": ["a"] * 999, "item": ["b"] * 999, "time": ["2026-01-01"] * 999}), tmp_path / "e.parquet"
    )
    whole = (tmp_path / "e.parquet").read_bytes()
    (tmp_path / "e.parquet").write_bytes(whole[: len(whole) // 2])
    before = Project.open(shop).snapshot().events_count
    refused = segue("-C", shop, "ingest", tmp_path / "e.parquet")
    assert refused.exit_code == 2
    assert "e.parquet" in refused.stderr
    assert Project.open(shop).snapshot().events_count == before


def test_a_file_and_its_compressed_twin_are_one_batch(tmp_path: Path) -> None:
    (tmp_path / "e.csv").write_text(rows(SMALL["all equal"]))
    (tmp_path / "twin.csv.gz").write_bytes(gzip.compress((tmp_path / "e.csv").read_bytes()))
    shop = chain(tmp_path / "w", tmp_path / "e.csv")
    again = segue("-C", shop, "ingest", tmp_path / "twin.csv.gz")
    assert "in already" in again.stdout
    assert Project.open(shop).snapshot().events_count == 30


def test_times_before_1970_are_kept_and_those_to_come_are_not(tmp_path: Path) -> None:
    (tmp_path / "e.csv").write_text(
        COMMON
        + "a,x,1955-11-05T06:15:00Z\na,y,2015-10-21T16:29:00Z\nb,x,2199-01-01T00:00:00Z\nb,y,2015-10-21T16:29:00Z\n"
    )
    shop = chain(tmp_path / "w", tmp_path / "e.csv")
    snapshot = Project.open(shop).snapshot()
    years = sorted(time.year for time in snapshot.events().collect()["time"])
    assert years == [1955, 2015, 2015]
    assert "future" in snapshot.quarantine().collect()["reason"][0]


def test_data_without_times_refuse_by_name_what_needs_times(tmp_path: Path) -> None:
    (tmp_path / "e.csv").write_text("user,item\n" + "".join(f"u{n % 5},i{n % 7}\n" for n in range(40)))
    shop = chain(tmp_path / "w", tmp_path / "e.csv")
    refused = segue("-C", shop, "evaluate", "--split", "time")
    assert refused.exit_code == 2
    assert "random" in refused.stderr
    text = (shop / FILE).read_text().replace("# half_life_days", "half_life_days")
    (shop / FILE).write_text(text)
    refused = segue("-C", shop, "train", "popularity")
    assert refused.exit_code == 2
    assert "half_life_days" in refused.stderr


def test_the_same_id_in_two_files_is_one_event(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("event_id,user,item\n1,a,x\n2,a,y\n")
    (tmp_path / "2.csv").write_text("event_id,user,item\n2,a,y\n3,b,x\n3,b,x\n")
    shop = chain(tmp_path / "w", tmp_path / "*.csv", "--column", "id=event_id")
    assert Project.open(shop).snapshot().events_count == 3


@pytest.mark.slow
def test_two_trainings_at_once_both_end_well(made: Path, tmp_path: Path) -> None:
    shop = shutil.copytree(made, tmp_path / "shop")
    ends: list[int] = []
    command = [sys.executable, "-m", "segue", "-C", str(shop), "train", "ease", "popularity"]
    threads = [
        threading.Thread(target=lambda: ends.append(subprocess.run(command, capture_output=True).returncode))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ends == [0, 0]
    assert told("-C", shop, "recommend", "--user", "stranger")["items"]
    assert not [path for path in (shop / "models").rglob(".*") if path.is_dir() and any(path.iterdir())]


@pytest.mark.slow
@pytest.mark.parametrize("delay", [0.3, 0.6, 0.9, 1.2, 1.6, 2.0])
def test_ctrl_c_while_training_leaves_nothing_half_written(made: Path, tmp_path: Path, delay: float) -> None:
    shop = shutil.copytree(made, tmp_path / "shop")
    before = {path.name: path.read_text() for path in (shop / "models").glob("*/current")}
    process = subprocess.Popen([sys.executable, "-m", "segue", "-C", str(shop), "train"], stderr=subprocess.PIPE)
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    _, told_ = process.communicate(timeout=60)
    assert process.returncode in (0, 130, -signal.SIGINT), told_
    assert before.keys() == {path.name for path in (shop / "models").glob("*/current")}
    for model in ("popularity", "item_knn", "ease", "als"):
        assert told("-C", shop, "recommend", "--user", "stranger", "--model", model)["items"]
    assert segue("-C", shop, "train", "popularity").exit_code == 0


def test_a_damaged_model_is_refused_with_its_file_and_the_way_out(shop: Path) -> None:
    run = (shop / "models" / "ease" / "current").read_text().strip()
    largest = max((shop / "models" / "ease" / run).glob("*.npy"), key=lambda path: path.stat().st_size)
    content = bytearray(largest.read_bytes())
    content[-1] ^= 0xFF
    largest.unlink()  # the release holds a link to the same file
    largest.write_bytes(bytes(content))
    refused = segue("-C", shop, "recommend", "--user", "stranger", "--model", "ease")
    assert refused.exit_code == 2
    assert largest.name in refused.stderr
    assert "train" in refused.stderr


def test_a_model_of_a_newer_format_is_refused(shop: Path) -> None:
    run = (shop / "models" / "ease" / "current").read_text().strip()
    manifest = shop / "models" / "ease" / run / "manifest.json"
    text = manifest.read_text().replace('"format": 1', '"format": 99')
    manifest.unlink()
    manifest.write_text(text)
    refused = segue("-C", shop, "recommend", "--user", "stranger", "--model", "ease")
    assert refused.exit_code == 2
    assert "99" in refused.stderr


@pytest.mark.slow
def test_a_folder_that_cannot_be_written_is_said_in_words(made: Path, tmp_path: Path, files: Path) -> None:
    """As another user than root, who may write anywhere."""
    shop = shutil.copytree(made, tmp_path / "shop")
    (tmp_path / "e.csv").write_text(rows(SMALL["all equal"]))
    os.chmod(tmp_path, 0o755)
    for path in [*tmp_path.parents][:3]:
        os.chmod(path, 0o755)
    command = [sys.executable, "-m", "segue", "-C", str(shop), "ingest", str(tmp_path / "e.csv")]
    if os.geteuid() == 0:
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *command]
    else:
        for path in shop.rglob("*"):
            path.chmod(0o555 if path.is_dir() else 0o444)
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"HOME": str(tmp_path)})
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "→" in done.stderr
