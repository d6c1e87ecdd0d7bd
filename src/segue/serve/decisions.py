"""`GET /v1/decisions/{id}`: one decision with its candidates, what each rule dropped, and its propensities."""

from __future__ import annotations

import asyncio
from pathlib import Path

from segue.data.journal.journal import Journal
from segue.data.lake.lake import Lake
from segue.data.lake.rows import as_decision
from segue.domain.columns import ID
from segue.domain.decisions import Decision
from segue.serve.access import Access
from segue.serve.exchange import Request, Response, answer
from segue.serve.page_events import made_by_page
from segue.serve.problems import Refusal


class DecisionsEndpoint:
    """Reads the journal first, which has the last day, then the lake."""

    def __init__(self, journal: Journal, workspace: Path, access: Access) -> None:
        self._journal = journal
        self._workspace = workspace
        self._access = access

    async def __call__(self, request: Request) -> Response:
        from_page = self._access.need_or_page(request)
        decision = self._journal.decision(request.tail)
        if decision is None:
            decision = await asyncio.to_thread(self._drained, request.tail)
        if decision is None:
            raise Refusal("unknown_decision", f"no decision has the id {request.tail[:200]!r}")
        if from_page and not made_by_page(decision):
            raise Refusal("beyond_page", "the page reads what it asked for", mend="read others with an API key")
        return answer(decision)

    def _drained(self, identifier: str) -> Decision | None:
        """From the lake; `id` has statistics there, so that few files are read."""
        import polars as pl

        decisions = Lake(self._workspace / "lake").snapshot().decisions()
        found = decisions.filter(pl.col(ID) == identifier).head(1).collect()
        return as_decision(found.row(0, named=True)) if len(found) else None
