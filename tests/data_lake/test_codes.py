"""Codes survive: whatever comes, is read again, or arrives in another order, an old code never changes its meaning."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.data.lake.lake import Lake
from tests.data_lake.world import frame, moment

names = st.sampled_from(["ann", "bob", "Bob", "ünï", "eve", "x y", "7", "07"])
items = st.sampled_from([f"i{n}" for n in range(8)])
rows = st.tuples(st.sampled_from(["user", "visitor"]), names, items)
days = st.lists(st.lists(rows, min_size=1, max_size=6), min_size=1, max_size=6)


@pytest.mark.slow
@settings(max_examples=15)
@given(days, st.data())
def test_an_old_code_never_changes_its_meaning(made, data):
    with TemporaryDirectory() as folder:
        people: tuple[str, ...] = ()
        known: tuple[str, ...] = ()
        told = set()
        for day, events in enumerate(made):
            again = data.draw(st.integers(0, day))
            for number in (day, again):  # an older day is read again, under its own name
                batch = [
                    {"user": None, "visitor": None, kind: name, "item": item, "id": f"{number}-{place}"}
                    | {"time": moment(1440 * number)}
                    for place, (kind, name, item) in enumerate(made[number])
                ]
                Lake(Path(folder) / "lake").append_events(frame(batch), f"day{number}")  # each time by a new process
            told |= {(f"{kind[0]}:{name}", item) for kind, name, item in events}
            snapshot = Lake(Path(folder) / "lake").snapshot()
            assert snapshot.person_ids.ids[: len(people)] == people
            assert snapshot.item_ids.ids[: len(known)] == known
            people, known = snapshot.person_ids.ids, snapshot.item_ids.ids
            assert len(set(people)) == len(people)
            decoded = snapshot.events().select("user", "visitor", "item").collect()
            met = {
                (f"u:{user}" if user is not None else f"v:{visitor}", item)
                for user, visitor, item in decoded.iter_rows()
            }
            assert met == told
