"""Quarantine of a file that is read again and again, and of rows that other settings or programs refused."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import segue.data.ingest.ingest
from segue.data.bulk import choice
from segue.data.ingest import steps
from segue.data.ingest.ingest import ingest_events
from segue.data.lake.lake import Lake
from segue.data.settings import EventColumns, EventSource
from segue.project import Project
from tests.data_in.test_quality_quarantine import held, workspace

TYPED = """
[events]
files = ["*.csv"]
[events.columns]
user = "user"
item = "item"
type = "type"
"""
PLAIN = TYPED.replace('type = "type"\n', "")
NOW = datetime(2026, 6, 1, tzinfo=UTC)


def declared(folder: Path, said: str) -> Project:
    (folder / "segue.toml").write_text(said)
    return Project.open(folder)


@pytest.mark.slow
def test_rows_that_came_back_are_held_again_where_their_file_is_read_as_before(tmp_path: Path) -> None:
    workspace(tmp_path / "w", {"a.csv": b"user,item,type,price\nann,x,view,1\nbob,y,,2\n"}, TYPED)
    assert declared(tmp_path / "w", PLAIN).replay().returned == 1
    declared(tmp_path / "w", TYPED + 'value = "price"\n').ingest()
    project = declared(tmp_path / "w", TYPED)
    project.ingest()
    assert [row["raw"] for row in held(project)] == ["bob,y,,2"]
    assert project.snapshot().events().select("user").collect()["user"].to_list() == ["ann"]


@pytest.mark.slow
def test_each_refused_row_is_held_once_whichever_way_its_file_was_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "STEP", 20)
    monkeypatch.setattr(segue.data.ingest.ingest, "BLOCK", 200)
    monkeypatch.setattr(choice, "BIG", 0)
    typed = EventSource(columns=EventColumns(user="user", item="item", type="type"))
    plain = EventSource(columns=EventColumns(user="user", item="item"))
    path, lake = tmp_path / "a.csv", Lake(tmp_path / "lake")
    path.write_text("user,item,type\n" + "".join(f"u{row},i,{'view' if row % 5 else ''}\n" for row in range(100)))
    for source, lines in ((typed, 20), (plain, 0), (typed, 20)):
        ingest_events(lake, source, [path], tmp_path, NOW)
        found = lake.snapshot().quarantine().collect()["line"]
        assert (len(found), found.n_unique()) == (lines, lines)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("a.jsonl", '{"user":"a","item":"x"}\n{"user":"b"}\n', marks=pytest.mark.slow),
        pytest.param("a-0", '{"user":"a","item":"x"}\ngarbage\n{"user":"b"}\n', marks=pytest.mark.slow),
        ("a.json", '[{"user":"a","item":"x"},\n{"user":\n"b"},{"user":"c"}]'),
    ],
)
def test_rows_without_a_field_are_tried_as_rows_of_their_file(tmp_path: Path, name: str, content: str) -> None:
    project = workspace(tmp_path, {name: content.encode()}, PLAIN.replace("*.csv", name))
    before = [(row["line"], row["reason"]) for row in held(project)]
    done = project.replay()
    assert (done.returned, done.stays.total()) == (0, len(before))
    assert [(row["line"], row["reason"]) for row in held(project)] == before
    wanting = [reason for _, reason in before if reason == "no item"]
    assert project.replay(columns={"item": "user"}).returned == len(wanting) > 0


@pytest.mark.slow
def test_a_file_that_cannot_be_tried_leaves_the_others_their_turn(tmp_path: Path) -> None:
    workspace(tmp_path, {"a.csv": b"user,item\nu,i\n,j\n"}, PLAIN)
    (tmp_path / "b.csv").write_text("user,item,type\nu,i,view\nv,k,\n")
    project = declared(tmp_path, TYPED.replace("*.csv", "b.csv"))
    project.ingest()
    done = project.replay()
    assert (done.returned, done.stays.total()) == (0, 2)
    said = {row["file"]: (row["reason"], row["bytes"]) for row in held(project)}
    assert said == {
        "a.csv": ("the file has no column 'type'; it has 'user', 'item'", b",j"),
        "b.csv": ("no type", b"v,k,"),
    }
    assert declared(tmp_path, PLAIN.replace('"item"', '"item"\ntype = "type"\n')).replay().returned == 0
    assert declared(tmp_path, PLAIN).replay().returned == 1


def test_a_row_of_a_file_without_a_header_is_held_to_the_width_of_the_file(tmp_path: Path) -> None:
    said = PLAIN.replace("[events]\n", "[events]\nheader = false\n").replace('"user"', '"column_1"')
    said = said.replace('"item"', '"column_2"')
    rows = "".join(f"u{row},i{row},5\n" for row in range(5)) + "2026,u9,i9,5\nalone\n"
    project = workspace(tmp_path, {"a.csv": rows.encode()}, said)
    assert [row["width"] for row in held(project)] == [3, 3]
    done = project.replay()
    assert (done.returned, done.stays.total()) == (0, 2)
    project.export_quarantine(tmp_path / "mend")
    (tmp_path / "mend").write_text((tmp_path / "mend").read_text().replace("2026,u9", "u9"))
    assert project.take_mended(tmp_path / "mend").returned == 1
    assert [row["bytes"] for row in held(project)] == [b"alone"]


@pytest.mark.parametrize(
    "encoding",
    ["utf-16", *(pytest.param(name, marks=pytest.mark.slow) for name in ("utf-8-sig", "utf-16-be", "latin-1"))],
)
def test_mended_rows_are_written_as_their_file_is(tmp_path: Path, encoding: str) -> None:
    said = PLAIN.replace("[events]\n", f'[events]\nencoding = "{encoding}"\n')
    project = workspace(tmp_path, {"a.csv": "user,item\nann,x\n,\xe9\n".encode(encoding)}, said)
    project.export_quarantine(tmp_path / "mend")
    (tmp_path / "mend").write_text((tmp_path / "mend").read_text().replace("\t,", "\tbob,"))
    assert project.take_mended(tmp_path / "mend").returned == 1
    assert users(project) == [("ann", "x"), ("bob", "\xe9")]


def users(project: Project) -> list[tuple[Any, ...]]:
    return sorted(project.snapshot().events().select("user", "item").collect().rows())


@pytest.mark.parametrize("editor", ["\n", "\r\n"])
def test_line_ends_inside_a_cell_stay_what_editors_do(tmp_path: Path, editor: str) -> None:
    workspace(tmp_path, {"a.csv": b'user,item,type\r\n"c\r\nd",x,\r\n'}, TYPED)
    project = declared(tmp_path, PLAIN)
    project.export_quarantine(tmp_path / "mend")
    written = (tmp_path / "mend").read_bytes()
    if editor == "\r\n":
        written = written.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    (tmp_path / "mend").write_bytes(written)
    assert project.take_mended(tmp_path / "mend").returned == 1
    assert users(project) == [("c\r\nd", "x")]


def test_a_row_of_a_catalog_comes_back_to_the_time_it_came(tmp_path: Path) -> None:
    said = PLAIN + '[items]\nfiles = ["i.txt"]\n[items.columns]\nprice = "price"\ntitle = "title"\n'
    catalog = b"id,price,title\nA,abc,old\nA,1,new\nB,abc,first\nC,abc,only\n"
    workspace(tmp_path, {"e.csv": b"user,item\nu,A\n", "i.txt": catalog}, said)
    (tmp_path / "j.txt").write_text("id,price,title\nB,2,second\n")
    declared(tmp_path, said.replace("i.txt", "j.txt")).ingest()
    project = declared(tmp_path, said.replace('price = "price"\n', ""))
    assert project.replay().returned == 3
    titles = {name: item.title for name, item in project.snapshot().catalog().items()}
    assert titles == {"A": "new", "B": "second", "C": "only"}
