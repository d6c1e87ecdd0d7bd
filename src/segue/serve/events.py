"""`POST /v1/events`: what people did, answered when it is on disk."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import chain

from segue.data.identity.settings import Normalise
from segue.data.journal.journal import Journal
from segue.domain.errors import SegueError
from segue.domain.events import Event
from segue.serve.access import Access
from segue.serve.exchange import Request, Response, answer
from segue.serve.gathering import Gathering
from segue.serve.mending import mended_events
from segue.serve.messages import EventsTaken
from segue.serve.metrics import Counters
from segue.serve.page_events import check_answers
from segue.serve.parsing import parse_events
from segue.serve.problems import Refusal
from segue.serve.settings import ServeSettings

REQUESTS_AT_ONCE = 256  # so many requests share one sync


class EventsEndpoint:
    """Takes one event, or many, all or none. An id that is known already is acknowledged and changes nothing."""

    def __init__(
        self,
        journal: Journal,
        access: Access,
        counters: Counters,
        settings: ServeSettings,
        normalise: Normalise,
    ) -> None:
        self._normalise = normalise
        self._journal = journal
        self._commits = Gathering(_commit(journal), REQUESTS_AT_ONCE)
        self._access = access
        self._counters = counters
        self._settings = settings

    async def __call__(self, request: Request) -> Response:
        from_page = self._access.need_or_page(request)
        expect_json(request)
        body = await request.body(self._settings.max_body_bytes)
        events = mended_events(parse_events(body, datetime.now(UTC), self._settings.max_events), self._normalise)
        if from_page:
            check_answers(events, self._journal)
        try:
            news = await self._commits.put(events)
        except (SegueError, OSError, RuntimeError) as error:
            mend = "send the same again: ids make it harmless"
            raise Refusal("journal_unavailable", str(error), mend=mend, headers=((b"retry-after", b"1"),)) from error
        new = sum(news)
        self._counters.count("events_new", new)
        self._counters.count("events_known", len(events) - new)
        return answer(EventsTaken(len(events), new, len(events) - new))

    async def close(self) -> None:
        """Commit what waits."""
        await self._commits.close()


def _commit(journal: Journal) -> Callable[[list[list[Event]]], list[list[bool]]]:
    """One append, and so one sync, for the events of many requests."""

    def commit(requests: list[list[Event]]) -> list[list[bool]]:
        news = iter(journal.append(list(chain.from_iterable(requests)), datetime.now(UTC)))
        return [[next(news) for _ in events] for events in requests]

    return commit


def expect_json(request: Request) -> None:
    """Refuse a body that says it is something else, or is compressed."""
    headers = request.headers
    media_type = headers.get(b"content-type", b"application/json").partition(b";")[0].strip().lower()
    if media_type != b"application/json" and not media_type.endswith(b"+json"):
        found = media_type.decode("latin-1")
        raise Refusal("wrong_type", f"the body is {found!r}", mend="send Content-Type: application/json")
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise Refusal("wrong_type", "compressed bodies are not taken", mend="send it uncompressed")
