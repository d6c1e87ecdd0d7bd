"""What the page's session opens, over HTTP and without a browser: its own lists and their answers, and nothing else."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import Any

import pytest

from segue.data.lake.lake import Lake
from segue.measure.outcomes import exposures
from tests.serve.conftest import Running
from tests.serve.service import Answer, Client, metric, wait_until
from tests.serve.shop import EXPERIMENTS
from tests.serve.test_endpoints import problem

pytestmark = pytest.mark.service


@dataclass
class Page:
    """The page, loaded for a person: what it says, and the headers that its script sends."""

    client: Client
    text: str
    headers: dict[str, str]

    @property
    def decision(self) -> str:
        found = re.search(r'data-decision="([^"]+)"', self.text)
        assert found
        return found[1]

    @property
    def item(self) -> str:
        """At the first position."""
        found = re.search(r'data-item="([^"]+)" data-position="0"', self.text)
        assert found
        return found[1]

    def click(self, **fields: Any) -> Answer:
        sent = {"id": uuid.uuid4().hex, "type": "click", "user": "u33", "item": self.item, "position": 0}
        return self.client.post("/v1/events", {**sent, "decision": self.decision, **fields}, headers=self.headers)


def loaded(up: Running, query: str = "?user=u33&surface=tested") -> Page:
    client = up.client(None)
    answer = client.get(f"/{query}")
    assert answer.status == 200
    cookie = answer.headers["set-cookie"].partition(";")[0]
    return Page(client, answer.body.decode(), {"Cookie": cookie, "X-Segue-Page": "1"})


def test_the_session_sends_what_answers_the_pages_lists_and_nothing_else(up: Running) -> None:
    page = loaded(up)
    assert page.click().status == 200
    assert page.click(type="impression").status == 200
    asked = up.client().post("/v1/surfaces/plain", {"user": "u33"}).json
    shown = asked["items"][0]["item"]
    for fields in (
        {"decision": None},
        {"decision": "no-such"},
        {"decision": asked["decision"], "item": shown},
        {"user": "u05"},
        {"user": None, "visitor": "u33"},
        {"visitor": "v"},
        {"type": "buy"},
        {"item": "no-such"},
        {"position": 1},
    ):
        problem(page.click(**fields), "beyond_page")


def test_the_session_finds_people_shows_lists_and_reads_the_pages_decisions_only(up: Running) -> None:
    page = loaded(up)
    for path in ("/page/people?q=person", "/page/main?user=u33", f"/v1/decisions/{page.decision}"):
        assert page.client.get(path, headers=page.headers).status == 200
    problem(page.client.post("/v1/surfaces/plain", {"user": "u33"}, headers=page.headers), "no_key")
    asked = up.client().post("/v1/surfaces/plain", {"user": "u33"}).json["decision"]
    problem(page.client.get(f"/v1/decisions/{asked}", headers=page.headers), "beyond_page")


@pytest.mark.parametrize("path", ["/", "/page/main?user=u33", "/page/people?q=", "/page/script.js"])
def test_through_a_proxy_there_is_no_page_and_no_session(up: Running, path: str) -> None:
    headers = {**loaded(up).headers, "X-Forwarded-For": "203.0.113.7"}
    answer = up.client(None).get(path, headers=headers)
    problem(answer, "page_closed")
    assert "set-cookie" not in answer.headers


def test_looking_at_somebody_shows_their_variant_and_exposes_them_to_no_experiment(up: Running) -> None:
    page = loaded(up, "?user=u34&surface=tested")
    variant = up.client().post("/v1/surfaces/tested", {"user": "u34"}).json["assignments"]["learned"]
    assert f"learned: variant <b>{variant}</b>" in page.text
    page = loaded(up, "?user=u35&surface=tested")
    kept = page.client.get(f"/v1/decisions/{page.decision}", headers=page.headers).json
    assert (kept["assignments"], kept["context"]) == ({}, {"via": "page"})
    wait_until(lambda: metric(up.client(), "segue_journal_pending_decisions") == 0)
    met = exposures(Lake(up.workspace / "lake").snapshot().decisions(), "learned", EXPERIMENTS["learned"]).units
    assert "u:u34" in met["unit"]
    assert "u:u35" not in met["unit"]
