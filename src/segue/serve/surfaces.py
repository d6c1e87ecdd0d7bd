"""`POST /v1/surfaces/{name}`: what to show to one person now; drawn, explained and logged."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from hashlib import blake2b

import msgspec

from segue.data.identity.settings import Normalise
from segue.data.journal.journal import Journal
from segue.decide.ask import Ask as Question
from segue.domain.decisions import Decision
from segue.domain.errors import SegueError
from segue.domain.events import person_key
from segue.operate.release import LoadedRelease
from segue.serve.access import Access
from segue.serve.events import expect_json
from segue.serve.exchange import Request, Response, answer
from segue.serve.mending import mended_ask
from segue.serve.messages import Ask, Listed
from segue.serve.metrics import Counters
from segue.serve.parsing import BYTES, parse_ask
from segue.serve.problems import Refusal
from segue.serve.released import Released, check_surface
from segue.serve.settings import ServeSettings
from segue.serve.weighing import Weighing

ASKED = "segue.asked"  # in the context of a decision with a request id: a digest of what it was asked for


class SurfacesEndpoint:
    """Decides, or finds the decision that stands for the request id already, by whichever worker it was made."""

    def __init__(
        self,
        journal: Journal,
        weighing: Weighing,
        released: Released,
        access: Access,
        counters: Counters,
        settings: ServeSettings,
        normalise: Normalise,
    ) -> None:
        self._normalise = normalise
        self._journal = journal
        self._weighing = weighing
        self._released = released
        self._access = access
        self._counters = counters
        self._settings = settings

    async def __call__(self, request: Request) -> Response:
        self._access.need(request)
        expect_json(request)
        ask = parse_ask(await request.body(min(BYTES, self._settings.max_body_bytes)))
        return answer(listed(self.decided(request.tail, ask)))

    def decided(self, surface: str, ask: Ask) -> Decision:
        """The decision that stands for this request: made now, or earlier."""
        ask = mended_ask(ask, self._normalise)
        release = self._released.needed()
        check_surface(release, surface)
        try:
            standing = self._standing(surface, ask)
            self._counters.count("decisions" if standing is None else "decisions_repeated")
            if standing is None:
                standing = self._journal.record([self._made(release, surface, ask)])[0]
                self._counters.count("fallbacks", int(bool(standing.fallback)))
        except (SegueError, OSError) as error:
            raise _unavailable(error) from error
        if not _is_of(standing, ask):
            raise Refusal(
                "request_id_reused",
                f"{ask.request_id!r} was another request: of another person, with another `history` or `k`",
                where="request_id",
                mend="give every request an id of its own, such as a UUID",
            )
        return standing

    def previewed(self, surface: str, ask: Ask) -> Decision:
        """A list for the page, in the variants that fall to the person. It is kept without them: who was only looked
        at took part in no experiment.
        """
        release = self._released.needed()
        check_surface(release, surface)
        try:
            made = self._made(release, surface, mended_ask(ask, self._normalise))
            self._journal.record([msgspec.structs.replace(made, assignments={})])
        except (SegueError, OSError) as error:
            raise _unavailable(error) from error
        self._counters.count("decisions")
        self._counters.count("fallbacks", int(bool(made.fallback)))
        return made

    def _standing(self, surface: str, ask: Ask) -> Decision | None:
        return None if ask.request_id is None else self._journal.by_request(surface, ask.request_id)

    def _made(self, release: LoadedRelease, surface: str, ask: Ask) -> Decision:
        person = person_key(ask.user, ask.visitor)
        question = Question(
            surface=surface,
            request_id=ask.request_id or uuid.uuid4().hex,
            now=datetime.now(UTC),
            user=ask.user,
            visitor=ask.visitor,
            past=self._weighing.by(release.events).history(person) if person else (),
            history=ask.history or (),
            context=ask.context,
            k=ask.k,
        )
        decision = release.decide(question)
        if ask.request_id is None:
            return decision
        return msgspec.structs.replace(decision, context={**decision.context, ASKED: _digest(ask)})


def _is_of(decision: Decision, ask: Ask) -> bool:
    """Whether this is the decision that was asked for: a bare `history` names nobody, but it is somebody's."""
    if (decision.user, decision.visitor) != (ask.user, ask.visitor):
        return False
    return ask.request_id is None or decision.context.get(ASKED, _digest(ask)) == _digest(ask)


def _digest(ask: Ask) -> str:
    return blake2b(msgspec.json.encode((ask.user, ask.visitor, ask.history, ask.k)), digest_size=12).hexdigest()


def listed(decision: Decision) -> Listed:
    """A decision as the answer to the one who asked."""
    return Listed(
        decision=decision.id,
        request_id=decision.request_id,
        time=decision.time,
        surface=decision.surface,
        release=decision.release,
        policy=decision.policy,
        assignments=decision.assignments,
        items=decision.shown,
        fallback=decision.fallback,
    )


def _unavailable(error: Exception) -> Refusal:
    return Refusal("journal_unavailable", str(error), mend="send the same again", headers=((b"retry-after", b"1"),))
