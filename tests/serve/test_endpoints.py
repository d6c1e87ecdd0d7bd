"""Each endpoint's contract, and each refusal's, over HTTP from real processes: two workers."""

from __future__ import annotations

import http.client
import socket
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from segue.serve.messages import EventsTaken, Listed
from segue.serve.problems import KINDS, Problem
from tests.serve.conftest import Running
from tests.serve.service import Answer, metric, wait_until

PROC = Path("/proc")
DEEP = b'{"id":"a","type":"x","user":"u","context":' + b'{"a":' * 9 + b"1" + b"}" * 10
ZEROS = b'"context":{"a":[' + b"0," * 300_000 + b"0]}}"
MANY = b"[" + b'{"id":"a","type":"x","user":"u"},' * 10_000 + b'{"id":"a","type":"x","user":"u"}]'
pytestmark = pytest.mark.service


def fresh() -> str:
    return uuid.uuid4().hex


def event(**fields: Any) -> dict[str, Any]:
    return {"id": fresh(), "type": "click", "user": "u01", "item": "i001", **fields}


def problem(answer: Answer, code: str) -> Problem:
    """The answer is this problem, whole, with its documented status."""
    assert answer.status == KINDS[code].status, answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    told = msgspec.json.decode(answer.body, type=Problem)
    assert (told.code, told.status, told.type) == (code, answer.status, f"urn:segue:problem:{code}")
    assert told.title
    assert told.detail
    return told


def items(answer: Answer) -> list[str]:
    assert answer.status == 200, answer.body
    return [shown.item for shown in msgspec.json.decode(answer.body, type=Listed).items]


def test_events_are_acknowledged_once_however_they_come(up: Running) -> None:
    client, one = up.client(), event()
    for body, expected in (
        (one, EventsTaken(1, 1, 0)),
        (one, EventsTaken(1, 0, 1)),
        ([event(), one, event()], EventsTaken(3, 2, 1)),
        ({"events": [event(id="same" + one["id"]), event(id="same" + one["id"])]}, EventsTaken(2, 1, 1)),
        ([], EventsTaken(0, 0, 0)),
    ):
        answer = client.post("/v1/events", body)
        assert (answer.status, msgspec.json.decode(answer.body, type=EventsTaken)) == (200, expected)


def test_one_bad_event_and_none_is_taken(up: Running) -> None:
    client, good = up.client(), event()
    told = problem(client.post("/v1/events", [good, event(user=None), event(position=-1)]), "invalid_event")
    assert [(fault.index, fault.field) for fault in told.errors] == [(1, "user"), (2, "position")]
    assert msgspec.json.decode(client.post("/v1/events", good).body, type=EventsTaken).new == 1


def test_a_list_has_positions_propensities_and_reasons_that_sum(up: Running) -> None:
    answer = up.client().post("/v1/surfaces/home", {"user": "u02", "k": 7, "context": {"device": "phone"}})
    listed = msgspec.json.decode(answer.body, type=Listed)
    assert [shown.position for shown in listed.items] == list(range(7))
    assert len({shown.item for shown in listed.items}) == 7
    assert all(0 < shown.propensity <= 1 for shown in listed.items)
    assert listed.fallback == ""
    for shown in listed.items:
        assert shown.reason.text
        parts = sum(value for _, value in shown.reason.contributions) + shown.reason.rest
        assert parts == pytest.approx(shown.score, abs=1e-5)


def test_a_list_is_as_long_as_the_surface_says_where_k_is_left_out(up: Running) -> None:
    assert len(items(up.client().post("/v1/surfaces/home", {"user": "u02"}))) == 10


def test_a_stranger_and_a_bare_history_get_a_list_and_the_stranger_is_told(up: Running) -> None:
    client = up.client()
    stranger = client.post("/v1/surfaces/home", {"visitor": fresh()}).json
    assert len(stranger["items"]) == 10
    assert "not personal" in stranger["fallback"]
    personal = client.post("/v1/surfaces/home", {"history": ["i001", "i005", "i009"]}).json
    assert personal["fallback"] == ""
    assert {shown["item"] for shown in personal["items"]}.isdisjoint(["i001", "i005", "i009"])


def test_a_decision_can_be_read_with_candidates_drops_and_propensities(up: Running) -> None:
    client = up.client()
    listed = client.post("/v1/surfaces/home", {"user": "u03"}).json
    decision = client.get(f"/v1/decisions/{listed['decision']}").json
    assert decision["shown"] == listed["items"]
    assert decision["user"] == "u03"
    shown = {each["item"] for each in decision["shown"]}
    assert shown <= {candidate["item"] for candidate in decision["candidates"]}
    seen = next(drop for drop in decision["drops"] if drop["rule"] == "seen")
    assert set(seen["items"]).isdisjoint(shown)
    assert seen["items"]


