"""An id that nobody has is answered with those that it may mean."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from segue.cli import main
from segue.data.identity.nearest import nearest
from segue.data.lake.lake import Lake
from segue.data.lake.snapshot import Snapshot
from segue.project import Project
from tests.data_lake.world import frame, moment

PEOPLE = ("0019", "0190", "Ann", "barbara", "cookie-0019-x")


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    lake = Lake(tmp_path_factory.mktemp("lake") / "lake")
    rows = [{"user": name, "visitor": None, "item": "x"} for name in PEOPLE[:-1]]
    lake.append_events(frame([*rows, {"user": None, "visitor": PEOPLE[-1], "item": "x"}]), "a")
    return lake.snapshot()


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("19", ["0019"]),
        ("00019", ["0019"]),
        (" ann ", ["Ann"]),
        ("barbra", ["barbara"]),
        ("cookie-0019-y", ["cookie-0019-x"]),
        ("Ann", []),
        ("zebedee", []),
        ("", []),
    ],
)
def test_who_is_near(snapshot: Snapshot, name: str, near: list[str]) -> None:
    assert nearest(snapshot, name) == near


@given(st.text(max_size=12))
def test_whatever_is_asked_only_known_ids_are_offered(snapshot: Snapshot, name: str) -> None:
    near = nearest(snapshot, name)
    assert set(near) <= set(PEOPLE) - {name}
    assert len(near) <= 3


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Ids with zeros before them, as a spreadsheet takes away."""
    rows = "".join(f"{n % 7:04},i{n % 7 + n % 3},2026-01-{n % 20 + 1:02}\n" for n in range(60))
    (tmp_path / "log.csv").write_text("customer,sku,at\n" + rows)
    for words in (["init", tmp_path / "shop", "--events", tmp_path / "log.csv"], ["-C", tmp_path / "shop", "ingest"]):
        assert run(*words).exit_code == 0
    return tmp_path / "shop"


def run(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)


@pytest.mark.slow
def test_the_commands_say_which_command_was_meant(shop: Path) -> None:
    refused = run("-C", shop, "describe", "--user", "3")
    assert refused.exit_code == 2
    assert f"did you mean '0003'? Run: segue -C {shop} describe --user 0003" in refused.stderr
    unheard = run("-C", shop, "describe", "--user", "somebody").stderr
    assert f"""see some with: segue -C {shop} sql 'SELECT "user", visitor FROM events LIMIT 5'""" in unheard
    assert "project." not in refused.stderr + unheard
    assert run("-C", shop, "train", "popularity", "ease").exit_code == 0
    listed = run("-C", shop, "recommend", "--user", "3", "--model", "ease", "-k", 2).stdout
    assert listed.startswith("for 3, by popularity\n")
    assert f"did you mean '0003'? Run: segue -C {shop} recommend --user 0003" in listed
    own = run("-C", shop, "recommend", "--user", "0003", "--model", "ease", "-k", 1).stdout
    assert own.startswith("for 0003, by ease\n")
    assert "did you mean" not in own


def test_a_persons_sessions_are_counted_as_all_sessions_are(tmp_path: Path) -> None:
    """Some named by the log and some not: those that are not are parted by gaps."""
    (tmp_path / "segue.toml").write_text('[events]\nfiles = ["none.csv"]\n')
    whole: dict[str, object] = {"visitor": None, "user": None, "session": None}
    rows: list[dict[str, object]] = [
        {"user": "ann", "time": moment(0), "session": "s1"},
        {"user": "ann", "time": moment(500)},
        {"user": "ann", "time": moment(501)},
        {"user": "ann", "time": moment(900), "visitor": "v"},
        {"visitor": "v", "time": moment(901)},
        {"visitor": "v", "time": None},
    ]
    Lake(tmp_path / "lake").append_events(frame([whole | row | {"item": "x"} for row in rows]), "a")
    project = Project.open(tmp_path)
    counted = dict(project.sessions().collect()["person"].value_counts().rows())
    assert (counted, project.describe("ann").sessions) == ({"u:ann": 3, "v:v": 1}, 3)
    assert project.describe("v").sessions == 1
