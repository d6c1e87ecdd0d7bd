"""Ids: normalised as it is declared, alike for files and live events; what differs by writing only is reported."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.data.identity.likeness import alike
from segue.data.identity.normalise import live_event, live_id, normalised, normalised_all
from segue.data.identity.settings import IdentitySettings, Mend, Normalise
from segue.data.ingest.ingest import batch_id, ingest_events, ingest_items
from segue.data.lake.lake import Lake
from segue.data.settings import EventColumns, EventSource, ItemSource
from segue.declaration import loads
from segue.domain.errors import DeclarationError
from segue.domain.events import Event
from tests.data_lake.world import frame

NOW = datetime(2026, 3, 1, tzinfo=UTC)
mends = st.lists(st.sampled_from(get_args(Mend)), max_size=4)
ids = st.text("aAéE\u0301ıİΣ 0\t1９ｂ", max_size=6)


@given(st.lists(st.one_of(st.none(), ids), max_size=20), mends)
def test_files_and_live_events_are_read_alike(written, mends):
    told = normalised_all(pl.Series(written, dtype=pl.String), mends).to_list()
    for each, mended in zip(written, told, strict=True):
        if not mends:
            assert mended == each
        elif mended is None:
            assert each is None or not normalised(each, mends)
        else:
            assert live_id(each, mends, "user") == mended


@given(ids)
def test_each_mend_done_twice_is_done_once(written):
    for mend in get_args(Mend):
        once = normalised(written, [mend])
        assert normalised(once, [mend]) == once


def test_events_and_catalog_meet_live_events(tmp_path: Path) -> None:
    said = IdentitySettings(normalise=Normalise(users=("trim", "lower"), items=("zeros",)))
    (tmp_path / "events.csv").write_text("user,item\n Ann ,007\nann,7\n  ,7\n")
    (tmp_path / "items.csv").write_text("id,title\n0007,Seven\n")
    lake = Lake(tmp_path / "lake")
    source = EventSource(columns=EventColumns(user="user", item="item"), identity=said)
    reports = ingest_events(lake, source, [tmp_path / "events.csv"], tmp_path, NOW)
    ingest_items(lake, ItemSource(identity=said), [tmp_path / "items.csv"], tmp_path, NOW)
    snapshot = lake.snapshot()
    assert (snapshot.person_ids.ids, snapshot.item_ids.ids) == (("u:ann",), ("7",))
    assert list(snapshot.catalog()) == ["7"]
    assert reports[0].quarantined == {"no user": 1}
    event = live_event(Event(id="e", type="view", user="ANN ", item="07"), said.normalise)
    assert (event.user, event.item) == ("ann", "7")
    with pytest.raises(ValueError, match="user"):
        live_event(Event(id="e", type="view", user=" "), said.normalise)


def test_only_another_normalisation_is_another_mapping() -> None:
    plain = EventSource()
    stitched = EventSource(identity=IdentitySettings(stitch=True))
    lower = EventSource(identity=IdentitySettings(normalise=Normalise(users=("lower",))))
    assert batch_id("0" * 32, plain) == batch_id("0" * 32, stitched) != batch_id("0" * 32, lower)


def test_it_is_declared_once_for_all_files() -> None:
    said = loads('[identity.normalise]\nitems = ["lower"]')
    for source in (said.declaration.events, said.declaration.items, said.declaration.users):
        assert source.identity.normalise.items == ("lower",)
    assert [each.key for each in said.origins() if "normalise" in each.key] == [
        "identity.normalise.users",
        "identity.normalise.items",
    ]
    with pytest.raises(DeclarationError, match=r"not under \[items\]"):
        loads("[items.identity]\nstitch = true")


def test_what_differs_by_writing_only_is_reported(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    rows = [("Ann", "x"), ("ann", "x"), ("ann", "007"), ("bob ", "7"), ("BOB", "7"), ("eve", "X "), ("\u00e9", "y")]
    rows += [("e\u0301", "y")]
    lake.append_events(frame([{"user": user, "item": item} for user, item in rows]), "b")
    (tmp_path / "items.csv").write_text("id,title\nY,why\n")
    ingest_items(lake, ItemSource(), [tmp_path / "items.csv"], tmp_path, NOW)
    told = {(each.table, each.differ): each for each in alike(lake.snapshot())}
    assert {name: (each.groups, each.ids, each.events) for name, each in told.items()} == {
        ("users", "case"): (1, 2, 3),
        ("users", "Unicode form"): (1, 2, 2),
        ("users", "several"): (3, 6, 7),
        ("items", "case"): (1, 2, 2),
        ("items", "leading zeros"): (1, 2, 3),
        ("items", "several"): (3, 6, 8),
    }
    assert told["users", "case"].row()["joined by"] == 'users = ["lower"]'
    assert told["items", "leading zeros"].examples == (("007", "7"),)


def test_a_user_and_a_visitor_of_one_name_are_not_alike(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    lake.append_events(frame([{"user": "Ann", "item": "x"}, {"visitor": "ann", "item": "x"}]), "b")
    assert alike(lake.snapshot()) == []
