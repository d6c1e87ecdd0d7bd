"""Segment's calls as its tracking sends and stores them, with the events of the ecommerce specification, version 2.

Specification: https://segment.com/docs/connections/spec/ecommerce/v2/ and, of a call's own fields, .../spec/common/.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from segue.data.maps.identify import IDENTIFY, WEIGHT, identified, says_who
from segue.data.maps.map import REST, Glimpse, ImportMap, LeftOut, Record, Unfit
from segue.data.maps.records import RecordMap, a_name, an_object, exploded, first_of
from segue.data.settings import EventColumns, EventSource

TYPES: Final = {
    "Product Viewed": 1.0,
    "Product Clicked": 1.0,
    "Product Added": 3.0,
    "Product Removed": 0.0,
    "Product Added to Wishlist": 2.0,
    "Product Removed from Wishlist": 0.0,
    "Wishlist Product Added to Cart": 3.0,
    "Product Shared": 2.0,
    "Product Reviewed": 2.0,
    "Product List Viewed": 0.0,
    "Product List Filtered": 0.0,
    "Cart Viewed": 0.0,
    "Checkout Started": 3.0,
    "Order Updated": 0.0,
    "Order Completed": 5.0,
    "Order Refunded": 0.0,
    "Order Cancelled": 0.0,
    "search": 0.0,
    IDENTIFY: WEIGHT,
}
SEARCHED: Final = "Products Searched"
MAY_LACK: Final = frozenset(  # a product, by the specification
    (
        "Product List Viewed",
        "Product List Filtered",
        "Cart Viewed",
        "Checkout Started",
        "Order Updated",
        "Order Refunded",
        "Order Cancelled",
    )
)
PRODUCT_ID: Final = ("product_id", "sku", "id")
CALLS: Final = ("track", "page", "screen", "identify", "group", "alias")


def shape(call: Record) -> Iterator[Record | LeftOut | Unfit]:
    """The events of one call: one for each product of a list of `products`, else one for the product it is about."""
    kind = call.get("type", "track")
    call = call | {"timestamp": first_of(call, "timestamp", "originalTimestamp", "sentAt", "receivedAt")}
    if kind == IDENTIFY:
        yield _identification(call)
        return
    if kind != "track":
        yield LeftOut(f"a call of {kind}" if kind in CALLS else "a call of another type than track")
        return
    properties = an_object(call.get("properties"))
    event = a_name(call.get("event"))
    if "products" in properties:
        yield from _list(call, properties)
    elif event == SEARCHED:
        yield call | {"event": "search"}
    elif first_of(properties, "product_id", "sku") is not None or (event in TYPES and event not in MAY_LACK):
        yield {key: value for key, value in call.items() if key != "properties"} | {"product": _named(properties)}
    elif says_who(event, call.get("userId"), call.get("anonymousId")):
        yield identified(call, "event")
    else:
        yield LeftOut(f"{event or 'a call without an event'}: it names no product")


def _identification(call: Record) -> Record | LeftOut:
    """Who an anonymous visitor is, without the traits: these are of the user table, and often personal."""
    if not says_who(IDENTIFY, call.get("userId"), call.get("anonymousId")):
        return LeftOut("a call of identify that names not both a userId and an anonymousId")
    return {key: value for key, value in call.items() if key != "traits"} | {"event": IDENTIFY}


def _list(call: Record, properties: Record) -> Iterator[Record | Unfit]:
    products = properties["products"]
    if not isinstance(products, list):
        yield Unfit("properties.products is no list", "properties.products")
        return
    rest = call | {"properties": {key: value for key, value in properties.items() if key != "products"}}
    if not products:
        yield rest
    named = [_named(product) if isinstance(product, dict) else product for product in products]
    yield from exploded(rest, named, "product", "messageId")


def _named(product: Record) -> Record:
    """A product by its product_id, or by the sku where it has none."""
    return product | {"product_id": first_of(product, *PRODUCT_ID)}


def recognise(glimpse: Glimpse) -> str | None:
    """Calls have a messageId, and a type with what belongs to it."""
    calls = [record for record in glimpse.records if record.get("type") in CALLS and _sent(record)]
    share = len(calls) / max(len(glimpse.records), 1)
    if share < 0.8:
        return None
    seen = {a_name(call.get("event")) for call in calls} & {*TYPES, SEARCHED}
    events = ", such as " + ", ".join(map(repr, sorted(map(str, seen))[:4])) if seen else ""
    return f"{share:.0%} of the records are Segment calls, by type, messageId and userId or anonymousId{events}"


def _sent(record: Record) -> bool:
    return ("messageId" in record or "properties" in record) and ("anonymousId" in record or "userId" in record)


SOURCE = EventSource(
    columns=EventColumns(
        user="userId",
        visitor="anonymousId",
        item="product.product_id",
        type="event",
        time="timestamp",
        value="product.price",
        quantity="product.quantity",
        id="messageId",
        position="product.position",
        context=REST,
    ),
    types=TYPES,
)

SEGMENT = ImportMap(
    "segment",
    "https://segment.com/docs/connections/spec/ecommerce/v2/",
    events=RecordMap(SOURCE, shape, recognise),
)
