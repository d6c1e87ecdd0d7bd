"""Visitors become the users they were seen with, no sooner than that was known, and never one of several."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.data.identity.people import stitched
from segue.data.identity.settings import IdentitySettings
from segue.data.interactions import interactions
from segue.data.lake.lake import Lake, Snapshot
from segue.data.settings import EventSource
from segue.engines.engine import INTERACTIONS
from tests.data_lake.world import START, frame, moment

STITCH = IdentitySettings(stitch=True)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def who_did(snapshot: Snapshot, identity: IdentitySettings = STITCH) -> list[tuple[str, str]]:
    """Person and item of each interaction."""
    data = interactions(snapshot, EventSource(), people=stitched(snapshot, identity))
    batches = [batch for part in data.partitions(2) for batch in part]
    rows = pa.Table.from_batches(batches, schema=INTERACTIONS).to_pylist()
    people, items = snapshot.person_ids.ids, data.items.ids
    return sorted((people[row["user"]], items[row["item"]]) for row in rows)


def test_what_a_visitor_did_before_the_login_counts_for_the_user(lake: Lake) -> None:
    lake.append_events(frame([{"visitor": "v", "item": "before"}, {"visitor": "w", "item": "other"}]), "a")
    lake.append_events(frame([{"id": "l", "user": "ann", "visitor": "v", "type": "identify", "item": None}]), "b")
    lake.append_events(frame([{"id": "m", "visitor": "v", "item": "after"}]), "c")
    snapshot = lake.snapshot()
    assert who_did(snapshot) == [("u:ann", "after"), ("u:ann", "before"), ("v:w", "other")]
    assert who_did(snapshot, IdentitySettings()) == [("v:v", "after"), ("v:v", "before"), ("v:w", "other")]


def test_a_visitor_of_several_users_is_left_alone_and_told(lake: Lake) -> None:
    rows = [
        {"visitor": "tablet", "item": "x"},
        {"user": "ann", "visitor": "tablet", "item": "y"},
        {"user": "bob", "visitor": "tablet", "item": "z"},
        {"user": "ann", "visitor": "phone", "item": "y"},
    ]
    lake.append_events(frame(rows), "a")
    snapshot = lake.snapshot()
    assert who_did(snapshot) == [("u:ann", "y"), ("u:ann", "y"), ("u:bob", "z"), ("v:tablet", "x")]
    links = stitched(snapshot, STITCH).links
    assert links is not None
    assert ([snapshot.person_ids.ids[code] for code in links.shared], links.stitched) == (["v:tablet"], 1)


def test_no_login_is_known_before_it_arrived(lake: Lake) -> None:
    lake.append_events(frame([{"visitor": "v", "item": "x", "received": moment(1)}]), "a")
    login = {"id": "l", "user": "ann", "visitor": "v", "item": "y", "received": moment(9)}
    lake.append_events(frame([login]), "b")
    assert who_did(lake.snapshot(as_of=moment(8))) == [("v:v", "x")]
    assert who_did(lake.snapshot(as_of=moment(9))) == [("u:ann", "x"), ("u:ann", "y")]


events = st.fixed_dictionaries(
    {
        "user": st.sampled_from([None, None, "ann", "bob"]),
        "visitor": st.sampled_from([None, "p", "q", "r"]),
        "late": st.integers(0, 9),
    }
).filter(lambda row: row["user"] or row["visitor"])


@pytest.mark.slow
@settings(max_examples=25)
@given(st.lists(events, min_size=1, max_size=20), st.integers(0, 9))
def test_stitching_as_of_a_moment_is_stitching_what_had_come_by_then(rows, until):
    """And it is what the definition says, however the rows are cut into batches."""
    made = [
        {"user": row["user"], "visitor": row["visitor"], "item": f"i{n}", "received": moment(row["late"])}
        for n, row in enumerate(rows)
    ]
    known = [row for row in made if row["received"] <= moment(until)]
    seen: dict[str, set[str]] = {}
    for row in known:
        if row["user"] and row["visitor"]:
            seen.setdefault(row["visitor"], set()).add(row["user"])
    became = {visitor: f"u:{min(users)}" for visitor, users in seen.items() if len(users) == 1}
    expected = sorted(
        (f"u:{row['user']}" if row["user"] else became.get(row["visitor"], f"v:{row['visitor']}"), row["item"])
        for row in known
    )
    with TemporaryDirectory() as folder:
        lake = Lake(Path(folder) / "lake")
        for batch in range(3):
            if chosen := [{**row, "id": row["item"]} for row in made[batch::3]]:
                lake.append_events(frame(chosen), f"b{batch}")
        assert who_did(lake.snapshot(as_of=START + timedelta(minutes=until))) == expected


def test_only_where_it_changes_something_has_the_dataset_another_name(lake: Lake) -> None:
    lake.append_events(frame([{"user": "ann", "item": "x"}, {"visitor": "v", "item": "x"}]), "a")
    snapshot = lake.snapshot()
    plain = interactions(snapshot, EventSource())
    assert interactions(snapshot, EventSource(), people=stitched(snapshot, STITCH)).fingerprint == plain.fingerprint
    lake.append_events(frame([{"id": "l", "user": "ann", "visitor": "v", "item": "x"}]), "b")
    later = lake.snapshot()
    assert (
        interactions(later, EventSource(), people=stitched(later, STITCH)).fingerprint
        != interactions(later, EventSource()).fingerprint
    )
