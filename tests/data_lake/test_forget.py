"""Forgetting a person leaves no trace of the id in any byte of any file of the workspace."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from segue.cli import main
from segue.data.histories.forget import forget
from segue.data.journal.drain import drain
from segue.data.journal.journal import SQLiteJournal
from segue.data.lake.forget import forget_in_lake
from segue.data.lake.lake import Lake
from segue.data.lake.upkeep import Upkeep
from segue.domain.events import Event
from segue.project import Project
from tests.data_lake.test_journal import decision
from tests.data_lake.world import START, moment

ANN, SHE = "ann-Øtter-77316", "v-ann-90210"  # the person, and her visitor id
DECLARED = """
[events]
files = ["../files/*.csv"]
[events.columns]
user = "user"
visitor = "visitor"
item = "item"
time = "time"
[users]
files = ["../users/*.csv"]
[models.ease]
learner = "ease"
"""


def bytes_of(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Every file's bytes, and of a Parquet file those of its rows as well, which are compressed."""
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        yield path, path.read_bytes()
        if path.suffix == ".parquet":
            table = pq.read_table(path)
            yield path, repr(table.to_pylist()).encode() + repr(pq.read_metadata(path).to_dict()).encode()


def traces(folder: Path, *names: str) -> set[str]:
    """The files that hold one of the names, however it is written."""
    forms = [form.encode() for name in names for form in (name, json.dumps(name)[1:-1])]
    return {
        str(path.relative_to(folder)) for path, content in bytes_of(folder) if any(form in content for form in forms)
    }


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A person in every place that there is: files, refusals, users, journal drained and not, decisions, index."""
    for name in ("files", "users", "shop"):
        (tmp_path / name).mkdir()
    header = "user,visitor,item,time\n"
    people = [f"{name},,i{n},2026-03-0{n + 1}\n" for name in ("bob", "cid", ANN) for n in range(4)]
    people += [f"{ANN},,i1,never\n", f"bob,{SHE},i2,2026-03-04\n"]
    (tmp_path / "files/a.csv").write_text(header + "".join(people))
    (tmp_path / "files/b.csv").write_text(header + f"bob,,i1,no time\n{ANN},{SHE},i3,2026-03-05\n")
    (tmp_path / "users/u.csv").write_text(f"id,age\nbob,3\n{ANN},4\n")
    shop = tmp_path / "shop"
    (shop / "segue.toml").write_text(DECLARED)
    for command in ("ingest", "train"):
        assert CliRunner().invoke(main, ["-C", str(shop), command], catch_exceptions=False).exit_code == 0
    return shop


def journaled(project: Project, first: int) -> None:
    """Events and decisions of hers and of others, in the journal."""
    sent = [
        Event(id=f"j{first}-{n}", type="view", item="i1", time=moment(n), **said)
        for n, said in enumerate([{"user": ANN}, {"user": "bob", "visitor": SHE}, {"visitor": SHE}, {"user": "bob"}])
    ]
    project.journal.append(sent, moment(first))
    made: list[dict[str, Any]] = [{"user": ANN}, {"visitor": SHE}, {"user": "bob"}]
    nobody = [decision(f"d{first}-{n}", request=f"r{first}-{n}") for n in range(len(made))]
    shown = zip(nobody, made, strict=True)
    project.journal.record([replace(each, **({"user": None, "visitor": None} | said)) for each, said in shown])


@pytest.mark.slow
def test_a_person_who_is_forgotten_is_in_no_byte_of_the_workspace(workspace: Path) -> None:
    project = Project.open(workspace)
    journaled(project, 1)
    drain(project.lake, project.journal, project.state, START)
    Upkeep(project.lake).compact()  # leaves the files that were merged, and their log
    journaled(project, 2)
    (workspace / "state/.index-left").mkdir()
    (workspace / "state/.index-left/people.npy").write_bytes(ANN.encode())
    places = traces(workspace, ANN, SHE)
    for name in ("lake/person_ids", "lake/quarantine", "journal/events.db", "journal/decisions.db", "state/index-"):
        assert any(place.startswith(name) for place in places), name
    gone = forget(project.lake, project.journal, project.state, [f"u:{ANN}", f"v:{SHE}"])
    assert (gone.people, gone.events, gone.decisions, gone.users, gone.quarantine) == (2, 4 + 1 + 1 + 3, 2, 1, 1)
    assert traces(workspace, ANN, SHE) == set()
    again = forget(project.lake, project.journal, project.state, [f"u:{ANN}"])
    assert (again.people, again.events) == (0, 0)
    check_the_others(workspace)


def check_the_others(workspace: Path) -> None:
    """Bob and cid are as they were; a person of the forgotten name is somebody new."""
    project = Project.open(workspace)
    assert len(project.state.history("u:cid")) == 4
    assert len(project.state.history("u:bob")) == 4 + 2
    assert project.state.history(f"u:{ANN}") == []
    people = project.lake.snapshot().events().group_by("user").len().collect()
    assert dict(people.iter_rows()) == {"bob": 5, "cid": 4}
    quarantined = project.lake.snapshot().quarantine().collect()
    assert quarantined["raw"].to_list() == ["bob,,i1,no time"]
    assert [made.user for made in (project.journal.decision("d2-2"),) if made] == ["bob"]
    assert CliRunner().invoke(main, ["-C", str(workspace), "ingest"]).exit_code == 0
    assert project.lake.snapshot().events_count == 9, "her files are known, and do not bring her back"
    project.journal.append([Event(id="new", type="view", item="i1", user=ANN, time=moment(9))], moment(9))
    drain(project.lake, project.journal, project.state, START)
    assert len(project.state.history(f"u:{ANN}")) == 1
    codes = project.lake.snapshot().dictionary("person_ids")
    assert codes["id"].is_unique().all()
    assert project.recommend_all(workspace / "lists.csv", k=2).people == 3, "bob, cid and the new one"


def test_what_stays_and_may_name_her_is_counted_by_column(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    said = [{"from": ANN}, {"note": f"thanks,{ANN}!"}, {"note": f"x{ANN}"}, {"note": f"{ANN}_2"}, {}, {"own": ANN}]
    context = [json.dumps(each, ensure_ascii=bool(number)) for number, each in enumerate(said)]
    people = ["bob"] * 5 + [ANN]
    rows = {"id": list("abcdef"), "user": people, "item": ["x"] * 6, "type": ["view"] * 6, "context": context}
    lake.append_events(pl.DataFrame(rows), "events")
    lake.put_items(pl.DataFrame({"id": ["x"], "title": [f"By {ANN}"], "attributes": ["{}"]}), "items")
    lake.put_users(pl.DataFrame({"id": ["bob"], "attributes": [json.dumps({"friend": ANN})]}), "users")
    gone = forget_in_lake(lake, [f"u:{ANN}"])
    assert gone.events == 1
    assert gone.mentions == {"events.context": 2, "items.title": 1, "users.attributes": 1}
    assert forget_in_lake(lake, ["u:cid"]).mentions == {}


@pytest.mark.parametrize("code", ["utf-8", "latin-1", "utf-16-le"])
def test_refused_bytes_of_any_encoding_are_forgotten(tmp_path: Path, code: str) -> None:
    lake = Lake(tmp_path / "lake")
    raw = [f"{ANN};x".encode(code) + b"\xff", f"an{ANN}a;x".encode(), b"bob;x\xfe"]
    bad = pl.DataFrame({"reason": ["r"] * 3, "line": [1, 2, 3], "bytes": raw}, schema_overrides={"bytes": pl.Binary})
    lake.quarantine(bad, "b")
    forget_in_lake(lake, [f"u:{ANN}"])
    assert lake.snapshot().quarantine().collect()["line"].to_list() == [2, 3], "a longer word is another's"


def test_refused_rows_are_forgotten_however_they_spell_the_person(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    said = '[events]\nfiles = ["*.csv"]\n[events.columns]\nuser = "user"\nitem = "item"\ntype = "type"\n'
    said += '[identity.normalise]\nusers = ["trim", "lower", "nfc", "zeros"]\n'
    (tmp_path / "shop/segue.toml").write_text(said)
    rows = [" Zo\u00eb ,x,view", "  ZOE\u0308 ,y,", "zoex,y,", "0042,z,view", "00042,y,", "142,y,"]
    (tmp_path / "shop/a.csv").write_text("\n".join(["user,item,type", *rows]), encoding="utf-8")
    project = Project.open(tmp_path / "shop")
    project.ingest()
    gone = forget(project.lake, project.journal, project.state, ["u:Zo\u00cb", "u:42"])
    assert (gone.people, gone.events, gone.quarantine) == (2, 2, 2)
    assert sorted(project.snapshot().quarantine().collect()["raw"]) == ["142,y,", "zoex,y,"]


def test_what_may_name_somebody_behind_what_is_kept_is_forgotten(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    long = f"{'z' * 70_000},{ANN}"
    bad = pl.DataFrame(
        {
            "reason": ["r"] * 3,
            "line": [1, 2, 3],
            "raw": ["zz", f"zz… ({len(long):,} bytes in all)", "short"],
            "bytes": [long[: 64 << 10].encode(), None, b"short"],
            "length": [len(long), None, 5],
        }
    )
    lake.quarantine(bad, "b")
    assert forget_in_lake(lake, [f"u:{ANN}"]).quarantine == 2
    assert lake.snapshot().quarantine().collect()["line"].to_list() == [3]


def test_what_the_journal_let_go_before_is_in_no_page_of_it(tmp_path: Path) -> None:
    journal = SQLiteJournal(tmp_path / "journal")
    for n in range(40):
        journal.append([Event(id=f"e{n}", type="view", item="i", user=ANN, time=START)], START)
    journal.trim(events=30, decisions=0, indexed=30, now=START)
    journal.forget([f"u:{ANN}"])
    assert traces(tmp_path, ANN) == set()
    assert journal.recent(f"u:{ANN}") == []
    assert journal.append([Event(id="e3", type="view", item="i", user="bob", time=START)], START) == [False]
    reader = sqlite3.connect(tmp_path / "journal/events.db")
    assert reader.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    reader.close()
    journal.close()


@pytest.mark.slow
@pytest.mark.parametrize("step", ["decisions", "quarantine", "person_ids"])
def test_forgetting_that_is_cut_off_is_gone_on_with(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    from segue.data.lake import tables

    project = Project.open(workspace)
    journaled(project, 1)
    drain(project.lake, project.journal, project.state, START)
    commit = tables.Table.commit

    def crash(self: tables.Table, *given: Any) -> None:
        if self.layout.name == step:
            raise KeyboardInterrupt
        commit(self, *given)

    with monkeypatch.context() as patch:
        patch.setattr(tables.Table, "commit", crash)
        with pytest.raises(KeyboardInterrupt):
            forget(project.lake, project.journal, project.state, [f"u:{ANN}", f"v:{SHE}"])
    project = Project.open(shutil.copytree(workspace, workspace.with_name("copy")))
    forget(project.lake, project.journal, project.state, [f"u:{ANN}", f"v:{SHE}"])
    assert traces(project.folder, ANN, SHE) == set()
