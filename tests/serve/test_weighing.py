"""The release says what live events weigh: a switch changes it under a running service, and nothing else does."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from segue.data.histories.index import weights_digest
from segue.data.histories.state import UserState
from segue.data.journal.journal import SQLiteJournal
from segue.data.lake.lake import Lake
from segue.data.settings import EventSource
from segue.domain.events import Event
from segue.operate.registry import Registry
from segue.serve.weighing import Weighing
from tests.serve.service import running, wait_until
from tests.serve.shop import EXPERIMENTS, SURFACES, keys

LIGHT, NONE = EventSource(types={"click": 0.5}), EventSource(types={"click": 0.0})


def test_the_same_tail_weighs_as_each_release_says(tmp_path: Path) -> None:
    journal = SQLiteJournal(tmp_path / "journal")
    journal.append([Event(id="a", type="click", item="i1", user="ann")], datetime.now(UTC))
    weighing = Weighing(tmp_path, EventSource(types={"click": 2.0}), journal)

    def weights(events: EventSource | None) -> list[float]:
        return [past.weight for past in weighing.by(events).history("u:ann")]

    assert [weights(events) for events in (None, LIGHT, NONE, LIGHT, None)] == [[2.0], [0.5], [], [0.5], [2.0]]
    assert weighing.by(LIGHT) is weighing.by(EventSource(types={"click": 0.5})), "the same weights open nothing anew"
    journal.close()


@pytest.mark.service
@pytest.mark.slow
def test_a_running_service_weighs_as_the_release_says_that_answers(made: Path, tmp_path: Path) -> None:
    workspace = Path(shutil.copytree(made, tmp_path / "shop"))
    key, registry, snapshot = keys(workspace)["service"], Registry(workspace), Lake(workspace / "lake").snapshot()
    with running(workspace, drain_seconds=0.3) as service:
        client = service.client(key)

        def personal() -> set[bool]:
            """Whether each of some lists is personal; both workers answer."""
            clients = [service.client(key) for _ in range(6)]
            answers = [each.post("/v1/surfaces/home", {"user": "new"}) for each in clients]
            for each in clients:
                each.close()
            return {not answer.json["fallback"] for answer in answers}

        assert client.post("/v1/events", {"id": "a", "type": "click", "user": "new", "item": "i001"}).status == 200
        assert personal() == {True}
        before = registry.current()
        registry.release([], SURFACES, EXPERIMENTS, snapshot, events=NONE)
        wait_until(lambda: personal() == {False})
        wait_until(lambda: _indexed(workspace) == weights_digest(NONE))
        assert before == registry.rollback()
        wait_until(lambda: personal() == {True})
        wait_until(lambda: _indexed(workspace) == weights_digest(EventSource()))
        assert personal() == {True}


def _indexed(workspace: Path) -> str:
    """The weights under which the index of histories was built."""
    index = UserState(workspace)._current()
    assert index is not None
    return index.manifest.weights