def test_a_decision_can_be_read_after_it_was_drained_and_the_journal_forgot_it(up: Running) -> None:
    import sqlite3

    client = up.client()
    listed = client.post("/v1/surfaces/home", {"user": "u03"}).json
    wait_until(lambda: metric(client, "segue_journal_pending_decisions") == 0)
    with sqlite3.connect(up.workspace / "journal" / "decisions.db") as database:
        database.execute("DELETE FROM decisions WHERE id = ?", (listed["decision"],))
    decision = client.get(f"/v1/decisions/{listed['decision']}")
    assert decision.status == 200
    assert [shown["item"] for shown in decision.json["shown"]] == [shown["item"] for shown in listed["items"]]


def test_variants_of_an_experiment_are_assigned_and_told(up: Running) -> None:
    client = up.client()
    met = {}
    for person in range(20):
        listed = client.post("/v1/surfaces/tested", {"user": f"u{person:02}", "k": 3}).json
        met[listed["assignments"]["learned"]] = {shown["source"] for shown in listed["items"]}
    assert met == {"popularity": {"popular"}, "ease": {"ease"}}


def test_an_event_of_a_moment_ago_changes_the_next_answer_whichever_worker_answers(up: Running) -> None:
    """Each request has a connection of its own, which the kernel gives to either worker."""
    before = answered_by(up)
    visitor = fresh()
    for step, item in enumerate(("i001", "i005", "i009", "i013", "i017")):
        taken = event(user=None, visitor=visitor, item=item, time=f"2026-11-20T10:00:0{step}Z")
        assert up.client().post("/v1/events", taken).status == 200
        lists = [up.client().post("/v1/surfaces/plain", {"visitor": visitor}) for _ in range(8)]
        assert all(item not in items(each) for each in lists)
        assert len({tuple(items(each)) for each in lists}) == 1
        assert all(each.json["fallback"] == "" for each in lists)
    assert all(now > then for now, then in zip(answered_by(up), before, strict=True)), "one worker answered everything"


def answered_by(up: Running) -> list[int]:
    """The CPU time of each worker: what tells that both of them answered."""
    return [int((PROC / str(pid) / "stat").read_text().split()[13]) for pid in up.service.workers()]


def test_the_same_request_id_is_the_same_decision_also_at_once(up: Running) -> None:
    for _ in range(15):
        ask = {"user": "u05", "request_id": fresh(), "k": 5}
        clients, barrier = [up.client() for _ in range(8)], threading.Barrier(8)

        def one(client: Any, ask: dict[str, Any] = ask, barrier: threading.Barrier = barrier) -> bytes:
            barrier.wait()
            answer = client.post("/v1/surfaces/home", ask)
            assert answer.status == 200
            return bytes(answer.body)

        with ThreadPoolExecutor(8) as pool:
            assert len(set(pool.map(one, clients))) == 1
        for client in clients:
            client.close()


def test_a_request_id_finds_its_decision_whatever_happened_since(up: Running) -> None:
    client, ask = up.client(), {"user": "u06", "request_id": fresh(), "k": 5}
    first = client.post("/v1/surfaces/plain", ask).body
    client.post("/v1/events", event(user="u06", item=msgspec.json.decode(first)["items"][0]["item"]))
    assert client.post("/v1/surfaces/plain", ask).body == first


def test_a_request_id_of_another_person_is_refused(up: Running) -> None:
    client, request_id = up.client(), fresh()
    client.post("/v1/surfaces/home", {"user": "u06", "request_id": request_id})
    problem(client.post("/v1/surfaces/home", {"user": "u07", "request_id": request_id}), "request_id_reused")


@pytest.mark.parametrize(
    "other", [{"history": ["i001"]}, {"history": ["i000"], "k": 3}, {"history": []}, {"user": "u01"}, {"visitor": "v"}]
)
def test_a_request_id_of_another_request_is_refused_also_where_nobody_is_named(
    up: Running, other: dict[str, Any]
) -> None:
    client, ask = up.client(), {"history": ["i000"], "request_id": fresh(), "context": {"device": "phone"}}
    first = client.post("/v1/surfaces/plain", ask)
    assert client.post("/v1/surfaces/plain", {**ask, "context": {}}).body == first.body
    different = {**other, "request_id": ask["request_id"]}
    problem(client.post("/v1/surfaces/plain", different), "request_id_reused")


