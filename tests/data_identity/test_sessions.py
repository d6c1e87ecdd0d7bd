"""Sessions: gaps part them, the log's own names stand."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from segue.data.identity.sessions import session_sizes, sessions, with_sessions
from segue.data.identity.settings import SessionSettings
from segue.data.lake.lake import Lake
from tests.data_lake.world import frame, moment


def log(rows: list[dict[str, object]]) -> pl.LazyFrame:
    whole = {"user": None, "visitor": None, "session": None, "time": None, "item": "x"}
    return frame([whole | row for row in rows]).lazy()


def test_a_gap_ends_a_session_and_own_names_stand(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    rows = [
        {"user": "ann", "time": moment(0)},
        {"user": "ann", "time": moment(30)},
        {"user": "ann", "time": moment(60.5)},
        {"visitor": "ann", "time": moment(31)},
        {"user": "bob", "time": moment(0), "session": "s1"},
        {"user": "bob", "time": moment(500), "session": "s1"},
        {"user": "bob", "time": moment(501)},
        {"user": "bob", "time": None},
    ]
    lake.append_events(log(rows).collect(), "b")
    told = sessions(lake.snapshot().events()).collect()
    assert told.select("person", "start", "end", "events").rows() == [
        ("u:ann", moment(0), moment(30), 2),
        ("u:ann", moment(60.5), moment(60.5), 1),
        ("u:bob", moment(0), moment(500), 2),
        ("u:bob", moment(501), moment(501), 1),
        ("v:ann", moment(31), moment(31), 1),
    ]
    assert told["session"][0] == "u:ann@2026-03-01T12:00:00.000000Z"
    assert told["session"][2] == "s1"


rows = st.fixed_dictionaries(
    {
        "user": st.sampled_from([None, "a", "b"]),
        "visitor": st.sampled_from([None, "a"]),
        "session": st.sampled_from([None, None, "s", "t"]),
        "time": st.one_of(st.none(), st.integers(0, 200).map(moment)),
    }
)


@given(st.lists(rows, min_size=1, max_size=20), st.sampled_from([5.0, 30.0]))
def test_sessions_are_what_walking_the_events_finds(rows, gap):
    found: dict[str, list[list[object]]] = {}
    named: dict[tuple[str, str], list[object]] = {}
    for row in rows:
        person = f"u:{row['user']}" if row["user"] else f"v:{row['visitor']}" if row["visitor"] else None
        if person and row["session"]:
            named.setdefault((person, row["session"]), []).append(row["time"])
        elif person and row["time"]:
            found.setdefault(person, []).append([row["time"]])
    expected = [(person, len(times)) for (person, _), times in named.items()]
    for person, times in found.items():
        whole = sorted(time for (time,) in times)
        counts = [1]
        for before, after in pairwise(whole):
            if (after - before).total_seconds() > gap * 60:
                counts.append(0)
            counts[-1] += 1
        expected += [(person, count) for count in counts]
    told = sessions(log(rows), SessionSettings(gap_minutes=gap)).collect()
    assert sorted(told.select("person", "events").rows()) == sorted(expected)
    sizes = session_sizes(coded(log(rows)), 3, SessionSettings(gap_minutes=gap))
    lengths = told.select("events", minutes=(pl.col("end") - pl.col("start")).dt.total_seconds() / 60)
    order = ["events", "minutes"]
    assert sizes.select(order).sort(order).rows() == lengths.sort(order).rows()
    assert sizes["named"].sum() == len(named)


def coded(events: pl.LazyFrame) -> pl.LazyFrame:
    """The events as the lake keeps them: people are codes."""
    user = pl.col("user").replace_strict({"a": 0, "b": 1}, default=None, return_dtype=pl.Int32)
    return events.with_columns(user, pl.col("visitor").replace_strict({"a": 2}, default=None, return_dtype=pl.Int32))


def test_no_event_is_lost_on_the_way():
    rows = [{"user": "a", "time": moment(n)} for n in (3, 1, 2)] + [{"user": "a", "time": None}]
    told = with_sessions(log(rows)).collect()
    assert sorted(told["id"]) == ["e0", "e1", "e2", "e3"]
    assert told.filter(pl.col("time").is_null())["session"].to_list() == [None]
