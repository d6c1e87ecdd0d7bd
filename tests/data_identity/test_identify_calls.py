"""What says who a visitor is comes in through the import maps, weighs nothing, and makes one person of two names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from segue.cli import main
from segue.domain.events import person_key
from segue.project import Project
from tests.data_in.mapping import events

WHEN = "2025-03-01T10:00:00.000Z"
BOTH: dict[str, list[dict[str, Any]]] = {
    "segment": [
        {
            "messageId": "1",
            "type": "identify",
            "userId": "ann",
            "anonymousId": "c",
            "traits": {"email": "a@shop.example"},
        },
        {
            "messageId": "2",
            "type": "track",
            "event": "Signed In",
            "userId": "ann",
            "anonymousId": "c",
            "properties": {},
        },
    ],
    "snowplow": [
        {"event_id": "1", "event_name": "identify", "collector_tstamp": WHEN, "user_id": "ann", "domain_userid": "c"},
        {"event_id": "2", "event_name": "Sign-up", "collector_tstamp": WHEN, "user_id": "ann", "domain_userid": "c"},
    ],
    "ubi": [
        {"action_name": "login", "client_id": "c", "user_id": "ann", "timestamp": WHEN},
        {"action_name": "signed_in", "client_id": "c", "event_attributes": {"user_id": "ann"}, "timestamp": WHEN},
    ],
    "ga4": [
        {"event_name": "login", "user_id": "ann", "user_pseudo_id": "c", "event_timestamp": 1740823200000000},
        {"event_name": "session_start", "user_id": "ann", "user_pseudo_id": "c", "event_timestamp": 1740823200000000},
    ],
}
USER = {"segment": "userId", "snowplow": "user_id", "ubi": "user_id", "ga4": "user_id"}


@pytest.mark.parametrize("name", sorted(BOTH))
def test_who_a_visitor_is_comes_in_without_an_item(name: str, tmp_path: Path) -> None:
    records = [{"timestamp": WHEN} | record for record in BOTH[name]] if name == "segment" else BOTH[name]
    found = events(tmp_path, name, records)
    told = {(row["type"], row["user"], row["visitor"], row["item"]) for row in found.rows}
    assert (len(found.rows), told) == (2, {("identify", "ann", "c", None)})
    assert (found.left_out, found.reasons) == ({}, [])


@pytest.mark.parametrize("name", sorted(BOTH))
def test_who_is_named_once_only_tells_nothing_of_a_visitor(name: str, tmp_path: Path) -> None:
    records = [{key: value for key, value in each.items() if key != USER[name]} for each in BOTH[name][:1]]
    found = events(tmp_path, name, records)
    assert (found.rows, found.reasons, sum(found.left_out.values())) == ([], [], 1)


def test_traits_of_a_person_stay_out_of_the_log_and_a_login_keeps_its_name(tmp_path: Path) -> None:
    contexts = events(tmp_path, "segment", [{"timestamp": WHEN} | call for call in BOTH["segment"]]).column("context")
    assert json.loads(contexts[0]) == {"type": "identify"}
    assert json.loads(contexts[1]) == {"type": "track", "identified_by": "Signed In"}


PEOPLE = 12
STITCHED = """
[identity]
stitch = true
"""


def calls() -> list[dict[str, Any]]:
    """Each reads pages and looks at two mugs as a cookie, says who they are, and buys a pan elsewhere as a user."""
    made: list[dict[str, Any]] = []
    for number in range(PEOPLE):
        cookie, user = {"anonymousId": f"c{number}"}, {"userId": f"u{number}"}
        own: list[dict[str, Any]] = [
            {"type": "page", "name": "Home", "properties": {}} | cookie,
            {"type": "track", "event": "Product Viewed", "properties": {"product_id": f"mug{number % 3}"}} | cookie,
            {"type": "page", "name": "Mugs", "properties": {}} | cookie,
            {"type": "track", "event": "Product Viewed", "properties": {"product_id": f"cup{number % 2}"}} | cookie,
            {"type": "identify", "traits": {"email": f"u{number}@shop.example"}} | cookie | user,
            {"type": "track", "event": "Order Completed", "properties": {"products": [{"product_id": "pan"}]}} | user,
        ]
        made += [
            {"messageId": f"m{number}-{place}", "timestamp": f"2025-03-{number + 1:02}T10:{place:02}:00Z"} | call
            for place, call in enumerate(own)
        ]
    return made


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "calls.jsonl").write_text("".join(json.dumps(call) + "\n" for call in calls()))
    folder = tmp_path / "shop"
    for words in (["init", str(folder), "--events", str(tmp_path / "calls.jsonl")], ["-C", str(folder), "ingest"]):
        done = CliRunner().invoke(main, words, catch_exceptions=False)
        assert done.exit_code == 0, done.output
    return folder


@pytest.mark.slow
def test_a_segment_log_makes_one_person_of_a_cookie_and_a_user(shop: Path) -> None:
    apart = Project.open(shop)
    assert apart.events.collect()["type"].value_counts(sort=True).to_dicts()[0]["count"] == 2 * PEOPLE
    assert len(set(who(apart))) == 2 * PEOPLE
    with (shop / "segue.toml").open("a") as file:
        file.write(STITCHED)
    joined = Project.open(shop)
    assert set(who(joined)) == {person_key(f"u{number}", None) for number in range(PEOPLE)}
    assert joined.links().stitched == PEOPLE
    joined.state.rebuild(joined.snapshot())
    assert [past.item for past in joined.state.history("u:u4")] == ["mug1", "cup0", "pan"]
    assert [past.item for past in joined.state.history("v:c4")] == ["mug1", "cup0", "pan"]


@pytest.mark.slow
def test_what_has_no_item_passes_through_checks_reports_and_learning(shop: Path) -> None:
    with (shop / "segue.toml").open("a") as file:
        file.write(STITCHED)
    project = Project.open(shop)
    assert project.dataset().rows == 3 * PEOPLE
    for words in (["check"], ["report"], ["train"], ["recommend", "--user", "u4"], ["describe", "--user", "u4"]):
        done = CliRunner().invoke(main, ["-C", str(shop), *words], catch_exceptions=False)
        assert done.exit_code == 0, done.output
    assert "identify 1" in done.output


def who(project: Project) -> list[str]:
    """The person of each interaction."""
    ids = project.snapshot().person_ids.ids
    parts = project.dataset().partitions(1)
    return [ids[code] for part in parts for batch in part for code in batch.column("user").to_pylist()]
