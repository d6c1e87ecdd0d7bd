"""What operators ask: is it alive, is it ready, what did it count, what does it offer."""

from __future__ import annotations

import time

import msgspec

from segue.data.journal.journal import Journal
from segue.serve.exchange import Request, Response, answer
from segue.serve.messages import Health
from segue.serve.metrics import MEDIA_TYPE, Board, exposition
from segue.serve.openapi import document
from segue.serve.problems import Refusal
from segue.serve.released import Released
from segue.serve.settings import ServeSettings


class System:
    """Endpoints without a key: they name no person and no item."""

    def __init__(self, journal: Journal, released: Released, board: Board, settings: ServeSettings) -> None:
        self._journal = journal
        self._released = released
        self._board = board
        self._document = msgspec.json.encode(document(settings))

    async def live(self, _: Request) -> Response:
        """The process answers."""
        return answer(Health("alive"))

    async def ready(self, _: Request) -> Response:
        """It can decide: a release is loaded, and the journal answers."""
        release = self._released.needed()
        try:
            self._journal.pending()
        except Exception as error:  # of whatever journal the workspace has: who cannot keep an event is not ready
            raise Refusal("journal_unavailable", str(error)) from error
        return answer(Health("ready", release.id))

    async def metrics(self, _: Request) -> Response:
        """The counters of all workers, and what waits in the journal."""
        pending = self._journal.pending()
        current = self._released.current
        gauges = {
            "segue_journal_pending_events": (pending.events, "Acknowledged events that the lake does not have yet."),
            "segue_journal_pending_decisions": (pending.decisions, "Decisions that the lake does not have yet."),
            "segue_workers": (self._board.alive(), "Workers alive."),
            "segue_time_seconds": (time.time(), "Seconds since 1970, by this machine's clock."),
        }
        if current is not None:
            gauges[f'segue_release_info{{release="{current.id}"}}'] = (1, "The release that answered this scrape.")
        return Response(200, exposition(self._board, gauges), MEDIA_TYPE)

    async def openapi(self, _: Request) -> Response:
        """OpenAPI 3.1."""
        return Response(200, self._document)
