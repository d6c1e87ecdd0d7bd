"""From bytes to typed requests: broken input becomes a refusal that names the event, the field and what was found."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn, TypeVar

import msgspec

from segue.domain.events import Event
from segue.serve.messages import Ask, Events
from segue.serve.problems import Fault, Refusal

DEPTH = 8  # of the values in `context`
TEXT = 4_096  # characters of one string in `context`
ENTRIES = 256  # values in one `context`, however deep
FAULTS = 20  # so many are named; more are counted
AHEAD = timedelta(days=1)  # a clock may be wrong by this much

_FIELDS = (*Event.__struct_fields__, *Ask.__struct_fields__)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

Parsed = TypeVar("Parsed")

_event: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)
_events: msgspec.json.Decoder[list[Event]] = msgspec.json.Decoder(list[Event])
_envelope: msgspec.json.Decoder[Events] = msgspec.json.Decoder(Events)
_ask: msgspec.json.Decoder[Ask] = msgspec.json.Decoder(Ask)
_parts: msgspec.json.Decoder[list[msgspec.Raw]] = msgspec.json.Decoder(list[msgspec.Raw])
_names: msgspec.json.Decoder[dict[str, msgspec.Raw]] = msgspec.json.Decoder(dict[str, msgspec.Raw])


def parse_events(body: bytes, now: datetime, most: int) -> list[Event]:
    """The events of a body: one object, an array, or `{"events": [...]}`. All of them are sound, or none is taken.

    An event that does not say when it happened happened when it came.
    """
    first = body.lstrip(b" \t\r\n")[:1]
    if first == b"[":
        events = _decoded(body, _events.decode)
    elif first == b"{" and _is_envelope(body):
        events = _decoded(body, _envelope.decode).events
    elif first == b"{":
        events = [_decoded(body, _event.decode)]
    else:
        _refuse_what_is_not_json(body, "one event, an array of events, or an object with `events`")
    if len(events) > most:
        raise Refusal("too_large", f"{len(events):,} events; one request takes {most:,}", mend="send several requests")
    _refuse_unsound(events, now)
    return [event if event.time is not None else msgspec.structs.replace(event, time=now) for event in events]


def parse_ask(body: bytes) -> Ask:
    """Whom to decide for."""
    ask = _decoded(body, _ask.decode, code="invalid_request")
    faults = [Fault(problem, field) for field, problem in _context_faults(ask.context)]
    if sum(part is not None for part in (ask.user, ask.visitor, ask.history)) != 1:
        faults.append(Fault("exactly one of `user`, `visitor` and `history` is needed", "user"))
    faults += [Fault(problem, field) for field, problem in _text_faults(ask, ("user", "visitor", "request_id"))]
    if faults:
        raise _refusal("invalid_request", faults, len(faults))
    return ask


def _is_envelope(body: bytes) -> bool:
    if b'"events"' not in body:
        return False
    try:
        return "events" in _names.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


def _decoded(body: bytes, decode: Callable[[bytes], Parsed], code: str = "invalid_event") -> Parsed:
    """Decode; what is JSON, but not what was asked for, is refused with its faults."""
    with _translated():
        try:
            return decode(body)
        except msgspec.ValidationError as error:
            faults, count = _faults(error, body)
    raise _refusal(code, faults, count)


@contextmanager
def _translated() -> Iterator[None]:
    """Turn every way in which bytes can fail to be JSON into a refusal."""
    try:
        yield
    except msgspec.DecodeError as error:
        raise Refusal("bad_json", str(error), mend="send one JSON value") from error
    except UnicodeDecodeError as error:
        raise Refusal("bad_utf8", "the body holds bytes that are not UTF-8", mend="encode it as UTF-8") from error
    except RecursionError as error:
        raise Refusal("too_deep", "the body is nested too deeply", mend=f"at most {DEPTH} levels") from error


def _refuse_what_is_not_json(body: bytes, wanted: str) -> NoReturn:
    if not body:
        raise Refusal("bad_json", "the body is empty", mend=f"send {wanted}")
    with _translated():
        body.decode()
        found = msgspec.json.decode(body)
    raise Refusal("invalid_event", f"expected {wanted}, found {type(found).__name__}")


def _faults(error: msgspec.ValidationError, body: bytes) -> tuple[list[Fault], int]:
    """What is wrong with each event: msgspec stops at the first, so an array is looked at one by one."""
    problem, _, place = str(error).partition(" - at `$")
    match = re.match(r"(?:\.events)?\[(\d+)\](.*)", place.rstrip("`"))
    if match is None:
        return [Fault(_plain(problem), _field(problem, place.rstrip("`")))], 1
    parts = _parts.decode(body) if body.lstrip()[:1] == b"[" else _parts.decode(_names.decode(body)["events"])
    found, count = [], 0
    for index, part in enumerate(parts):
        try:
            _event.decode(part)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as each:
            count += 1
            if count <= FAULTS:
                problem, _, place = str(each).partition(" - at `$")
                found.append(Fault(_plain(problem), _field(problem, place.rstrip("`")), index))
    return found, count


def _field(problem: str, place: str) -> str:
    if place:
        return place.lstrip(".")
    named = re.search(r"field `([^`]+)`", problem)
    return named[1] if named else ""


def _plain(problem: str) -> str:
    """msgspec's words, as the rest of Segue would say it."""
    if named := re.match(r"Object contains unknown field `([^`]*)`", problem):
        near = difflib.get_close_matches(named[1], _FIELDS, n=1, cutoff=0.5)
        return f"there is no field `{named[1]}`" + (f"; did you mean `{near[0]}`?" if near else "")
    problem = problem.replace("Object missing required field", "missing field")
    return problem[:1].lower() + problem[1:]


