"""What becomes of the events of Segment, Snowplow, UBI, CloudEvents and GA4, written as their specifications say."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from segue.data.settings import EventSource
from tests.data_in.mapping import BATCH, events, taken

WHEN = "2025-03-01T10:00:00.000Z"
MOMENT = datetime(2025, 3, 1, 10, tzinfo=UTC)


def call(number: int, event: str | None, properties: Any, **fields: Any) -> dict[str, Any]:
    """One call of Segment's track."""
    own = {"messageId": f"m{number}", "type": "track", "userId": "ann", "timestamp": WHEN, "properties": properties}
    return own | ({} if event is None else {"event": event}) | fields


SEGMENT_CALLS: list[dict[str, Any]] = [
    call(
        1, "Product Viewed", {"product_id": "mug", "price": 7.50, "brand": "Clay"}, context={"page": {"path": "/mug"}}
    ),
    call(
        2,
        "Order Completed",
        {
            "order_id": "o-1",
            "products": [
                {"product_id": "mug", "price": 7.5, "quantity": 2},
                {"sku": "pan-1", "price": 30, "quantity": 1},
            ],
        },
    ),
    call(3, None, {}, type="page", anonymousId="cookie"),
    call(4, "Products Searched", {"query": "mug"}, userId=None, anonymousId="cookie"),
    call(5, "Product Added", {"price": 3}),
    call(6, "Signed Up", {"plan": "free"}),
]

ACTION = "unstruct_event_com_snowplowanalytics_snowplow_ecommerce_snowplow_ecommerce_action_1"
PRODUCT = "contexts_com_snowplowanalytics_snowplow_ecommerce_product_1"
SCHEMA = "iglu:com.snowplowanalytics.snowplow.ecommerce"
SNOWPLOW_EVENTS: list[dict[str, Any]] = [
    {
        "event_id": "e1",
        "event": "unstruct",
        "event_name": "snowplow_ecommerce_action",
        "collector_tstamp": "2025-03-01T10:00:02.000Z",
        "derived_tstamp": WHEN,
        "domain_userid": "cookie",
        "domain_sessionid": "s1",
        "useragent": "Browser",
        ACTION: {"type": "transaction"},
        PRODUCT: [
            {"id": "mug", "price": 7.5, "quantity": 2, "currency": "EUR", "category": "kitchen"},
            {"id": "pan", "price": 30, "currency": "EUR", "category": "kitchen"},
        ],
    },
    {
        "event_id": "e2",
        "event": "unstruct",
        "collector_tstamp": WHEN,
        "user_id": "ann",
        "unstruct_event": {
            "schema": "iglu:com.snowplowanalytics.snowplow/unstruct_event/jsonschema/1-0-0",
            "data": {"schema": f"{SCHEMA}/snowplow_ecommerce_action/jsonschema/1-0-2", "data": {"type": "list_click"}},
        },
        "contexts": {
            "schema": "iglu:com.snowplowanalytics.snowplow/contexts/jsonschema/1-0-0",
            "data": [
                {
                    "schema": f"{SCHEMA}/product/jsonschema/1-0-0",
                    "data": {"id": "mug", "price": 7.5, "currency": "EUR", "category": "kitchen", "position": 3},
                }
            ],
        },
    },
    {"event_id": "e3", "event": "page_view", "collector_tstamp": WHEN, "domain_userid": "cookie"},
    {
        "event_id": "e4",
        "event": "unstruct",
        "collector_tstamp": WHEN,
        "user_id": "ann",
        ACTION: {"type": "product_view"},
    },
    {
        "event_id": "e5",
        "event": "unstruct",
        "collector_tstamp": WHEN,
        "user_id": "ann",
        ACTION: {"type": "checkout_step"},
    },
]

UBI_RECORDS: list[dict[str, Any]] = [
    {
        "query_id": "q1",
        "client_id": "c1",
        "user_query": "mug",
        "timestamp": WHEN,
        "query_response_hit_ids": ["pan", "mug"],
    },
    {
        "action_name": "click",
        "query_id": "q1",
        "client_id": "c1",
        "session_id": "s1",
        "timestamp": WHEN,
        "message": "of the list",
        "event_attributes": {"object": {"object_id": "mug", "object_id_field": "sku"}, "position": {"ordinal": 2}},
    },
    {
        "_index": "ubi_events",
        "_id": "hit-1",
        "_source": {
            "action_name": "purchase",
            "client_id": "c1",
            "timestamp": WHEN,
            "event_attributes": {"user_id": "ann", "object": {"object_id": 12}, "position": {"xy": {"x": 1, "y": 2}}},
        },
    },
    {"action_name": "login", "client_id": "c1", "timestamp": WHEN},
    {"action_name": "purchase", "client_id": "c1", "timestamp": WHEN},
]

