"""Snowplow's enriched events as JSON, with the actions and product entities of its ecommerce schemas.

Specifications: https://docs.snowplow.io/docs/fundamentals/canonical-event/ and, in the Iglu Central registry,
com.snowplowanalytics.snowplow.ecommerce/snowplow_ecommerce_action/jsonschema/1-0-2 and .../product/jsonschema/1-0-0.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from segue.data.maps.identify import IDENTIFY, WEIGHT, says_who
from segue.data.maps.map import REST, Glimpse, ImportMap, LeftOut, Record, Unfit
from segue.data.maps.records import RecordMap, a_name, an_object, exploded, first_of
from segue.data.settings import EventColumns, EventSource

TYPES: Final = {
    "product_view": 1.0,
    "list_click": 1.0,
    "list_view": 0.0,
    "promo_view": 0.0,
    "promo_click": 0.0,
    "add_to_cart": 3.0,
    "remove_from_cart": 0.0,
    "checkout_step": 0.0,
    "transaction": 5.0,
    "refund": 0.0,
    "trns_error": 0.0,
    IDENTIFY: WEIGHT,
}
ABOUT_PRODUCTS: Final = frozenset({"product_view", "list_click", "add_to_cart", "remove_from_cart", "transaction"})

# The analytics SDKs name an entity after its schema; warehouses add the minor versions to that name.
ACTION: Final = "unstruct_event_com_snowplowanalytics_snowplow_ecommerce_snowplow_ecommerce_action_1"
ENTITIES: Final = "contexts_com_snowplowanalytics_snowplow_ecommerce_"
PRODUCT: Final = ENTITIES + "product_1"
USER: Final = ENTITIES + "user_1"
NAMED_ANEW: Final = (ACTION, PRODUCT, "user_id", "domain_userid")  # what the event has once more under a shorter name


def shape(event: Record) -> Iterator[Record | LeftOut | Unfit]:
    """The events of one: one for each product entity of an ecommerce action."""
    event = _flat(event)
    action = an_object(_named(event, ACTION))
    kind = a_name(action.get("type"))
    if action and kind is None:
        yield Unfit("the ecommerce action has no type", ACTION)
        return
    users = _list(_named(event, USER))
    person = an_object(users[0]) if users else {}
    known = {
        "action": action,
        "user": first_of(event, "user_id") or person.get("id"),
        "visitor": first_of(event, "domain_userid", "network_userid"),
        "time": first_of(event, "true_tstamp", "derived_tstamp", "dvce_created_tstamp", "collector_tstamp"),
    }
    rest = {key: value for key, value in event.items() if not key.startswith(NAMED_ANEW)} | known
    if not action:
        yield _without_action(rest, a_name(event.get("event_name") or event.get("event")))
        return
    products = _list(_named(event, PRODUCT))
    if products:
        yield from exploded(rest, products, "product", "event_id")
    elif kind in ABOUT_PRODUCTS:
        yield rest
    else:
        yield LeftOut(f"{kind}: it names no product")


def _without_action(event: Record, name: str | None) -> Record | LeftOut:
    """What says who a visitor is counts as an action of its own."""
    if says_who(name, event["user"], event["visitor"]):
        return event | {"action": {"type": IDENTIFY}}
    return LeftOut(f"{name or 'an event'}: no ecommerce action")


def _flat(event: Record) -> Record:
    """The event with self-describing JSON, as trackers send it, named as the SDKs name it."""
    sent = an_object(an_object(event.get("unstruct_event")).get("data"))
    entities = an_object(event.get("contexts")).get("data")
    if not sent and not isinstance(entities, list):
        return event
    flat = {key: value for key, value in event.items() if key not in ("unstruct_event", "contexts")}
    if (name := _column("unstruct_event", sent)) is not None:
        flat[name] = sent.get("data")
    for entity in entities if isinstance(entities, list) else []:
        if (name := _column("contexts", an_object(entity))) is None:
            flat.setdefault("contexts", []).append(entity)
        else:
            flat.setdefault(name, []).append(entity["data"])
    return flat


def _column(kind: str, described: Record) -> str | None:
    """`contexts_com_acme_thing_1` of "iglu:com.acme/thing/jsonschema/1-0-0"."""
    schema = described.get("schema")
    parts = schema.removeprefix("iglu:").split("/") if isinstance(schema, str) else []
    if len(parts) != 4 or "data" not in described:
        return None
    return "_".join((kind, parts[0].replace(".", "_"), parts[1], parts[3].split("-")[0]))


def _named(event: Record, name: str) -> Any:
    return next((value for key, value in event.items() if key.startswith(name)), None)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def recognise(glimpse: Glimpse) -> str | None:
    """Enriched events have an event_id and a collector_tstamp; some are ecommerce actions."""
    share = glimpse.share("event_id", "collector_tstamp")
    actions = sum(bool(_named(_flat(record), ACTION)) for record in glimpse.records)
    if share < 0.8 or not actions:
        return None
    return (
        f"{share:.0%} of the records have event_id and collector_tstamp, as Snowplow's enriched events do, "
        f"and {actions:,} are ecommerce actions"
    )


SOURCE = EventSource(
    columns=EventColumns(
        user="user",
        visitor="visitor",
        item="product.id",
        type="action.type",
        time="time",
        value="product.price",
        quantity="product.quantity",
        id="event_id",
        session="domain_sessionid",
        position="product.position",
        context=REST,
    ),
    types=TYPES,
)

SNOWPLOW = ImportMap(
    "snowplow",
    "https://docs.snowplow.io/docs/events/ootb-data/ecommerce-events/",
    events=RecordMap(SOURCE, shape, recognise),
)
