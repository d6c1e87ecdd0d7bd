"""OpenSearch User Behavior Insights (UBI), version 1.3: what people searched for, and what they did with what came.

Specification: event.schema.json and query.request.schema.json of https://github.com/o19s/ubi/tree/main/schema/1.3.0.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from segue.data.maps.identify import IDENTIFY, WEIGHT, identified, says_who
from segue.data.maps.map import REST, Glimpse, ImportMap, LeftOut, Record, Unfit
from segue.data.maps.records import RecordMap, a_name, an_object, first_of
from segue.data.settings import EventColumns, EventSource

TYPES: Final = {
    "click": 1.0,
    "click_through": 1.0,
    "view": 1.0,
    "watch": 1.0,
    "add_to_cart": 3.0,
    "purchase": 5.0,
    "impression": 0.0,
    "search": 0.0,
    IDENTIFY: WEIGHT,
}
ABOUT_OBJECTS: Final = frozenset(TYPES) - {"search", IDENTIFY}  # the action names that the schema itself gives
OBJECT_ID: Final = "event_attributes.object.object_id"


def shape(record: Record) -> Iterator[Record | LeftOut | Unfit]:
    """One event of an event or of a query; a query is a `search`, whose id is the query's, and needs no item."""
    record = _hit(record)
    action = a_name(record.get("action_name"))
    if action is None and "user_query" in record:
        yield record | {"action_name": "search", "event_id": first_of(record, "event_id", "query_id")}
        return
    if action is None:
        yield Unfit("neither an action_name nor a user_query", "action_name")
        return
    event = record | {
        "user_id": first_of(record, "user_id", "event_attributes.user_id"),
        "session_id": first_of(record, "session_id", "event_attributes.session_id"),
    }
    if first_of(record, OBJECT_ID) is not None or action in ABOUT_OBJECTS:
        yield event
    elif says_who(action, event["user_id"], event.get("client_id")):
        yield identified(event, "action_name")
    else:
        yield LeftOut(f"{action}: it is about no object")


def _hit(record: Record) -> Record:
    """What an index returned: the document inside, with its id."""
    document = an_object(record.get("_source"))
    return document | {"event_id": record.get("_id")} if document else record


def recognise(glimpse: Glimpse) -> str | None:
    """Events have an action_name and a timestamp, queries a user_query; both have a query_id or a client_id."""
    records = [_hit(record) for record in glimpse.records]
    events = [record for record in records if {"action_name", "timestamp"} <= record.keys()]
    queries = [record for record in records if "user_query" in record and "action_name" not in record]
    share = sum(bool({"query_id", "client_id"} & record.keys()) for record in events + queries) / max(len(records), 1)
    if share < 0.8:
        return None
    return f"{len(events):,} records have action_name and timestamp, {len(queries):,} a user_query, as UBI has them"


SOURCE = EventSource(
    columns=EventColumns(
        user="user_id",
        visitor="client_id",
        item=OBJECT_ID,
        type="action_name",
        time="timestamp",
        id="event_id",
        session="session_id",
        decision="query_id",
        position="event_attributes.position.ordinal",
        context=REST,
    ),
    types=TYPES,
)

UBI = ImportMap(
    "ubi",
    "https://github.com/o19s/ubi/tree/main/schema/1.3.0",
    events=RecordMap(SOURCE, shape, recognise),
)