def _refuse_unsound(events: list[Event], now: datetime) -> None:
    """What types cannot say: a person is named, times are possible, contexts are bounded."""
    latest = now + AHEAD
    faults, count = [], 0
    for index, event in enumerate(events):
        for field, problem in _event_faults(event, latest):
            count += 1
            if count <= FAULTS:
                faults.append(Fault(problem, field, index))
    if count:
        raise _refusal("invalid_event", faults, count)


def _event_faults(event: Event, latest: datetime) -> Iterator[tuple[str, str]]:
    if event.user is None and event.visitor is None:
        yield "user", "one of `user` and `visitor` is needed"
    if event.time is not None:
        yield from _time_faults(event.time, latest)
    if event.context:
        yield from _context_faults(event.context)
    yield from _text_faults(event, ("id", "type", "user", "visitor", "item", "session", "decision"))


def _time_faults(time: datetime, latest: datetime) -> Iterator[tuple[str, str]]:
    try:
        if time.astimezone(UTC) > latest:
            yield "time", f"{time.isoformat()} is more than a day in the future"
    except OverflowError:
        yield "time", f"{time.isoformat()} lies outside of the years 1 to 9999 in UTC"


def _text_faults(value: Event | Ask, fields: Iterable[str]) -> Iterator[tuple[str, str]]:
    for field in fields:
        text = getattr(value, field)
        if text is not None and not text.isprintable() and _CONTROL.search(text):
            yield field, "control characters are not taken in names"


def _context_faults(context: dict[str, Any]) -> list[tuple[str, str]]:
    """Too deep raises at once; too many or too long are faults."""
    faults: list[tuple[str, str]] = []
    stack: list[tuple[str, Any, int]] = [("context", context, 0)]
    seen = 0
    while stack:
        path, value, depth = stack.pop()
        seen += 1
        if depth > DEPTH:
            raise Refusal("too_deep", f"values lie more than {DEPTH} levels deep", where="context")
        if isinstance(value, dict):
            stack.extend((f"{path}.{name[:64]}", part, depth + 1) for name, part in value.items())
            faults.extend((path, f"a name has more than {TEXT} characters") for name in value if len(name) > TEXT)
        elif isinstance(value, list):
            stack.extend((f"{path}[{place}]", part, depth + 1) for place, part in enumerate(value))
        elif isinstance(value, str) and len(value) > TEXT:
            faults.append((path, f"a text has more than {TEXT} characters"))
        elif isinstance(value, int) and not -(2**63) <= value < 2**63:
            faults.append((path, "a whole number does not fit 64 bits"))
        if seen > ENTRIES:
            return [("context", f"more than {ENTRIES} values")]
    return faults


def _refusal(code: str, faults: list[Fault], count: int) -> Refusal:
    first = faults[0]
    place = f"event {first.index}" if first.index is not None else ""
    where = ", ".join(part for part in (place, first.field) if part)
    more = f" (and {count - 1} more)" if count > 1 else ""
    return Refusal(code, first.problem + more, where=where, mend="correct it and send again", errors=faults)
