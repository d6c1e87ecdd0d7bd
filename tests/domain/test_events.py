"""What an event may be on the wire, and who did it."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.domain.events import Event, person_key


def read(text: str) -> Event:
    return msgspec.json.decode(text, type=Event)


def test_the_smallest_event_is_an_id_and_a_type():
    event = read('{"id": "1", "type": "click"}')
    assert (event.user, event.visitor, event.item, event.time, event.context) == (None, None, None, None, {})


@pytest.mark.parametrize(
    "text",
    [
        '{"type": "click"}',
        '{"id": "", "type": "click"}',
        '{"id": "1", "type": ""}',
        '{"id": 1, "type": "click"}',
        '{"id": "1", "type": "click", "usr": "7"}',
        '{"id": "1", "type": "click", "time": "2026-01-01T00:00:00"}',
        '{"id": "1", "type": "click", "time": "yesterday"}',
        '{"id": "1", "type": "click", "position": -1}',
        '{"id": "1", "type": "click", "position": 100001}',
        '{"id": "1", "type": "click", "value": "3"}',
        '{"id": "1", "type": "click", "value": NaN}',
        '{"id": "%s", "type": "click"}' % ("x" * 257),
    ],
)
def test_what_cannot_be_meant_is_refused(text):
    with pytest.raises(msgspec.DecodeError):
        read(text)


def test_a_time_carries_its_zone_and_comes_back_the_same():
    event = read('{"id": "1", "type": "click", "time": "2026-01-01T01:00:00+01:00"}')
    again = msgspec.json.decode(msgspec.json.encode(event), type=Event)
    assert again == event
    assert again.time.utcoffset() is not None


def test_a_known_user_comes_before_the_visitor():
    assert person_key("7", "9") == "u:7"
    assert person_key(None, "9") == "v:9"
    assert person_key(None, None) == ""
    assert read('{"id": "1", "type": "click", "visitor": "9"}').person == "v:9"


@given(st.text(min_size=1), st.text(min_size=1))
def test_a_user_is_never_a_visitor(user, visitor):
    assert person_key(user, None) != person_key(None, visitor)