@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        ("POST", "/v1/events", b"", "bad_json"),
        ("POST", "/v1/events", b'{"id":', "bad_json"),
        ("POST", "/v1/events", b'{"id":"\xff","type":"x","user":"u"}', "bad_utf8"),
        ("POST", "/v1/events", b"[" * 200_000, "too_deep"),
        ("POST", "/v1/events", DEEP, "too_deep"),
        ("POST", "/v1/events", b'{"id":1,"type":"x","user":"u"}', "invalid_event"),
        ("POST", "/v1/events", b'{"id":"a","type":"x"}', "invalid_event"),
        ("POST", "/v1/events", b" " * (9 * 1024 * 1024), "too_large"),
        ("POST", "/v1/events", b" " * (70 * 1024 * 1024), "too_large"),
        ("POST", "/v1/events", MANY, "too_large"),
        ("POST", "/v1/events", b'{"id":"a","type":"x","user":"u",' + ZEROS, "too_large"),
        ("POST", "/v1/surfaces/home", b'{"user":"u",' + ZEROS, "too_large"),
        ("GET", "/v1/events", None, "wrong_method"),
        ("DELETE", "/v1/events", None, "wrong_method"),
        ("POST", "/v1/events/", b"{}", "unknown_path"),
        ("POST", "/v1/surfaces/home", b"[]", "invalid_request"),
        ("POST", "/v1/surfaces/home", b'{"user":"a","k":1000}', "invalid_request"),
        ("POST", "/v1/surfaces/home", b'{"user":"' + b"a" * 300 + b'"}', "invalid_request"),
        ("POST", "/v1/surfaces/home", b'{"user":"\xc3\x28"}', "bad_utf8"),
        ("POST", "/v1/surfaces/home", b'{"user":"a","context":' + b'{"a":' * 100_000, "too_deep"),
        ("POST", "/v1/surfaces/hom", b'{"user":"a"}', "unknown_surface"),
        ("POST", "/v1/surfaces/%00%ff%2f..", b'{"user":"a"}', "unknown_surface"),
        ("POST", "/v1/surfaces/", b'{"user":"a"}', "unknown_path"),
        ("GET", "/v1/surfaces/home", None, "wrong_method"),
        ("GET", "/v1/decisions/nothing", None, "unknown_decision"),
        ("GET", "/v1/decisions/%F0%9F%92%A9", None, "unknown_decision"),
        ("POST", "/v1/decisions/nothing", b"{}", "wrong_method"),
        ("GET", "/v2", None, "unknown_path"),
        ("GET", "/page/../../../etc/passwd", None, "unknown_path"),
        ("PUT", "/metrics", b"", "wrong_method"),
    ],
)  # fmt: skip
def test_what_cannot_be_honoured_gets_its_documented_answer(
    up: Running, method: str, path: str, body: bytes | None, code: str
) -> None:
    told = problem(up.client().ask(method, path, body), code)
    assert code in KINDS
    assert 400 <= told.status < 500


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "no_key"),
        ({"Authorization": "Bearer nothing"}, "wrong_key"),
        ({"Authorization": "Bearer "}, "no_key"),
        ({"Authorization": "Basic YTpi"}, "no_key"),
        ({"X-API-Key": "\xff\xfe"}, "wrong_key"),
        ({"Cookie": "segue_1=x; ;;=;"}, "no_key"),
    ],
)
def test_who_may_not_ask_is_told_so(up: Running, headers: dict[str, str], code: str) -> None:
    for method, path, body in (("POST", "/v1/events", event()), ("GET", "/v1/decisions/x", None)):
        answer = up.client(None).ask(method, path, body, headers=headers)
        problem(answer, code)
        assert answer.headers["www-authenticate"].startswith("Bearer")


def test_both_headers_carry_a_key_and_roles_are_kept_apart(up: Running) -> None:
    client = up.client(None)
    assert client.post("/v1/events", event(), headers={"X-API-Key": up.keys["service"]}).status == 200
    assert client.post("/v1/events", event(), headers={"Authorization": f"bearer {up.keys['admin']}"}).status == 200
    problem(client.get("/page/people", key=up.keys["service"]), "wrong_role")
    assert client.get("/page/people", key=up.keys["admin"]).status == 200


@pytest.mark.parametrize("headers", [{"Content-Type": "text/plain"}, {"Content-Encoding": "gzip"}])
def test_what_is_not_said_to_be_plain_json_is_refused(up: Running, headers: dict[str, str]) -> None:
    for path in ("/v1/events", "/v1/surfaces/home"):
        problem(up.client().post(path, b"{}", headers=headers), "wrong_type")


