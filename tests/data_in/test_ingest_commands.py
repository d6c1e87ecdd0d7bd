"""`segue ingest` as people run it: on a file system that is full, and twice at the same time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from segue.data.lake.lake import Lake
from tests.data_in.test_ingest_hard import written

SEGUE = [sys.executable, "-m", "segue"]
DECLARED = '[events]\nfiles = ["{files}"]\n[events.columns]\nuser = "user"\nitem = "item"\n'
SPACE = ["unshare", "--map-root-user", "--mount"]  # a mount of its own, which is gone with the process

ON_A_SMALL_DISK = """
mount -t tmpfs -o size=1m tmpfs disk && cp segue.toml disk && cd disk || exit 9
"$0" -m segue ingest ../days/0.csv; echo "first $?"
"$0" -m segue ingest; echo "full $?"
mount -o remount,size=500m . && "$0" -m segue ingest; echo "freed $?"
"$0" -c 'from segue import Project; it = Project.open("."); print("behind", it.state.is_behind(it.snapshot()))'
cp -r lake ../lake
"""


def _may_mount() -> bool:
    found = subprocess.run([*SPACE, "mount", "-t", "tmpfs", "tmpfs", "/tmp"], capture_output=True, check=False)
    return found.returncode == 0


@pytest.mark.slow
def test_a_full_file_system_is_named_and_once_there_is_room_each_row_is_in_once(tmp_path: Path) -> None:
    if not _may_mount():
        pytest.skip("this user may mount nothing (unshare --mount): a full file system was not tried")
    for folder in ("days", "disk"):
        (tmp_path / folder).mkdir()
    (tmp_path / "segue.toml").write_text(DECLARED.format(files=f"{tmp_path}/days/*.csv"))
    for day in range(6):
        written(tmp_path / "days" / f"{day}.csv", range(day * 40_000, day * 40_000 + (1_000 if day == 0 else 40_000)))
    command = [*SPACE, "sh", "-c", ON_A_SMALL_DISK, sys.executable]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "first 0" in done.stdout
    assert "full 0" not in done.stdout
    assert f"the disk is full ({tmp_path}/disk, " in done.stderr
    assert "free some space and run the same command again" in done.stderr
    assert "Traceback" not in done.stderr
    assert "freed 0" in done.stdout
    assert "behind False" in done.stdout, "the histories of people have what came while there was no room for them"
    users = Lake(tmp_path / "lake").snapshot().events().collect()["user"]
    assert users.n_unique() == len(users) == 201_000


@pytest.mark.slow
def test_of_two_ingests_at_once_the_one_that_loses_says_so_and_each_row_is_in_once(tmp_path: Path) -> None:
    (tmp_path / "days").mkdir()
    (tmp_path / "segue.toml").write_text(DECLARED.format(files="days/*.csv"))
    for day in range(300):
        written(tmp_path / "days" / f"{day:03}.csv", range(day * 100, day * 100 + 100))
    both = [
        subprocess.Popen([*SEGUE, "ingest"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    told = [(each.communicate(), each.returncode) for each in both]
    assert 0 in [code for _, code in told]
    for (said, problem), code in told:
        if code == 0:
            assert "kept 30,000 rows" in said or "300 files were in already" in said
        else:
            assert "is writing to the lake; only one can at a time" in problem
            assert "wait until it is done, or end it" in problem
    done = subprocess.run([*SEGUE, "ingest"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "300 files were in already" in done.stdout
    users = Lake(tmp_path / "lake").snapshot().events().collect()["user"]
    assert users.n_unique() == len(users) == 30_000