CLOUD_EVENTS: list[dict[str, Any]] = [
    {
        "specversion": "1.0",
        "id": "1",
        "source": "/shop",
        "type": "com.example.viewed",
        "time": WHEN,
        "datacontenttype": "application/json",
        "data": {"user": "ann", "product": {"sku": "mug"}, "page": 3},
    },
    {
        "specversion": "1.0",
        "id": "2",
        "source": "/shop",
        "type": "com.example.bought",
        "time": WHEN,
        "data_base64": base64.b64encode(b'{"user": "ann", "products": [{"sku": "mug"}, {"sku": "pan"}]}').decode(),
    },
    {"specversion": "1.0", "source": "/shop", "type": "com.example.viewed"},
]

GA4_ROWS: list[dict[str, Any]] = [
    {
        "event_date": "20250301",
        "event_timestamp": "1740823200000000",
        "event_name": "purchase",
        "user_pseudo_id": "9.1",
        "user_id": "ann",
        "stream_id": "7",
        "event_params": [
            {"key": "ga_session_id", "value": {"int_value": "55"}},
            {"key": "page_location", "value": {"string_value": "https://shop.example/"}},
        ],
        "ecommerce": {"transaction_id": "T1", "purchase_revenue": 45.0},
        "items": [
            {"item_id": "mug", "price": 7.5, "quantity": "2", "item_list_index": "(not set)", "coupon": "(not set)"},
            {"item_id": "(not set)", "item_name": "Pan", "price": 30.0},
        ],
    },
    {"event_timestamp": 1740823200000001, "event_name": "page_view", "user_pseudo_id": "9.1", "items": []},
    {"event_timestamp": 1740823200000002, "event_name": "search", "user_pseudo_id": "9.1"},
]


def test_segment_gives_one_event_a_product(tmp_path: Path) -> None:
    found = events(tmp_path, "segment", SEGMENT_CALLS)
    assert found.column("id") == ["m1", "m2-0", "m2-1", "m4"]
    assert found.column("item") == ["mug", "mug", "pan-1", None]
    assert found.column("type") == ["Product Viewed", "Order Completed", "Order Completed", "search"]
    assert found.column("value")[:3] == [7.5, 7.5, 30.0]
    assert found.column("quantity")[1:3] == [2.0, 1.0]
    assert found.column("visitor") == [None, None, None, "cookie"]
    assert set(found.column("time")) == {MOMENT}
    assert found.left_out == {"a call of page": 1, "Signed Up: it names no product": 1}
    assert [(row.line, row.reason, row.column) for row in found.broken] == [(5, "no item", "product.product_id")]


def test_an_array_of_calls_is_read_like_lines_of_them(tmp_path: Path) -> None:
    path = tmp_path / "calls.json"
    path.write_text(json.dumps(SEGMENT_CALLS, indent=1))
    found, lines = taken(path, EventSource(map="segment")), events(tmp_path, "segment", SEGMENT_CALLS)
    assert (found.rows, found.left_out, found.reasons) == (lines.rows, lines.left_out, lines.reasons)


def test_what_segment_says_beside_is_kept(tmp_path: Path) -> None:
    found = events(tmp_path, "segment", SEGMENT_CALLS)
    contexts = [json.loads(context) for context in found.column("context")]
    assert contexts[0] == {"type": "track", "context": {"page": {"path": "/mug"}}, "product": {"brand": "Clay"}}
    assert contexts[1]["properties"] == {"order_id": "o-1"}
    assert contexts[3]["properties"] == {"query": "mug"}


def test_products_that_are_none_are_quarantined_alone(tmp_path: Path) -> None:
    calls = [call(1, "Order Completed", {"products": [{"product_id": "mug"}, "pan"]}), call(2, "X", {"products": 3})]
    found = events(tmp_path, "segment", calls)
    assert found.column("item") == ["mug"]
    assert found.reasons == ["product 2 is no object", "properties.products is no list"]


def test_another_column_of_a_product_may_be_the_item(tmp_path: Path) -> None:
    found = events(
        tmp_path, "segment", [call(1, "Product Viewed", {"product_id": "7", "sku": "S"})], item="product.sku"
    )
    assert found.column("item") == ["S"]
    assert json.loads(found.column("context")[0])["product"] == {"product_id": "7"}


def test_snowplow_as_the_sdks_and_as_the_trackers_write_it(tmp_path: Path) -> None:
    found = events(tmp_path, "snowplow", SNOWPLOW_EVENTS)
    assert found.column("id") == ["e1-0", "e1-1", "e2-0"]
    assert found.column("item") == ["mug", "pan", "mug"]
    assert found.column("type") == ["transaction", "transaction", "list_click"]
    assert (found.column("user"), found.column("visitor")) == ([None, None, "ann"], ["cookie", "cookie", None])
    assert set(found.column("time")) == {MOMENT}
    assert found.column("position") == [None, None, 3]
    assert json.loads(found.column("context")[0])["useragent"] == "Browser"
    assert found.left_out == {"page_view: no ecommerce action": 1, "checkout_step: it names no product": 1}
    assert found.reasons == ["no item"]


