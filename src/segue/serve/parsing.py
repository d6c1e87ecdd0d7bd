"""From bytes to typed requests: broken input becomes a refusal that names the event, the field and what was found."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NoReturn, TypeVar

import msgspec

from segue.domain.events import Event
from segue.serve.messages import Ask
from segue.serve.problems import Fault, Refusal

DEPTH = 8  # of the values in `context`
TEXT = 4_096  # characters of one string in `context`
ENTRIES = 256  # values in one `context`, however deep
FAULTS = 20  # so many are named; nothing after them is looked at
BYTES = 512 * 1024  # of one event, and of one request for a list
FEW = 64 * 1024  # bytes; an array of no more has few enough parts to be taken apart without a bound
AHEAD = timedelta(days=1)  # a clock may be wrong by this much

_FIELDS = (*Event.__struct_fields__, *Ask.__struct_fields__)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

Parsed = TypeVar("Parsed")
_Trail = tuple[Any, str | int]  # what lies above (another trail, or None), and a name or a place in it

_event: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)
_ask: msgspec.json.Decoder[Ask] = msgspec.json.Decoder(Ask)
_parts: msgspec.json.Decoder[list[msgspec.Raw]] = msgspec.json.Decoder(list[msgspec.Raw])


class _Named(msgspec.Struct):
    """Finds `events` among whatever other names, and keeps none of them."""

    events: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _Envelope(msgspec.Struct, forbid_unknown_fields=True):
    """`{"events": [...]}`, not looked into."""

    events: msgspec.Raw


_named: msgspec.json.Decoder[_Named] = msgspec.json.Decoder(_Named)
_envelope: msgspec.json.Decoder[_Envelope] = msgspec.json.Decoder(_Envelope)


def parse_events(body: bytes, now: datetime, most: int) -> list[Event]:
    """The events of a body: one object, an array, or `{"events": [...]}`. All of them are sound, or none is taken.

    They are counted and measured before any is decoded, so that what is refused costs little. An event that does not
    say when it happened happened when it came.
    """
    first = body.lstrip(b" \t\r\n")[:1]
    if first == b"[":
        return _several(body, now, most)
    if first != b"{":
        _refuse_what_is_not_json(body, "one event, an array of events, or an object with `events`")
    if not _is_envelope(body):
        return [_one(body, now)]
    inner = bytes(_decoded(body, _envelope.decode).events)
    if inner[:1] != b"[":
        raise Refusal("invalid_event", "expected an array of events", where="events", mend="correct it and send again")
    return _several(inner, now, most)


def parse_ask(body: bytes) -> Ask:
    """Whom to decide for."""
    ask = _decoded(body, _ask.decode, code="invalid_request")
    faults = [Fault(problem, field) for field, problem in _context_faults(ask.context)]
    if sum(part is not None for part in (ask.user, ask.visitor, ask.history)) != 1:
        faults.append(Fault("exactly one of `user`, `visitor` and `history` is needed", "user"))
    faults += [Fault(problem, field) for field, problem in _text_faults(ask, ("user", "visitor", "request_id"))]
    if faults:
        raise _refusal("invalid_request", faults)
    return ask


def _is_envelope(body: bytes) -> bool:
    if b'"events"' not in body:
        return False
    try:
        return _named.decode(body).events is not msgspec.UNSET
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


def _one(body: bytes, now: datetime) -> Event:
    _measure(body, "")
    event = _decoded(body, _event.decode)
    faults = [Fault(problem, field) for field, problem in _event_faults(event, now + AHEAD)]
    if faults:
        raise _refusal("invalid_event", faults)
    return _timed(event, now)


def _several(array: bytes, now: datetime, most: int) -> list[Event]:
    """One after the other, so that a bad array is refused before the rest of it takes any room."""
    events, faults, latest = [], [], now + AHEAD
    with _translated():
        for index, part in enumerate(_taken_apart(array, most)):
            try:
                event = _event.decode(part)
            except msgspec.ValidationError as error:
                faults.append(_fault(error, index))
            else:
                found = [Fault(problem, field, index) for field, problem in _event_faults(event, latest)]
                faults += found
                if not found:
                    events.append(_timed(event, now))
            if len(faults) >= FAULTS:
                break
    if faults:
        raise _refusal("invalid_event", faults)
    return events


def _taken_apart(array: bytes, most: int) -> list[msgspec.Raw]:
    """The parts of an array, undecoded; a `Refusal` where they are too many, or one is too large."""
    if len(array) <= FEW:
        parts = _parts.decode(array)
    else:
        found = msgspec.structs.astuple(_window(most + 1).decode(array))
        parts = [part for part in found if part is not msgspec.UNSET]
    if len(parts) > most:
        raise Refusal("too_large", f"more than {most:,} events in one request", mend="send several requests")
    if len(array) > BYTES:
        for index, part in enumerate(parts):
            _measure(part, f"event {index}")
    return parts


def _measure(part: bytes | msgspec.Raw, where: str) -> None:
    if len(part) > BYTES:
        raise Refusal("too_large", f"an event has at most {BYTES:,} bytes", where=where, mend="send less `context`")


@lru_cache(maxsize=4)
def _window(count: int) -> msgspec.json.Decoder[msgspec.Struct]:
    """Reads the first `count` parts of an array and skips the others, which a list would keep: 60 bytes for each."""
    fields = [(f"part{place}", msgspec.Raw | msgspec.UnsetType, msgspec.UNSET) for place in range(count)]
    return msgspec.json.Decoder(msgspec.defstruct("Window", fields, array_like=True))


def _timed(event: Event, now: datetime) -> Event:
    return event if event.time is not None else msgspec.structs.replace(event, time=now)


def _decoded(body: bytes, decode: Callable[[bytes], Parsed], code: str = "invalid_event") -> Parsed:
    """Decode; what is JSON, but not what was asked for, is refused with its faults."""
    with _translated():
        try:
            return decode(body)
        except msgspec.ValidationError as error:
            fault = _fault(error)
    raise _refusal(code, [fault])


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


def _fault(error: msgspec.ValidationError, index: int | None = None) -> Fault:
    problem, _, place = str(error).partition(" - at `$")
    return Fault(_plain(problem), _field(problem, place.rstrip("`"))[:TEXT], index)


def _field(problem: str, place: str) -> str:
    if place:
        return place.lstrip(".")
    named = re.search(r"field `([^`]+)`", problem)
    return named[1] if named else ""


def _plain(problem: str) -> str:
    """msgspec's words, as the rest of Segue would say it."""
    if named := re.match(r"Object contains unknown field `([^`]*)`", problem):
        name = named[1][:64]
        near = difflib.get_close_matches(name, _FIELDS, n=1, cutoff=0.5)
        return f"there is no field `{name}`" + (f"; did you mean `{near[0]}`?" if near else "")
    problem = problem.replace("Object missing required field", "missing field")
    return problem[:1].lower() + problem[1:]


