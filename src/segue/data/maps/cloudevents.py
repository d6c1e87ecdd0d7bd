"""CloudEvents, version 1.0: the envelope that says what kind of event it is, from where and when, of anybody's data.

What is the person and what is the item lies in `data`, which the specification leaves open: the declaration names both,
such as `user = "data.customer.id"`, and `segue init` guesses them as it does for any JSON.

Specification: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md and .../formats/json-format.md.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from hashlib import blake2b
from typing import Final

from segue.data.maps.map import REST, Glimpse, ImportMap, LeftOut, Record, Unfit
from segue.data.maps.records import RecordMap, a_name, an_object, exploded
from segue.data.read.json_lines import decoded
from segue.data.settings import EventColumns, EventSource
from segue.domain.columns import ID

NEEDED: Final = ("id", "source", "specversion", "type")
LISTS: Final = {"products": "product", "items": "item", "line_items": "line_item"}  # of what one event is about
LONGEST: Final = 200  # characters of an id; beyond that it is hashed, so that the place in a list still fits


def shape(event: Record) -> Iterator[Record | LeftOut | Unfit]:
    """The event with its data as an object; where these hold a list of products, one for each, as `data.product`."""
    lacking = [name for name in NEEDED if a_name(event.get(name)) is None]
    if lacking:
        yield Unfit(f"no CloudEvent: it has no {lacking[0]}", lacking[0])
        return
    data = an_object(event.get("data")) or _binary(event.get("data_base64"))
    rest = event | {ID: _id(event)}
    if data:
        rest = {key: value for key, value in rest.items() if key != "data_base64"} | {"data": data}
    name = next((name for name in LISTS if _objects(data.get(name))), None)
    if name is None:
        yield rest
        return
    others = {key: value for key, value in data.items() if key != name}
    for made in exploded(rest, data[name], "", ID):
        if isinstance(made, dict):
            made["data"] = others | {LISTS[name]: made.pop("")}
        yield made


def _id(event: Record) -> str:
    """Source and id together are what is different for each event (section "id" of the specification)."""
    whole = f"{event['source']} {event['id']}"
    return whole if len(whole) <= LONGEST else blake2b(whole.encode(errors="replace"), digest_size=16).hexdigest()


def _binary(value: object) -> Record:
    if not isinstance(value, str):
        return {}
    try:
        return decoded(base64.b64decode(value, validate=True).decode()) or {}
    except (binascii.Error, ValueError):
        return {}


def _objects(value: object) -> bool:
    return isinstance(value, list) and any(isinstance(each, dict) for each in value)


def recognise(glimpse: Glimpse) -> str | None:
    """Every CloudEvent has the four attributes that the specification requires."""
    share = glimpse.share(*NEEDED)
    if share < 0.5:
        return None
    return f"{share:.0%} of the records have {', '.join(NEEDED)}, as CloudEvents do"


SOURCE = EventSource(columns=EventColumns(type="type", time="time", id=ID, context=REST))

CLOUDEVENTS = ImportMap(
    "cloudevents",
    "https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md",
    events=RecordMap(SOURCE, shape, recognise),
)
