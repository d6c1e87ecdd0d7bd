"""Quarantine: the very bytes and where they stand, and rows that come back once, however often they are tried."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tarfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from segue.cli import main
from segue.domain.errors import DataError, DeclarationError, UnknownName
from segue.project import Project

KILLS = int(os.environ.get("SEGUE_KILLS", "8"))  # of replay

SAID = """
[events]
files = ["*.csv"]
time_format = "%d/%m/%Y"
[events.columns]
user = "user"
item = "item"
time = "time"
"""
ROWS = "user,item,time\nann,x,03/01/2024\nbob,y,2024-01-04\n\ncid,,05/01/2024\n,z,06/01/2024\ndan,x,2024-02-31\n"


def workspace(folder: Path, files: Mapping[str, bytes], said: str = SAID) -> Project:
    folder.mkdir(exist_ok=True)
    (folder / "segue.toml").write_text(said)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    project = Project.open(folder)
    project.ingest()
    return project


def held(project: Project) -> list[dict[str, Any]]:
    return project.snapshot().quarantine().collect().sort("file", "line").to_dicts()


def events(project: Project) -> list[tuple[Any, ...]]:
    rows = project.snapshot().events().select("user", "item", "time").collect().rows()
    return sorted((user or "", item or "", time.date().isoformat()) for user, item, time in rows)


def test_quarantine_has_the_bytes_and_where_they_stand(tmp_path: Path) -> None:
    content = b'user,item,time\r\n"a\nb",x,never\r\n\xff\xfe,y,03/01/2024\r\ncid,z,' + b"9" * 100_000 + b"\r\n"
    project = workspace(tmp_path, {"a.csv": content})
    rows = held(project)
    assert [row["line"] for row in rows] == [2, 4, 5]
    for row in rows:
        assert row["bytes"] == content[row["offset"] :][: row["length"]][: 64 << 10]
        assert (row["table"], row["header"]) == ("events", b"user,item,time")
    assert rows[0]["bytes"] == b'"a\nb",x,never'
    assert rows[2]["length"] == 100_006


@pytest.mark.parametrize(
    "encoding", ["utf-16", *(pytest.param(name, marks=pytest.mark.slow) for name in ("utf-8", "utf-8-sig", "latin-1"))]
)
def test_bytes_in_every_encoding(tmp_path: Path, encoding: str) -> None:
    content = "user,item,time\nänn,x,4.1.2024\nbob,y,03/01/2024\ncäd,z,5.1.2024\n".encode(encoding)
    said = SAID.replace("[events.columns]", f'encoding = "{encoding}"\n[events.columns]')
    project = workspace(tmp_path, {"a.csv": content}, said)
    rows = held(project)
    assert [row["bytes"] for row in rows] == [content[row["offset"] :][: row["length"]] for row in rows]
    plain = encoding.replace("-sig", "").replace("utf-16", "utf-16-le")
    assert [row["bytes"].decode(plain) for row in rows] == ["änn,x,4.1.2024", "cäd,z,5.1.2024"]
    assert project.replay(settings={"time_format": "%d.%m.%Y"}).returned == 2
    assert [row[0] for row in events(project)] == ["bob", "cäd", "änn"]


def test_members_of_archives_too(tmp_path: Path) -> None:
    (tmp_path / "inside.csv").write_text(ROWS)
    with tarfile.open(tmp_path / "days.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "inside.csv", "one.csv")
    (tmp_path / "inside.csv").unlink()
    project = workspace(tmp_path, {}, SAID.replace("*.csv", "days.tar.gz"))
    assert [(row["file"], row["offset"]) for row in held(project)] == [
        ("days.tar.gz/one.csv", ROWS.index(text)) for text in ("bob", "cid", ",z,", "dan")
    ]


@pytest.mark.slow
@given(
    rows=st.lists(st.sampled_from(["ann,x,03/01/2024", "b,y,no", '"c\nc",z,no', '"d,x', "é,x,no", "", "  ", "a,b"])),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_whatever_is_held_stands_in_the_file(
    tmp_path_factory: pytest.TempPathFactory, rows: list[str], end: str
) -> None:
    content = end.join(["user,item,time", *rows, ""]).encode()
    project = workspace(tmp_path_factory.mktemp("held"), {"a.csv": content})
    for row in held(project):
        if row["offset"] is not None:
            assert row["bytes"] == content[row["offset"] :][: row["length"]]
            assert row["line"] == content[: row["offset"]].count(b"\n") + 1


@pytest.mark.slow
def test_a_mended_declaration_brings_rows_back_once(tmp_path: Path) -> None:
    project = workspace(tmp_path, {"a.csv": ROWS.encode()})
    assert events(project) == [("ann", "x", "2024-01-03")]
    assert project.replay().sentence() == "0 rows of 4 held lines came back, 4 stay"
    done = project.replay(settings={"time_format": "%Y-%m-%d"})
    assert (done.tried, done.returned, done.stays.total()) == (4, 1, 3)
    assert ("bob", "y", "2024-01-04") in events(project)
    assert len(events(project)) == 2
    before = events(project)
    assert project.replay(settings={"time_format": "%Y-%m-%d"}).returned == 0
    project.ingest()
    assert events(project) == before
    assert {row["line"] for row in held(project)} == {5, 6, 7}


@pytest.mark.slow
def test_a_file_that_is_read_anew_replaces_what_came_back(tmp_path: Path) -> None:
    project = workspace(tmp_path, {"a.csv": ROWS.encode()})
    project.replay(settings={"time_format": "%Y-%m-%d"})
    (tmp_path / "segue.toml").write_text(SAID.replace("%d/%m/%Y", "%Y-%m-%d"))
    project = Project.open(tmp_path)
    project.ingest()
    assert events(project) == [("bob", "y", "2024-01-04")], "each row once, as the declaration says now"
    assert len(held(project)) == 4


def test_edited_rows_come_back(tmp_path: Path) -> None:
    project = workspace(tmp_path, {"a.csv": ROWS.encode(), "b.csv": b'user,item,time\n"e\ne",x,no\n'})
    path = tmp_path / "mend.txt"
    assert project.export_quarantine(path) == 5
    text = path.read_text()
    assert "header\tuser,item,time\n" in text
    edited = text.replace("bob,y,2024-01-04", "bob,y,04/01/2024").replace('e",x,no', 'e",x,07/01/2024')
    path.write_text(edited.replace("5\tcid,,05/01/2024\n", ""))
    done = project.take_mended(path)
    assert (done.tried, done.returned) == (4, 2)
    assert events(project) == [("ann", "x", "2024-01-03"), ("bob", "y", "2024-01-04"), ("e\ne", "x", "2024-01-07")]
    assert [row["bytes"] for row in held(project)] == [b"cid,,05/01/2024", b",z,06/01/2024", b"dan,x,2024-02-31"]
    assert project.take_mended(path).returned == 0, "what came back is not held any more"
    assert len(events(project)) == 3
    path.write_text("whatever\n")
    with pytest.raises(DataError, match="begins with the number"):
        project.take_mended(path)


def test_what_no_row_is_held_for_is_answered_with_what_there_is(tmp_path: Path) -> None:
    project, path = workspace(tmp_path, {"a.csv": ROWS.encode()}), tmp_path / "mend.txt"
    reason = held(project)[0]["reason"]
    for asked, told in (({"reason": "nonsense"}, f"'{reason}' ("), ({"file": "b.csv"}, "'a.csv' (4)")):
        with pytest.raises(DataError, match="no row in quarantine is of") as refused:
            project.export_quarantine(path, **asked)
        assert told in refused.value.mend
    assert not path.exists()
    words = ["-C", str(tmp_path), "quarantine", "fix", "--export", str(path), "--reason", "nonsense"]
    assert CliRunner().invoke(main, words).exit_code == 2
    assert project.export_quarantine(path, reason) > 0


@pytest.mark.slow
def test_json_lines_items_and_other_columns(tmp_path: Path) -> None:
    said = SAID.replace("*.csv", "*.jsonl") + '[items]\nfiles = ["items.csv"]\n[items.columns]\nprice = "price"\n'
    lines = (
        b'{"user": "ann", "item": "x", "time": "03/01/2024"}\n'
        b'{"client": "bob", "item": "y", "time": "04/01/2024"}\n{oh\n'
    )
    project = workspace(tmp_path, {"a.jsonl": lines, "items.csv": b"id,price\nx,1.5\ny,two\n"}, said)
    assert [row["table"] for row in held(project)] == ["events", "events", "items"]
    done = project.replay(file="a.jsonl", columns={"user": "client"})
    assert (done.returned, done.stays.total()) == (1, 1)
    project.export_quarantine(tmp_path / "mend", file="items")
    (tmp_path / "mend").write_text((tmp_path / "mend").read_text().replace("two", "2"))
    assert project.take_mended(tmp_path / "mend").returned == 1
    assert project.snapshot().catalog()["y"].price == 2.0
    with pytest.raises(UnknownName, match="user"):
        project.replay(columns={"usr": "client"})


DYING = """
import os, sys
from pathlib import Path
from segue.data.quality import replay
from segue.project import Project
replay._exchange = lambda *_: os._exit(9)
Project.open(Path(sys.argv[1])).replay(settings={"time_format": "%Y-%m-%d"})
"""


@pytest.mark.slow
def test_killed_between_the_two_tables_rows_come_back_once(tmp_path: Path) -> None:
    project = workspace(tmp_path, {"a.csv": ROWS.encode()})
    assert subprocess.run([sys.executable, "-c", DYING, str(tmp_path)], check=False).returncode == 9
    project = Project.open(tmp_path)
    assert (len(events(project)), len(held(project))) == (2, 4)
    done = project.replay(reason="format", settings={"time_format": "%Y-%m-%d"})
    assert (done.returned, done.duplicates) == (0, 1)
    assert (len(events(project)), len(held(project))) == (2, 3)


def test_what_an_attempt_does_not_mend_keeps_its_reason(tmp_path: Path) -> None:
    project = workspace(tmp_path, {"a.csv": ROWS.encode()})
    before = held(project)
    done = project.replay(settings={"time_format": "%d/%m/%Y"})
    assert (done.returned, held(project)) == (0, before)
    with pytest.raises(DeclarationError, match="%Q is no part of a time"):
        project.replay(settings={"time_format": "%d.%Q"})
    with pytest.raises(DeclarationError, match="no part of it is a time"):
        project.replay(settings={"time_format": "day first"})


REPLAYING = """
import sys
from pathlib import Path
from segue.project import Project
project = Project.open(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
project.replay(settings={"time_format": "%Y-%m-%d"})
"""


@pytest.mark.slow
def test_killed_anywhere_every_row_is_in_the_lake_or_held_and_in_the_end_once(tmp_path: Path) -> None:
    chance = random.Random(6)
    files = {
        f"{number:02d}.csv": b"user,item,time\n"
        + b"".join(f"u{number},i{row},2024-01-{row % 28 + 1:02d}\n".encode() for row in range(20))
        for number in range(12)
    }
    truth = {(f"{number:02d}.csv", row + 2) for number in range(12) for row in range(20)}
    folder, between = tmp_path / "0", 0
    project = workspace(folder, files)
    for kill in range(KILLS):
        before = len(held(project))
        killed_while_replaying(folder, chance.randrange(12), chance.uniform(0.0, 0.05))
        ids = project.snapshot().events().select("id").collect()["id"]
        assert ids.is_unique().all()
        still = {(row["file"], row["line"]) for row in held(project)}
        back = {(f"{user[1:]:0>2}.csv", int(item[1:]) + 2) for user, item, _ in events(project)}
        assert still | back == truth
        between += 0 < len(held(project)) < before
        if not held(project):
            brought_along(project)
            folder = tmp_path / str(kill + 1)
            project = workspace(folder, files)
    assert between, "some kills hit a replay in its midst"
    brought_along(project)


def killed_while_replaying(folder: Path, commits: int, after_s: float) -> None:
    """Replay, killed so long after it committed so often to the lake."""
    process = subprocess.Popen(
        [sys.executable, "-c", REPLAYING, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    before = committed(folder)
    process.stdin.write("go\n")
    process.stdin.flush()
    while process.poll() is None and committed(folder) < before + commits:
        time.sleep(0.002)
    time.sleep(after_s)
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


def committed(folder: Path) -> int:
    return sum(1 for name in ("events", "quarantine") for _ in (folder / "lake" / name / "_delta_log").glob("*.json"))


def brought_along(project: Project) -> None:
    """One more replay, and all is in the lake and in the index of histories."""
    project.replay(settings={"time_format": "%Y-%m-%d"})
    assert (len(events(project)), held(project)) == (240, [])
    assert not project.state.is_behind(project.snapshot()), "also where the one before was killed ahead of the index"