def test_a_body_in_parts_is_one_body_and_one_too_large_is_refused(up: Running) -> None:
    one = msgspec.json.encode(event())
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {up.keys['service']}"}
    for parts, status in (([one[:9], one[9:]], 200), ([b" " * 1_000_000] * 9, 413)):
        connection = http.client.HTTPConnection("127.0.0.1", up.service.port, timeout=20)
        connection.request("POST", "/v1/events", iter(parts), headers, encode_chunked=True)
        assert connection.getresponse().status == status
        connection.close()


@pytest.mark.parametrize(
    "chunks",
    [b"zz\r\n{}\r\n0\r\n\r\n", b"2\r\n{}x\r\n0\r\n\r\n", b"fffffffffffffffff\r\n{}", b"-1\r\n{}\r\n0\r\n\r\n"],
    ids=["no number", "longer than told", "too long a number", "negative"],
)
@pytest.mark.parametrize("path", ["/v1/events", "/v1/surfaces/home"])
def test_chunks_that_cannot_be_read_are_told_so_and_counted(up: Running, path: str, chunks: bytes) -> None:
    before = metric(up.client(), "segue_requests_total")
    with socket.create_connection(("127.0.0.1", up.service.port), timeout=5) as raw:
        raw.sendall(
            f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {up.keys['service']}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
            + chunks
        )
        response = http.client.HTTPResponse(raw)
        response.begin()
        headers = {name.lower(): value for name, value in response.getheaders()}
        problem(Answer(response.status, headers, response.read()), "broken_body")
    assert metric(up.client(), "segue_requests_total") == before + 2  # this one, and the first look at the metrics


def test_garbage_instead_of_http_and_clients_that_leave_harm_nobody(up: Running) -> None:
    start = b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    key = f"Authorization: Bearer {up.keys['service']}\r\n".encode()
    for sent in (
        b"\x16\x03\x01",
        b"GARBAGE\r\n\r\n",
        start + b"Content-Length: x\r\n\r\n",
        start + key + b"Content-Length: 99\r\n\r\n{",
    ):
        with socket.create_connection(("127.0.0.1", up.service.port), timeout=5) as raw:
            raw.sendall(sent)
            raw.settimeout(0.3)
            try:
                answer = raw.recv(200)
            except TimeoutError:
                answer = b""
        assert answer == b"" or b" 400 " in answer.split(b"\r\n")[0]
    assert up.client().get("/readyz").status == 200


def test_health_metrics_and_heads_need_no_key(up: Running) -> None:
    client = up.client(None)
    assert client.get("/livez").json == {"status": "alive"}
    ready = client.get("/readyz").json
    assert ready["status"] == "ready"
    assert ready["release"] in {path.name for path in (up.workspace / "releases").iterdir()}
    assert client.ask("HEAD", "/livez").status == 200
    assert client.get("/metrics").headers["content-type"].startswith("text/plain; version=0.0.4")


def test_counters_count_all_workers_and_never_fall(up: Running) -> None:
    before = metric(up.client(), "segue_events_total")
    for _ in range(20):
        assert up.client().post("/v1/events", event()).status == 200
    for _ in range(6):  # whichever worker is asked
        assert metric(up.client(), "segue_events_total") == before + 20


def test_the_description_is_openapi_and_what_comes_fits_it(up: Running) -> None:
    client = up.client()
    document = client.get("/openapi.json").json
    assert document["openapi"].startswith("3.1")
    schemas = {"$defs": document["components"]["schemas"]}

    def fits(value: Any, name: str) -> None:
        text = msgspec.json.encode({"$ref": f"#/$defs/{name}", **schemas}).replace(
            b"#/components/schemas/", b"#/$defs/"
        )
        jsonschema.Draft202012Validator(msgspec.json.decode(text)).validate(value)

    listed = client.post("/v1/surfaces/home", {"user": "u01"}).json
    fits(listed, "Listed")
    fits(client.get(f"/v1/decisions/{listed['decision']}").json, "Decision")
    fits(client.post("/v1/events", []).json, "EventsTaken")
    fits(client.get("/nothing").json, "Problem")
    with pytest.raises(jsonschema.ValidationError):
        fits({"id": "a"}, "Event")
    assert set(document["paths"]) == {
        "/v1/events",
        "/v1/surfaces/{name}",
        "/v1/decisions/{id}",
        "/livez",
        "/readyz",
        "/metrics",
        "/openapi.json",
    }


def test_nothing_ever_failed_here(up: Running) -> None:
    """The last test of this file: whatever the others sent, no answer was a 5xx and no log line an error."""
    text = up.client().get("/metrics").body.decode()
    assert 'status="50' not in text
    assert "Traceback" not in up.service.log.read_text()
