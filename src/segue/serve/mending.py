"""The ids of live events and requests, read as the declaration says that ids of files are."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from segue.data.identity.normalise import live_event, live_id
from segue.data.identity.settings import Normalise
from segue.domain.events import Event
from segue.serve.messages import Ask
from segue.serve.problems import Fault, Refusal


def mended_events(events: Sequence[Event], said: Normalise) -> list[Event]:
    """The events with mended ids; a `Refusal` names the event and the id of which nothing is left."""
    mended = []
    for index, event in enumerate(events):
        try:
            mended.append(live_event(event, said))
        except ValueError as error:
            raise _nothing_left("invalid_event", str(error), index) from error
    return mended


def mended_ask(ask: Ask, said: Normalise) -> Ask:
    """The request with mended ids; a `Refusal` names the field of which nothing is left."""
    if said == Normalise():
        return ask
    try:
        history = None if ask.history is None else [live_id(item, said.items, "history") for item in ask.history]
        user, visitor = live_id(ask.user, said.users, "user"), live_id(ask.visitor, said.users, "visitor")
    except ValueError as error:
        raise _nothing_left("invalid_request", str(error), None) from error
    return msgspec.structs.replace(ask, user=user, visitor=visitor, history=history)


def _nothing_left(code: str, field: str, index: int | None) -> Refusal:
    problem = f"nothing is left of `{field}` when it is read as [identity.normalise] says"
    where = field if index is None else f"event {index}, {field}"
    return Refusal(code, problem, where=where, mend="give it an id", errors=[Fault(problem, field, index)])


__all__ = ["mended_ask", "mended_events"]
