"""Parsing: whatever comes, it is an event or a refusal that names the event and the field."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.domain.errors import RequestError
from segue.serve.parsing import DEPTH, ENTRIES, FAULTS, FEW, TEXT, parse_ask, parse_events
from segue.serve.problems import KINDS, Refusal

NOW = datetime(2026, 11, 21, tzinfo=UTC)
GOOD: dict[str, Any] = {"id": "a", "type": "click", "user": "ann", "item": "x"}


def body(value: object) -> bytes:
    return msgspec.json.encode(value)


def refused(content: bytes, most: int = 100) -> Refusal:
    with pytest.raises(Refusal) as caught:
        parse_events(content, NOW, most)
    return caught.value


@pytest.mark.parametrize("shape", [GOOD, [GOOD], {"events": [GOOD]}, [GOOD, {**GOOD, "id": "b", "visitor": "v"}]])
def test_one_event_an_array_or_an_object_of_events(shape: object) -> None:
    events = parse_events(body(shape), NOW, 100)
    assert [event.id for event in events] == ["a", "b"][: len(events)]
    assert events[0].user == "ann"


def test_white_space_around_and_an_empty_array_are_fine() -> None:
    assert parse_events(b" \n[ ]\t", NOW, 100) == []
    assert len(parse_events(b"\r\n " + body(GOOD), NOW, 100)) == 1


def test_an_event_may_talk_about_events() -> None:
    talking = {**GOOD, "session": '"events"', "context": {"events": [1]}}
    assert parse_events(body(talking), NOW, 100)[0].context == {"events": [1]}


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "bad_json"),
        (b"{", "bad_json"),
        (b"\xef\xbb\xbf{}", "bad_json"),
        (b'{"id": NaN}', "bad_json"),
        (body(GOOD) + b"x", "bad_json"),
        (b'[{"id":"a"', "bad_json"),
        (b'"a\xff"', "bad_utf8"),
        (b'{"id":"\xff","type":"x","user":"u"}', "bad_utf8"),
        (b'[{"id":"\xff","type":3}]', "bad_utf8"),
        (b'{"id":"\\ud800","type":"x","user":"u"}', "bad_json"),
        (b"[" * 100_000, "too_deep"),
        (b'{"id":"a","type":"x","context":{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}}", "too_deep"),
        (b"3", "invalid_event"),
        (b"null", "invalid_event"),
        (b'"text"', "invalid_event"),
        (b"{}", "invalid_event"),
        (b'{"events": 3}', "invalid_event"),
        (b'{"events": [], "more": 1}', "invalid_event"),
        (body([GOOD] * 101), "too_large"),
    ],
)
def test_what_is_no_event_is_refused_by_its_code(content: bytes, code: str) -> None:
    assert refused(content).code == code


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"id": ""}, "id"),
        ({"id": "x" * 257}, "id"),
        ({"id": 3}, "id"),
        ({"type": None}, "type"),
        ({"user": None}, "user"),
        ({"user": ""}, "user"),
        ({"user": "a\x00b"}, "user"),
        ({"item": ["x"]}, "item"),
        ({"time": "yesterday"}, "time"),
        ({"time": "2026-01-01T00:00:00"}, "time"),
        ({"time": "2026-11-23T00:00:00Z"}, "time"),
        ({"time": "9999-12-31T23:59:59-10:00"}, "time"),
        ({"time": "0001-01-01T00:00:00+10:00"}, "time"),
        ({"value": "3"}, "value"),
        ({"position": -1}, "position"),
        ({"position": 1.5}, "position"),
        ({"context": []}, "context"),
        ({"context": {"a": "x" * (TEXT + 1)}}, "context.a"),
        ({"context": {"a": [2**70]}}, "context.a[0]"),
        ({"context": {str(name): 1 for name in range(ENTRIES + 1)}}, "context"),
        ({"usr": "ann"}, "usr"),
    ],
)
def test_a_fault_names_its_event_and_field(change: dict[str, Any], field: str) -> None:
    refusal = refused(body([GOOD, {**GOOD, **change}]))
    assert refusal.code == "invalid_event"
    assert [(fault.index, fault.field) for fault in refusal.errors] == [(1, field)]
    assert refusal.where.startswith("event 1")


def test_every_broken_event_is_named_up_to_a_number_where_looking_ends() -> None:
    refusal = refused(body([GOOD, *({"id": str(index)} for index in range(3))]))
    assert [fault.index for fault in refusal.errors] == [1, 2, 3]
    assert "(and 2 more)" in refusal.problem
    refusal = refused(body([{"id": str(index)} for index in range(50)]))
    assert [fault.index for fault in refusal.errors] == list(range(FAULTS))
    assert f"at least {FAULTS - 1} more" in refusal.problem


def repeated(start: bytes, part: bytes, end: bytes) -> bytes:
    """As much of a part as a body may hold."""
    return start + (part + b",") * ((8 * 1024 * 1024 - 200) // (len(part) + 1)) + part + end


IN_CONTEXT = b'{"id":"a","type":"x","user":"u","context":{"a":['


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "code"),
    [
        (repeated(b"[", b"1", b"]"), "too_large"),
        (repeated(b"[", b"{}", b"]"), "too_large"),
        (repeated(b'{"events":[', b"[]", b"]}"), "too_large"),
        (repeated(b"[", b'{"id":"a","type":"x","user":"u"}', b"]"), "too_large"),
        (repeated(IN_CONTEXT, b"0", b"]}}"), "too_large"),
        (repeated(b"[" + IN_CONTEXT, b"{}", b"]}}]"), "too_large"),
        (repeated(b"[", IN_CONTEXT + b"{}," * 100_000 + b"1]}}", b"]"), "invalid_event"),
        (repeated(b'{"events":1,', b'"a":1', b"}"), "invalid_event"),
        (b'{"' + b"x" * 8_000_000 + b'":1}', "too_large"),
    ],
    ids=["numbers", "objects", "envelope", "events", "context", "context in an array", "contexts", "names", "a name"],
)
def test_a_large_bad_body_is_refused_before_it_takes_room(content: bytes, code: str) -> None:
    """Counted in what is allocated, which does not depend on the machine; the body itself has 8 MB."""
    tracemalloc.start()
    try:
        refusal = refused(content, 10_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert refusal.code == code
    assert peak < 24 * 1024 * 1024
    assert len(str(refusal)) < 1_000


def test_a_context_is_counted_before_it_is_walked_through() -> None:
    content = b'{"user":"ann","context":{"a":[' + b"0," * 200_000 + b"0]}}"
    tracemalloc.start()
    try:
        with pytest.raises(Refusal, match=f"more than {ENTRIES} values"):
            parse_ask(content)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * 1024 * 1024  # the list of 200,001 numbers itself has 1.6 MB


def test_a_context_of_as_many_values_as_are_allowed_is_taken() -> None:
    values = {"a": list(range(ENTRIES - 1))}
    assert parse_events(body({**GOOD, "context": values}), NOW, 1)[0].context == values
    assert refused(body({**GOOD, "context": {**values, "b": 1}})).code == "invalid_event"


def test_a_long_array_of_good_events_is_taken_whole_and_in_order() -> None:
    events = [{**GOOD, "id": str(index), "context": {"at": "x" * 100}} for index in range(3_000)]
    assert len(body(events)) > FEW
    assert [event.id for event in parse_events(body(events), NOW, 3_000)] == [event["id"] for event in events]
    assert refused(body(events), 2_999).code == "too_large"


def test_a_wrong_name_is_told_the_nearest() -> None:
    assert "did you mean `user`?" in refused(body({**GOOD, "usr": "ann"})).problem


def test_a_context_of_the_allowed_depth_is_taken_and_one_deeper_is_not() -> None:
    def nested(depth: int) -> bytes:
        context: Any = 1
        for _ in range(depth):
            context = {"a": context}
        return body({**GOOD, "context": context})

    assert parse_events(nested(DEPTH), NOW, 1)
    assert refused(nested(DEPTH + 1)).code == "too_deep"


def test_times_before_1970_and_a_few_hours_ahead_are_fine() -> None:
    for time in ("1903-05-01T00:00:00Z", "2026-11-21T20:00:00+02:00"):
        assert parse_events(body({**GOOD, "time": time}), NOW, 1)


@pytest.mark.parametrize(
    ("ask", "code"),
    [
        (b'{"user":"ann"', "bad_json"),
        (b"[]", "invalid_request"),
        (b"{}", "invalid_request"),
        (b'{"user":"ann","visitor":"v"}', "invalid_request"),
        (b'{"user":"ann","history":[]}', "invalid_request"),
        (b'{"user":"ann","k":0}', "invalid_request"),
        (b'{"user":"ann","k":201}', "invalid_request"),
        (b'{"user":"ann","k":"many"}', "invalid_request"),
        (b'{"user":"ann","n":5}', "invalid_request"),
        (b'{"user":"a\\nb"}', "invalid_request"),
        (b'{"history":["' + b'x","' * 1_001 + b'"]}', "invalid_request"),
        (b'{"user":"ann","request_id":""}', "invalid_request"),
    ],
)
def test_what_is_no_ask_is_refused(ask: bytes, code: str) -> None:
    with pytest.raises(Refusal) as caught:
        parse_ask(ask)
    assert caught.value.code == code
    assert KINDS[code].status in range(400, 500)


def test_an_ask_for_a_history_that_is_empty_is_an_ask() -> None:
    assert parse_ask(b'{"history": []}').history == []


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
_almost = st.fixed_dictionaries(
    {"id": st.just("a") | _json, "type": st.just("x") | _json},
    optional=dict.fromkeys(("user", "visitor", "item", "time", "value", "position", "context", "more"), _json),
)


_bodies = st.binary(max_size=60) | st.one_of(_json, _almost, st.lists(_almost, max_size=4)).map(msgspec.json.encode)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(_bodies)
def test_nothing_but_events_or_a_refusal_comes_out(content: bytes) -> None:
    parsers: tuple[Callable[[], object], ...] = (lambda: parse_events(content, NOW, 10), lambda: parse_ask(content))
    for parse in parsers:
        try:
            parse()
        except RequestError as error:
            refusal = error
        else:
            continue
        assert 400 <= refusal.status < 500
        assert KINDS[refusal.code].status == refusal.status
