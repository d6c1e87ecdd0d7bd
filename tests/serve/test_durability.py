"""Acknowledged means on disk: under kill -9 of a worker and of everything, under SIGTERM, and as strace sees it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from segue.data.lake.lake import Lake
from tests.serve.service import Service, command, metric, running, started, wait_until
from tests.serve.shop import keys
from tests.serve.stream import Stream

pytestmark = [pytest.mark.service, pytest.mark.slow]
ROUNDS = 20


@pytest.fixture
def workspace(made: Path, tmp_path: Path) -> Path:
    """A copy that a test may break."""
    return Path(shutil.copytree(made, tmp_path / "shop"))


def in_lake(workspace: Path) -> Counter[str]:
    """How often each event of the service is in the lake."""
    ids = Lake(workspace / "lake").snapshot().events().select("id").collect()["id"].to_list()
    return Counter(each for each in ids if not each.startswith("past-"))


def test_killed_twenty_times_everything_acknowledged_is_in_the_lake_once(workspace: Path) -> None:
    """In each round a worker is killed, then the whole service, while events stream in."""
    key = keys(workspace)["service"]
    service = started(workspace, drain_seconds=0.3)
    stream = Stream(service.port, key)
    try:
        with stream.flowing():
            for round_ in range(ROUNDS):
                before = len(stream.acknowledged)
                os.kill(service.workers()[round_ % 2], signal.SIGKILL)
                wait_until(lambda before=before: len(stream.acknowledged) > before + 20)  # type: ignore[misc]
                service.kill()
                service = started(workspace, drain_seconds=0.3, port=service.port, awaited=1)
        assert service.stop() == 0
    finally:
        if service.process.poll() is None:
            service.kill()
    counted = in_lake(workspace)
    assert len(stream.acknowledged) > 20 * ROUNDS
    assert set(stream.acknowledged) <= set(counted), "acknowledged and lost"
    assert max(counted.values()) == 1, "in the lake twice"
    assert set(counted) <= set(stream.sent)
    assert set(stream.refused) <= {503}


def test_a_killed_worker_is_started_again_and_the_other_answers_meanwhile(workspace: Path) -> None:
    with running(workspace) as service:
        first, second = service.workers()
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: len(service.workers()) == 2 and first not in service.workers())
        assert second in service.workers()
        wait_until(lambda: metric(service.client(), "segue_worker_starts_total") == 3)


def test_a_killed_drainer_is_started_again(workspace: Path) -> None:
    key = keys(workspace)["service"]
    with running(workspace, drain_seconds=0.2) as service:
        os.kill(drainer(service), signal.SIGKILL)
        client = service.client(key)
        assert client.post("/v1/events", {"id": "a", "type": "click", "user": "u01", "item": "i001"}).status == 200
        wait_until(lambda: in_lake(workspace) == {"a": 1})


def test_where_the_parent_is_killed_its_processes_end_and_the_port_is_free(workspace: Path) -> None:
    with running(workspace) as service:
        children = service.children()
        service.process.kill()
        wait_until(lambda: not any(map(command, children)))


def test_an_ending_service_answers_what_it_took_and_drains_it(workspace: Path) -> None:
    key = keys(workspace)["service"]
    with running(workspace, drain_seconds=1_000) as service:
        stream = Stream(service.port, key)
        with stream.flowing():
            time.sleep(1)
            assert service.stop() == 0
        counted = in_lake(workspace)
    assert len(stream.acknowledged) > 20
    assert set(stream.acknowledged) <= set(counted)
    assert max(counted.values()) == 1
    assert not stream.refused


def test_strace_sees_the_sync_return_before_each_answer(workspace: Path, tmp_path: Path) -> None:
    """On each connection, between a request's arrival and its answer, a sync of the journal began and returned."""
    key = keys(workspace)["service"]
    log = tmp_path / "strace.log"
    calls = "trace=fsync,fdatasync,read,recvfrom,write,writev,sendto,sendmsg"
    traced = ("strace", "-f", "-y", "-s", "96", "-e", calls, "-e", "signal=none", "-o", str(log))
    with running(workspace, drain_seconds=1_000, before=traced) as service:
        stream = Stream(service.port, key, threads=8)
        with stream.flowing():
            wait_until(lambda: len(stream.acknowledged) >= 200, 60)
    answered = checked(log.read_text(errors="replace").splitlines())
    assert answered >= len(stream.acknowledged) >= 200


def checked(lines: list[str]) -> int:
    """How many answers to events there were; each is held against the syncs before it."""
    arrived: dict[str, int] = {}
    begun: dict[str, tuple[int, str]] = {}  # the call that a thread is in: where it began, and on what
    synced: list[tuple[int, int]] = []
    answered = 0
    for number, line in enumerate(lines):
        thread, _, call = line.partition(" ")
        call = call.strip()
        if match := re.match(r"\w+\(\d+<([^>]+)>", call):
            begun[thread] = number, match[1]
        began, file = begun.get(thread, (number, ""))
        if re.match(r"(<\.\.\. )?f(data)?sync", call) and file.endswith("events.db-wal") and call.endswith("= 0"):
            synced.append((began, number))
        elif "POST /v1/events" in call:
            arrived[file] = number
        elif "HTTP/1.1 200" in call and file in arrived:
            at = arrived.pop(file)
            assert any(at < start and end < number for start, end in synced[-50:]), f"unsynced: {line}"
            answered += 1
    return answered


def drainer(service: Service) -> int:
    """The process that drains."""
    return next(child for child in service.children() if b"segue.serve.drainer" in command(child))
