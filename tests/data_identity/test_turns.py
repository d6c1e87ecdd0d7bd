"""A visitor of several users counts, where it is declared, for the one it was last seen with, and for nobody else."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.cli import main
from segue.data.identity.people import People, people, stitched
from segue.data.identity.settings import IdentitySettings, RobotSettings
from segue.data.identity.turns import given as given_events
from segue.data.interactions import interactions
from segue.data.lake.lake import Lake, Snapshot
from segue.data.settings import EventSource
from tests.data_lake.world import START, frame, moment

LAST = IdentitySettings(stitch=True, shared="last")
TABLET: list[dict[str, Any]] = [
    {"id": "0", "visitor": "tablet", "item": "before all", "time": moment(0)},
    {"id": "1", "visitor": "tablet", "user": "ann", "item": "login", "time": moment(10)},
    {"id": "2", "visitor": "tablet", "item": "after ann", "time": moment(15)},
    {"id": "3", "visitor": "tablet", "user": "bob", "item": "login", "time": moment(20)},
    {"id": "4", "visitor": "tablet", "item": "after bob", "time": moment(20)},
    {"id": "5", "visitor": "tablet", "user": "ann", "item": "login", "time": moment(30)},
    {"id": "6", "visitor": "tablet", "item": "ann again", "time": moment(9_000)},
    {"id": "7", "visitor": "tablet", "item": "who knows when", "time": None},
    {"id": "8", "visitor": "phone", "user": "ann", "item": "login", "time": moment(1)},
    {"id": "9", "visitor": "phone", "item": "of one", "time": None},
    {"id": "10", "visitor": "other", "item": "of none", "time": moment(12)},
]
NOBODY: dict[str, Any] = {"visitor": None, "user": None}


def who_did(snapshot: Snapshot, who: People) -> list[tuple[str, str]]:
    """Item and person of each interaction."""
    data = interactions(snapshot, EventSource(), people=who)
    rows = [row for part in data.partitions(2, ["user", "item"]) for batch in part for row in batch.to_pylist()]
    names, items = snapshot.person_ids.ids, data.items.ids
    assert data.rows == len(rows)
    return sorted((items[row["item"]], names[row["user"]]) for row in rows)


@pytest.fixture
def snapshot(tmp_path: Path) -> Snapshot:
    lake = Lake(tmp_path / "lake")
    lake.append_events(frame([NOBODY | row for row in TABLET]), "a")
    return lake.snapshot()


def test_an_event_counts_for_the_last_user_before_it_or_the_first_after(snapshot: Snapshot) -> None:
    told = dict(who_did(snapshot, stitched(snapshot, LAST)))
    assert {item: person for item, person in told.items() if item != "login"} == {
        "before all": "u:ann",
        "after ann": "u:ann",
        "after bob": "u:bob",
        "ann again": "u:ann",
        "who knows when": "v:tablet",
        "of one": "u:ann",
        "of none": "v:other",
    }


def test_by_default_a_shared_visitor_stays_alone(snapshot: Snapshot) -> None:
    told = dict(who_did(snapshot, stitched(snapshot, IdentitySettings(stitch=True))))
    assert {told[item] for item in ("before all", "after bob", "ann again")} == {"v:tablet"}


def test_what_was_given_is_counted(snapshot: Snapshot) -> None:
    links = stitched(snapshot, LAST).links
    assert links is not None
    counted = given_events(snapshot, links.shared, links.turns)
    assert (counted.given, counted.alone) == (4, 1)
    assert given_events(snapshot, links.shared, None).alone == 5


def test_what_a_robot_was_given_is_left_out_with_it(snapshot: Snapshot) -> None:
    bots = RobotSettings(per_day=2, per_hour=100, per_minute=100)  # ann, by her two logins and one on the phone
    told = who_did(snapshot, people(snapshot, LAST, bots))
    assert {person for _, person in told} == {"u:bob", "v:other"}


def test_datasets_with_other_turns_have_other_names(tmp_path: Path) -> None:
    names: list[str] = []
    for later in (moment(20), moment(21)):
        lake = Lake(tmp_path / f"lake-{later:%M}")
        lake.append_events(frame([NOBODY | row | ({"time": later} if row["id"] == "3" else {}) for row in TABLET]), "a")
        names.append(stitched(lake.snapshot(), LAST).fingerprint)
    assert names[0] != names[1]


events = st.fixed_dictionaries(
    {
        "user": st.sampled_from([None, None, "ann", "bob", "eve"]),
        "visitor": st.sampled_from([None, "p", "q"]),
        "time": st.one_of(st.none(), st.integers(0, 9).map(moment)),
        "late": st.integers(0, 9),
    }
).filter(lambda row: row["user"] or row["visitor"])


def expected(rows: list[dict[str, Any]], row: dict[str, Any]) -> str:
    """Whom a row counts for, said as the docs say it."""
    if row["user"]:
        return f"u:{row['user']}"
    seen = [each for each in rows if each["user"] and each["visitor"] == row["visitor"]]
    users = {each["user"] for each in seen}
    if len(users) == 1:
        return f"u:{users.pop()}"
    timed = sorted((each["time"], each["user"]) for each in seen if each["time"] is not None)
    if row["time"] is None or not timed:
        return f"v:{row['visitor']}"
    latest = max((time for time, _ in timed if time <= row["time"]), default=timed[0][0])
    return f"u:{min(user for time, user in timed if time == latest)}"


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.lists(events, min_size=1, max_size=20), st.integers(0, 9), st.randoms(use_true_random=False))
def test_whoever_arrives_first_each_event_counts_for_a_user_it_was_seen_with(
    rows: list[dict[str, Any]], until: int, random: Random
) -> None:
    """And it is what the definition says of what had arrived by then."""
    made = [
        {name: row[name] for name in ("user", "visitor", "time")}
        | {"id": f"i{n}", "item": f"i{n}", "received": moment(row["late"])}
        for n, row in enumerate(rows)
    ]
    known = [row for row in made if row["received"] <= moment(until)]
    right = sorted((row["item"], expected(known, row)) for row in known)
    for _ in range(2):
        random.shuffle(made)
        assert after_batches(made, lambda lake: lake.snapshot(as_of=START + timedelta(minutes=until))) == right
    met: dict[str, set[str]] = {}
    for row in known:
        if row["user"] and row["visitor"]:
            met.setdefault(row["visitor"], set()).add(f"u:{row['user']}")
    by_item = {row["item"]: row for row in known}
    for item, person in right:
        row = by_item[item]
        assert person in {f"u:{row['user']}", f"v:{row['visitor']}", *met.get(row["visitor"], ())}


def after_batches(rows: list[dict[str, Any]], look: Callable[[Lake], Snapshot]) -> list[tuple[str, str]]:
    with TemporaryDirectory() as folder:
        lake = Lake(Path(folder) / "lake")
        for batch in range(3):
            if chosen := rows[batch::3]:
                lake.append_events(frame(chosen), f"b{batch}")
        snapshot = look(lake)
        return who_did(snapshot, stitched(snapshot, LAST))


def test_nobody_has_a_turn_where_no_visitor_is_shared(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    lake.append_events(frame([NOBODY | TABLET[1], NOBODY | TABLET[2]]), "a")
    who = stitched(lake.snapshot(), LAST)
    assert who.turns is None
    assert who.who[who.who != np.arange(len(who.who))].tolist() == [lake.snapshot().person_ids.ids.index("u:ann")]


def test_the_command_counts_what_was_given(tmp_path: Path) -> None:
    said = '[events]\nfiles = ["none.csv"]\n[identity]\nstitch = {}\nshared = "last"\n'
    Lake(tmp_path / "lake").append_events(frame([NOBODY | row for row in TABLET]), "a")
    told = {}
    for stitch in ("true", "false"):
        (tmp_path / "segue.toml").write_text(said.format(stitch))
        printed = CliRunner().invoke(main, ["-C", str(tmp_path), "identity", "--json"], catch_exceptions=False)
        told[stitch] = json.loads(printed.stdout)["visitors"]
    assert told["true"]["such as"] == ["tablet"]
    names = ("events given to the last user", "events left alone")
    assert [tuple(told[stitch][name] for name in names) for stitch in told] == [(4, 1), (0, 5)]
