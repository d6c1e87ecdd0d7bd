"""A release is switched under load, twenty times, and no request fails; before the first one the service says so."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import msgspec
import pytest

from segue.data.lake.lake import Lake
from segue.domain.errors import BusyError, DeclarationError
from segue.operate.registry import Registry
from segue.serve.problems import Problem
from segue.serve.run import serve
from segue.serve.settings import ServeSettings
from tests.serve.conftest import Running
from tests.serve.service import Client, free_port, running, wait_until
from tests.serve.shop import EXPERIMENTS, SURFACES, keys, shop

pytestmark = [pytest.mark.service, pytest.mark.slow]


def test_switched_twenty_times_under_load_no_request_fails(up: Running) -> None:
    registry, ended = Registry(up.workspace), threading.Event()
    statuses: list[int] = []
    releases: list[str] = []

    def visit(person: int) -> None:
        client = Client(up.service.port, up.keys["service"])
        while not ended.is_set():
            answer = client.post("/v1/surfaces/home", {"user": f"u{person:02}", "k": 5})
            statuses.append(answer.status)
            releases.append(answer.json.get("release", ""))
        client.close()

    visitors = [threading.Thread(target=visit, args=(person,)) for person in range(4)]
    for visitor in visitors:
        visitor.start()
    names = registry.names()[:2]
    for turn in range(20):
        registry.switch(names[turn % 2])
        before = len(releases)
        wait_until(lambda before=before, name=names[turn % 2]: name in releases[before:])  # type: ignore[misc]
    registry.switch(names[1])
    time.sleep(1)
    ended.set()
    for visitor in visitors:
        visitor.join()
    assert len(statuses) > 200
    assert set(statuses) == {200}
    assert set(releases) == set(names)
    for _ in range(8):
        assert up.client().get("/readyz").json["release"] == names[1], "both workers follow"


def test_before_the_first_release_events_are_taken_and_lists_are_refused_then_it_follows(tmp_path: Path) -> None:
    workspace = shop(tmp_path / "shop", people=12, items=16)
    (workspace / "releases" / "current").unlink()
    key = keys(workspace)["service"]
    with running(workspace, sign="/livez") as service:
        client = service.client(key)
        assert client.post("/v1/events", {"id": "a", "type": "click", "user": "u01", "item": "i001"}).status == 200
        for answer in (client.get("/readyz"), client.post("/v1/surfaces/home", {"user": "u01"})):
            assert (answer.status, msgspec.json.decode(answer.body, type=Problem).code) == (503, "no_release")
        page = client.get("/").body.decode()
        assert "Nothing is released yet" in page
        Registry(workspace).release([], SURFACES, EXPERIMENTS, Lake(workspace / "lake").snapshot())
        wait_until(lambda: client.get("/readyz").status == 200)
        assert client.post("/v1/surfaces/home", {"user": "u01"}).status == 200


def test_a_port_that_is_taken_and_an_address_that_is_not_ours_are_refused_in_words(up: Running, tmp_path: Path) -> None:
    with pytest.raises(BusyError, match="taken"):
        serve(tmp_path, ServeSettings(port=up.service.port))
    with pytest.raises(DeclarationError, match="cannot listen"):
        serve(tmp_path, ServeSettings(host="203.0.113.7", port=free_port()))
