"""Layers of the index: whatever came in which order, everybody's history is that of an index that is built whole."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.data.histories import layers
from segue.data.histories.state import UserState
from segue.data.journal.drain import drain
from segue.data.journal.journal import SQLiteJournal
from segue.data.lake.lake import Lake
from segue.data.lake.upkeep import Upkeep
from tests.data_lake.world import START, event, frame, moment


def day(number: int, rows: int = 20, people: int = 9) -> pl.DataFrame:
    """What files of one day bring: some people who are known, some who are new."""
    random = np.random.default_rng(number)
    return frame(
        [
            {
                "id": f"{number}-{n}",
                "user": f"u{random.integers(people) + number % 3}",
                "item": f"i{random.integers(30) + number}",
                "time": START + timedelta(days=number, seconds=n),
                "received": START + timedelta(days=number),
            }
            for n in range(rows)
        ]
    )


class Shop:
    """A workspace of which every step is held against an index that is built whole."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journal = SQLiteJournal(folder / "journal")
        self.lake = Lake(folder / "lake")
        self.state = UserState(folder, journal=self.journal)
        self.days = 0

    def ingest(self, rows: int = 20) -> None:
        self.lake.append_events(day(self.days, rows), f"day {self.days}")
        self.days += 1
        self.state.update(self.lake.snapshot())

    def layers(self) -> int:
        index = self.state._current()
        assert index
        return len(index.below) + 1

    def check(self) -> None:
        """Against an index that is built whole beside it, from the same lake and journal."""
        names = [f"u:u{n}" for n in range(12)]
        layered = {name: self.state.history(name) for name in names}
        whole = UserState(self.folder, journal=self.journal)
        whole.rebuild(self.lake.snapshot())
        assert layered == {name: whole.history(name) for name in names}

    def close(self) -> None:
        self.journal.close()


@pytest.mark.slow
@settings(max_examples=8, deadline=None)
@given(st.lists(st.sampled_from(["ingest", "much", "drain", "compact"]), min_size=2, max_size=7))
def test_a_history_in_layers_is_the_whole_history(tmp_path_factory: pytest.TempPathFactory, steps: list[str]) -> None:
    shop = Shop(tmp_path_factory.mktemp("shop"))
    shop.ingest(200)
    for number, step in enumerate(steps):
        match step:
            case "ingest":
                shop.ingest()
            case "much":
                shop.ingest(150)
            case "drain":
                shop.journal.append([event(number * 10 + n, f"u{n}") for n in range(5)], moment(number))
                drain(shop.lake, shop.journal, shop.state, START)
            case "compact":
                Upkeep(shop.lake).compact()
        assert not shop.state.is_behind(shop.lake.snapshot())
    shop.check()
    shop.close()


@pytest.mark.slow
def test_days_come_upon_each_other_in_few_layers(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.ingest(2_000)
    counts = []
    for _ in range(9):
        shop.ingest()
        counts.append(shop.layers())
    assert max(counts) <= 4
    assert min(counts) == 2
    assert shop.state.told()["events"] == 2_180
    folders = [path for path in (tmp_path / "state").iterdir() if path.is_dir()]
    assert len(folders) == shop.layers(), "what is no layer any more is removed"
    assert len(UserState(tmp_path, journal=shop.journal).history("u:u3")) > 100
    shop.check()
    shop.close()


def test_where_much_lies_upon_the_first_layer_all_is_built_as_one(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.ingest(100)
    shop.ingest(20)
    assert shop.layers() == 2
    shop.ingest(20)
    assert shop.layers() == 1
    assert layers.LAYERED < 0.4
    shop.check()
    shop.close()


@pytest.mark.slow
def test_a_compaction_makes_no_index_anew_and_a_change_of_the_past_does(tmp_path: Path) -> None:
    from segue.data.settings import LakeSettings

    shop = Shop(tmp_path)
    shop.ingest(500)
    shop.ingest()
    shop.ingest()
    built = (tmp_path / "state/current").read_text()
    Upkeep(shop.lake).compact()
    assert not shop.state.is_behind(shop.lake.snapshot())
    shop.ingest()
    assert shop.layers() >= 2, "the days are still told apart"
    now = START + timedelta(days=5)
    assert Upkeep(shop.lake, LakeSettings(keep_events_days=4)).retain(now)
    assert shop.state.is_behind(shop.lake.snapshot())
    shop.ingest()
    assert shop.layers() == 1
    assert (tmp_path / "state/current").read_text() != built
    shop.check()
    shop.close()