def test_ubi_queries_are_searches_that_later_events_answer(tmp_path: Path) -> None:
    found = events(tmp_path, "ubi", UBI_RECORDS)
    assert found.column("id") == ["q1", f"{BATCH[:16]}-0000000002.000000", "hit-1"]
    assert found.column("type") == ["search", "click", "purchase"]
    assert found.column("item") == [None, "mug", "12"]
    assert found.column("decision") == ["q1", "q1", None]
    assert found.column("position") == [None, 2, None]
    assert (found.column("user"), set(found.column("visitor"))) == ([None, None, "ann"], {"c1"})
    assert json.loads(found.column("context")[0]) == {"user_query": "mug", "query_response_hit_ids": ["pan", "mug"]}
    assert found.left_out == {"login: it is about no object": 1}
    assert found.reasons == ["no item"]


def test_cloudevents_go_by_what_the_declaration_says_of_their_data(tmp_path: Path) -> None:
    found = events(tmp_path, "cloudevents", CLOUD_EVENTS, user="data.user", item="data.product.sku")
    assert found.column("id") == ["/shop 1", "/shop 2-0", "/shop 2-1"]
    assert found.column("item") == ["mug", "mug", "pan"]
    assert json.loads(found.column("context")[0])["data"] == {"page": 3}
    assert found.reasons == ["no CloudEvent: it has no id"]


def test_ga4_rows_of_json_and_of_parquet_are_the_same(tmp_path: Path) -> None:
    found = events(tmp_path, "ga4", GA4_ROWS)
    assert (found.column("item"), found.column("type")) == (["mug", None], ["purchase", "search"])
    assert (found.column("user")[0], found.column("visitor")[0]) == ("ann", "9.1")
    assert (found.column("time")[0], found.column("session")[0]) == (MOMENT, "9.1.55")
    assert (found.column("value")[0], found.column("quantity")[0]) == (7.5, 2.0)
    context = json.loads(found.column("context")[0])
    assert context["event_params"]["page_location"] == "https://shop.example/"
    assert found.left_out == {"page_view: it has no items": 1}
    assert [(row.line, row.reason) for row in found.broken] == [(1, "no item")]
    path = tmp_path / "events_intraday_20250301.parquet"
    row = GA4_ROWS[0] | {"event_timestamp": 1740823200000000}
    pq.write_table(pa.Table.from_pylist([row]), path)
    parquet = taken(path, EventSource(map="ga4"))
    assert {name: parquet.rows[0][name] for name in ("id", "item", "time", "session", "value")} == {
        name: found.rows[0][name] for name in ("id", "item", "time", "session", "value")
    }


def without_places(**fields: Any) -> dict[str, Any]:
    """A row as older exports have it: several events of one page have one time, and nothing says their order."""
    return {
        "event_timestamp": 1740823200000000,
        "event_name": "add_to_cart",
        "user_pseudo_id": "9.1",
        "event_params": [
            {"key": "page", "value": {"string_value": "/mug", "int_value": None}},
            {"key": "value", "value": {"string_value": None, "int_value": 2}},
        ],
        "items": [{"item_id": "mug", "quantity": 2, "price": 7.5, "coupon": None}],
    } | fields


def test_two_ga4_events_of_one_microsecond_are_two_and_exported_again_the_same_two(tmp_path: Path) -> None:
    rows = [
        without_places(),
        without_places(items=[{"item_id": "mug", "quantity": 3, "price": 7.5}]),
        without_places(event_params=[{"key": "page", "value": {"string_value": "/pan"}}]),
        without_places(event_params=[{"key": "page", "value": {"string_value": "2"}}]),
        without_places(event_params=[{"key": "page", "value": {"int_value": 2}}]),
    ]
    once = events(tmp_path, "ga4", rows).column("id")
    assert len(set(once)) == len(rows)
    path = tmp_path / "again.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    assert taken(path, EventSource(map="ga4")).column("id") == once
    other = without_places(
        event_params=[
            {"key": "value", "value": {"int_value": "2"}},
            {"key": "page", "value": {"string_value": "/mug"}},
        ],
        items=[{"coupon": "(not set)", "price": 7.50, "quantity": "2.0", "item_id": "mug", "item_params": []}],
    )
    assert events(tmp_path, "ga4", [other]).column("id") == once[:1]


def test_the_places_of_a_ga4_event_are_enough_to_tell_it(tmp_path: Path) -> None:
    places = {"batch_page_id": 1, "batch_ordering_id": 2, "batch_event_index": 1}
    one, same = without_places(**places), without_places(**places, event_params=[])
    other = without_places(**{**places, "batch_event_index": 2})
    ids = events(tmp_path, "ga4", [one, same, other]).column("id")
    assert (ids[0] == ids[1], ids[0] == ids[2]) == (True, False)
