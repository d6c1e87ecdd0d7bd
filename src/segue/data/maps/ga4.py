"""Google Analytics 4 as it is exported to BigQuery, JSON or Parquet: `events_YYYYMMDD`, `events_intraday_YYYYMMDD`.

Specification: https://support.google.com/analytics/answer/7029846.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal, DecimalException
from hashlib import blake2b
from typing import Any, Final

import msgspec

from segue.data.maps.identify import IDENTIFY, WEIGHT, identified, says_who
from segue.data.maps.map import REST, Glimpse, ImportMap, LeftOut, Record, Unfit
from segue.data.maps.records import RecordMap, a_name, an_object, exploded
from segue.data.settings import EventColumns, EventSource

TYPES: Final = {
    "view_item": 1.0,
    "select_item": 1.0,
    "view_item_list": 0.0,
    "view_promotion": 0.0,
    "select_promotion": 0.0,
    "add_to_wishlist": 2.0,
    "add_to_cart": 3.0,
    "view_cart": 0.0,
    "remove_from_cart": 0.0,
    "begin_checkout": 3.0,
    "add_shipping_info": 0.0,
    "add_payment_info": 0.0,
    "purchase": 5.0,
    "refund": 0.0,
    "search": 0.0,
    IDENTIFY: WEIGHT,
}
ABOUT_ITEMS: Final = frozenset({"view_item", "select_item", "add_to_wishlist", "add_to_cart", "purchase"})
STARTS: Final = "session_start"  # says who it is where the user was known from the start
NOT_SET: Final = "(not set)"  # what the export writes for nothing
PARAMETERS: Final = ("event_params", "user_properties")

# What tells one event from all others: the export has no id. Events that were sent together have one timestamp, so the
# places within what was sent belong to it; where the export has no such places, what the event says has to do.
PLACES: Final = ("batch_page_id", "batch_ordering_id", "batch_event_index")
TELLING: Final = ("stream_id", "user_pseudo_id", "event_timestamp", "event_name", *PLACES)
NUMBERS: Final = ("price", "quantity", "item_revenue", "item_refund")  # of an item, also in US dollars


def shape(event: Record) -> Iterator[Record | LeftOut | Unfit]:
    """The events of one row: one for each of its items. A search is kept without any."""
    name = a_name(event.get("event_name"))
    if name is None:
        yield Unfit("no event_name", "event_name")
        return
    given = event.get("items")
    items = given if isinstance(given, list) else []
    parameters = {key: _parameters(event.get(key)) for key in PARAMETERS if event.get(key)}
    rest = {key: value for key, value in event.items() if key != "items"} | parameters
    rest |= {"event_id": _id(event), "session": _session(event, parameters)}
    if items:
        yield from exploded(rest, [_item(item) for item in items], "item", "event_id")
    elif given is not None and not isinstance(given, list):
        yield Unfit("items is no list", "items")
    elif name in ABOUT_ITEMS or name == "search":
        yield rest
    elif says_who(IDENTIFY if name == STARTS else name, event.get("user_id"), event.get("user_pseudo_id")):
        yield identified(rest, "event_name")
    else:
        yield LeftOut(f"{name}: it has no items")


def _item(item: Any) -> Any:
    if not isinstance(item, dict):
        return item
    return {key: value for key, value in item.items() if value != NOT_SET}


def _parameters(given: Any) -> Any:
    """`{"key": value}` of the list of keys with a value of one of four types; as it is where it is no such list."""
    if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
        return given
    return {str(each.get("key")): _value(each.get("value")) for each in given}


def _value(given: Any) -> Any:
    if not isinstance(given, dict):
        return given
    kinds = ("string_value", "int_value", "float_value", "double_value")
    return next((given[kind] for kind in kinds if given.get(kind) is not None), None)


def _session(event: Record, parameters: Record) -> str | None:
    """A session's number is its own only together with who it is of."""
    number = a_name(an_object(parameters.get("event_params")).get("ga_session_id"))
    person = a_name(event.get("user_pseudo_id"))
    return None if number is None or person is None else f"{person}.{number}"


def _id(event: Record) -> str:
    told = [event.get(name) for name in TELLING] + [an_object(event.get("ecommerce")).get("transaction_id")]
    if any(event.get(name) is None for name in PLACES):
        told.append(_said(event))
    return blake2b("\n".join(map(str, told)).encode(errors="replace"), digest_size=16).hexdigest()


def _said(event: Record) -> str:
    """What an event says, written in one way whatever it was exported as: numbers as such, nothing left empty, the
    parameters by name, the items in their order."""
    given = event.get("items")
    items = given if isinstance(given, list) else []
    said = (_named(event.get("event_params")), [_plain_item(item) for item in items])
    return msgspec.json.encode(said, order="deterministic").decode()


def _plain_item(item: Any) -> Any:
    if not isinstance(item, dict):
        return _plain(item)
    told = {name: _number(value) if _is_number(name) else _plain(value) for name, value in _item(item).items()}
    if "item_params" in told:
        told["item_params"] = _named(item["item_params"])
    return {name: value for name, value in told.items() if value not in (None, "", [], {})}


def _is_number(name: str) -> bool:
    return name.removesuffix("_in_usd") in NUMBERS


def _named(given: Any) -> Any:
    """The parameters by name and kind: a JSON export writes whole numbers as text, Parquet has them as they are."""
    if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
        return _plain(given)
    return sorted([str(each.get("key")), *_kinds(each.get("value"))] for each in given)


def _kinds(value: Any) -> list[str]:
    if not isinstance(value, dict):
        return ["", str(value)]
    return [
        text
        for kind, each in sorted(value.items())
        if each is not None
        for text in (kind, str(each) if kind == "string_value" else _number(each))
    ]


def _number(value: Any) -> str:
    """A number as one text, so that "2", 2 and 2.0 are one; what is none stays as it is written."""
    if value is None:
        return ""
    try:
        return str(Decimal(str(value)).normalize())
    except DecimalException:
        return str(value)


def _plain(value: Any) -> Any:
    """The same without what is empty."""
    if isinstance(value, dict):
        return {str(name): _plain(each) for name, each in value.items() if each not in (None, "", [], {})}
    return [_plain(each) for each in value] if isinstance(value, list) else value if value is None else str(value)


def recognise(glimpse: Glimpse) -> str | None:
    """Every row of the export has these three columns."""
    share = glimpse.share("event_name", "event_timestamp", "user_pseudo_id")
    if share < 0.8:
        return None
    return f"{share:.0%} of the rows have event_name, event_timestamp and user_pseudo_id, as GA4's export has"


SOURCE = EventSource(
    columns=EventColumns(
        user="user_id",
        visitor="user_pseudo_id",
        item="item.item_id",
        type="event_name",
        time="event_timestamp",
        value="item.price",
        quantity="item.quantity",
        id="event_id",
        session="session",
        position="item.item_list_index",
        context=REST,
    ),
    time_format="epoch_us",
    types=TYPES,
)

GA4 = ImportMap(
    "ga4",
    "https://support.google.com/analytics/answer/7029846",
    events=RecordMap(SOURCE, shape, recognise),
)
