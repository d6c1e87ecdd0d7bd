"""What is broken in the files is exactly what the truth declares."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest

from segue.simulate.breakage import BROKEN_SHARES, break_rows
from segue.simulate.files import EVENT_HEADER
from segue.simulate.world import World


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    world = World("shop", seed=5, people=300, items=100, days=28)
    return folder, world, world.write(folder, {kind: 4 * share for kind, share in BROKEN_SHARES.items()})


def readable(line: bytes) -> bool:
    """Whether a line is an event, by a reader of its own."""
    fields = line.split(b",")
    if len(fields) != len(EVENT_HEADER) or not all(fields):
        return False
    try:
        row = dict(zip(EVENT_HEADER, (field.decode() for field in fields), strict=True))
        float(row["price"])
        return (
            np.datetime64("2020-01-01") < np.datetime64(row["timestamp"].removesuffix("Z"), "s") < np.datetime64("2030")
        )
    except ValueError:
        return False


def lines_of(folder, truth):
    for name in truth.events:
        lines = (folder / name).read_bytes().split(b"\n")
        assert lines.pop() == b""
        assert lines[0].decode() == ",".join(EVENT_HEADER)
        yield from ((name, number, line) for number, line in enumerate(lines[1:], start=2))


def test_the_unreadable_lines_are_those_declared(written):
    folder, _, truth = written
    found = {(name, number) for name, number, line in lines_of(folder, truth) if not readable(line)}
    assert found == {(row.file, row.line) for row in truth.broken if row.kind != "duplicate"}


def test_the_doubled_lines_are_those_declared(written):
    folder, _, truth = written
    seen, doubled = set(), set()
    for name, number, line in lines_of(folder, truth):
        if line in seen:
            doubled.add((name, number))
        seen.add(line)
    assert doubled == {(row.file, row.line) for row in truth.broken if row.kind == "duplicate"}


def test_every_kind_of_damage_occurs(written):
    _, _, truth = written
    assert set(truth.kinds()) == set(BROKEN_SHARES)


def test_the_counts_add_up(written):
    folder, world, truth = written
    assert truth.rows == sum(1 for _ in lines_of(folder, truth))
    assert truth.rows - truth.duplicates == len(world.history)
    assert truth.whole == len(world.history) - truth.unreadable


def test_whole_rows_tell_what_happened(written):
    folder, world, truth = written
    whole = [line.decode().split(",") for _, _, line in lines_of(folder, truth) if readable(line)]
    kinds = Counter(fields[3] for fields in whole)
    assert set(kinds) == {"click", "add_to_cart", "buy"}
    prices = {item.id: item.price for item in world.catalog.items}
    assert all(float(fields[5]) == prices[fields[2]] for fields in whole)
    people = set(world.crowd.ids)
    assert {fields[1] for fields in whole} - people == set(truth.robots)


def test_nothing_is_broken_where_nothing_is_asked_for(tmp_path):
    truth = World("shop", seed=5, people=40, items=30, days=10).write(tmp_path, broken={})
    assert truth.broken == ()
    assert all(readable(line) for _, _, line in lines_of(tmp_path, truth))


def test_the_truth_lies_beside_the_files(written):
    folder, _, truth = written
    told = json.loads((folder / "truth.json").read_bytes())
    assert told["rows"] == truth.rows
    assert len(told["broken"]) == len(truth.broken)


def test_the_catalog_and_the_users_are_whole(written):
    folder, world, _ = written
    items = [json.loads(line) for line in (folder / "items.jsonl").read_bytes().splitlines()]
    assert [item["id"] for item in items] == [item.id for item in world.catalog.items]
    assert items[0]["brand"] in items[0]["title"]
    users = (folder / "users.csv").read_text("utf-8").splitlines()
    assert users[0] == "user_id,name,town,joined"
    assert len(users) == 301


@pytest.mark.parametrize("kind", sorted(BROKEN_SHARES))
def test_each_damage_alone(kind):
    row = b"e0000001,u00001,p0001,click,2026-01-05T10:00:00Z,12.50,1,s000001".split(b",")
    lines, broken = break_rows(np.random.default_rng(0), "f.csv", EVENT_HEADER, [list(row)], {kind: 1.0})
    whole = b",".join(row)
    if kind == "duplicate":
        assert lines == [whole, whole]
        assert (broken[0].line, broken[0].event) == (3, "e0000001")
    else:
        assert len(lines) == 1
        assert not readable(lines[0])
        assert (broken[0].line, broken[0].kind) == (2, kind)