def _event_faults(event: Event, latest: datetime) -> Iterator[tuple[str, str]]:
    """What types cannot say: a person is named, times are possible, contexts are bounded."""
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
    """Too deep raises at once; too many or too long are faults. Counted before they are walked through."""
    faults: list[tuple[str, str]] = []
    stack: list[tuple[_Trail, Any, int]] = [((None, "context"), context, 0)]
    left = ENTRIES
    while stack:
        trail, value, depth = stack.pop()
        if depth > DEPTH:
            raise Refusal("too_deep", f"values lie more than {DEPTH} levels deep", where="context")
        if isinstance(value, dict | list):
            left -= len(value)
            if left < 0:
                return [("context", f"more than {ENTRIES} values")]
            parts = value.items() if isinstance(value, dict) else enumerate(value)
            stack.extend(((trail, name), part, depth + 1) for name, part in parts)
            if isinstance(value, dict) and any(len(name) > TEXT for name in value):
                faults.append((_path(trail), f"a name has more than {TEXT} characters"))
        elif isinstance(value, str) and len(value) > TEXT:
            faults.append((_path(trail), f"a text has more than {TEXT} characters"))
        elif isinstance(value, int) and not -(2**63) <= value < 2**63:
            faults.append((_path(trail), "a whole number does not fit 64 bits"))
    return faults


def _path(trail: _Trail) -> str:
    """Such as `context.a[0]`; only made where something is wrong there."""
    above, name = trail
    if above is None:
        return str(name)
    return _path(above) + (f"[{name}]" if isinstance(name, int) else f".{name[:64]}")


def _refusal(code: str, faults: list[Fault]) -> Refusal:
    first = faults[0]
    place = f"event {first.index}" if first.index is not None else ""
    where = ", ".join(part for part in (place, first.field) if part)
    least = "at least " if len(faults) >= FAULTS else ""
    more = f" (and {least}{len(faults) - 1} more)" if len(faults) > 1 else ""
    return Refusal(code, first.problem + more, where=where, mend="correct it and send again", errors=faults[:FAULTS])
