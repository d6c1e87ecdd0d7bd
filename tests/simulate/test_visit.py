"""Visits over HTTP are deterministic, send what was done, and bear with a service that refuses and fails."""

from __future__ import annotations

import json
import threading
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
import numpy as np
import pytest

from segue.domain.events import Event
from segue.simulate.respond import plan_visits, respond
from segue.simulate.visit import Door, visit
from segue.simulate.world import World

WORLD = World("shop", seed=9, people=60, items=50, days=14)
MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)


@contextmanager
def failing_service(trouble=lambda path, count: 200):
    """A stdlib server that shows the catalog in order and answers with whatever status `trouble` says."""
    received, counts, lock = {}, Counter(), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version, disable_nagle_algorithm = "HTTP/1.1", True

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                counts[self.path] += 1
                status = trouble(self.path, counts[self.path])
                if self.path == "/v1/events" and status < 300:
                    received.update((event["id"], event) for event in body)
            self._answer(status, self._list(body) if self.path.startswith("/v1/surfaces") else {"accepted": 1})

        def _list(self, body):
            items = [{"item": item.id, "position": nth} for nth, item in enumerate(WORLD.catalog.items[: body["k"]])]
            return {"decision": f"d-{body['request_id']}", "items": items}

        def _answer(self, status, body):
            content = json.dumps(body).encode() if status != 299 else b"<html>"
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            """Stay quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield Door(f"http://127.0.0.1:{server.server_port}", "secret"), received
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.slow
def test_visits_are_the_same_whatever_the_threads():
    plan = plan_visits(WORLD, 80)
    with failing_service() as (door, one), failing_service() as (other, many):
        alone = visit(WORLD, plan, door, threads=1, clock=lambda: MOMENT)
        together = visit(WORLD, plan, other, threads=7, clock=lambda: MOMENT)
    assert one == many
    assert (alone.opened == together.opened).all()
    assert (alone.spent == together.spent).all()
    assert alone.events == len(one) > 80


@pytest.mark.slow
def test_what_is_sent_is_what_was_done():
    plan = plan_visits(WORLD, 30)
    with failing_service() as (door, received):
        visited = visit(WORLD, plan, door, clock=lambda: MOMENT)
    events = [msgspec.convert(event, Event) for event in received.values()]
    kinds = Counter(event.type for event in events)
    assert kinds["impression"] == visited.looked.sum()
    assert kinds["click"] == visited.opened.sum()
    assert kinds["buy"] == visited.bought.sum()
    assert sum(event.value for event in events if event.type == "buy") == pytest.approx(visited.spent.sum())
    shown = [item.id for item in WORLD.catalog.items[:20]]
    for row, (person, number) in enumerate(zip(plan.people.tolist(), plan.numbers.tolist(), strict=True)):
        response = respond(WORLD, person, number, shown)
        assert visited.looked[row] == response.looked
        assert visited.opened[row] == len(response.opened)
    assert all(event.decision == f"d-{event.session}" and shown[event.position] == event.item for event in events)
    assert all(0 <= (event.time - MOMENT).microseconds < 100 for event in events)


@pytest.mark.slow
def test_a_failure_is_tried_again_and_nothing_is_sent_twice():
    plan = plan_visits(WORLD, 40)
    with failing_service() as (calm, expected):
        visit(WORLD, plan, calm, clock=lambda: MOMENT)
    with failing_service(lambda path, count: 503 if count % 3 == 0 else 200) as (door, received):
        visited = visit(WORLD, plan, door, threads=1, clock=lambda: MOMENT)  # two could meet a third failure in turn
    assert received == expected
    assert visited.answered.all()
    assert visited.statuses[503] == visited.failures > 10


@pytest.mark.slow
def test_a_refusal_is_counted_and_the_person_leaves():
    plan = plan_visits(WORLD, 25)
    with failing_service(lambda path, count: 401) as (door, received):
        visited = visit(WORLD, plan, door)
    assert visited.statuses == {401: 25}
    assert not visited.answered.any()
    assert received == {}


@pytest.mark.slow
def test_an_answer_that_is_not_json_is_no_list():
    with failing_service(lambda path, count: 299) as (door, received):
        visited = visit(WORLD, plan_visits(WORLD, 5), door)
    assert not visited.answered.any()
    assert received == {}


def test_a_service_that_is_not_there_is_counted_as_no_answer():
    visited = visit(WORLD, plan_visits(WORLD, 4), Door("http://127.0.0.1:9"))
    assert set(visited.statuses) == {0}
    assert visited.failures == 12
    assert np.array_equal(visited.opened, np.zeros(4))
