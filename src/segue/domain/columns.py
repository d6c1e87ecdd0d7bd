"""The names of the columns, said once. Everything that reads or writes a table takes its names from here."""

from __future__ import annotations

from typing import Final

# Events and decisions
ID: Final = "id"
USER: Final = "user"
VISITOR: Final = "visitor"
ITEM: Final = "item"
TYPE: Final = "type"
TIME: Final = "time"  # when it happened; missing in logs that have only an order
RECEIVED: Final = "received"  # when Segue learned of it; "as of" means this
VALUE: Final = "value"
QUANTITY: Final = "quantity"
ORDER: Final = "order"  # the row's place in its source, where the declaration says that this is an order
SESSION: Final = "session"
DECISION: Final = "decision"
POSITION: Final = "position"
CONTEXT: Final = "context"
BATCH: Final = "batch"  # which file or drain a row came from
DAY: Final = "day"  # partition: the UTC day of `time`, of `received` where there is none

# Interactions: what learners see
WEIGHT: Final = "weight"

# Dictionaries
CODE: Final = "code"
KIND: Final = "kind"

# Catalog
GROUP: Final = "group"
TITLE: Final = "title"
TEXT: Final = "text"
CATEGORIES: Final = "categories"
PRICE: Final = "price"
CURRENCY: Final = "currency"
RELEASED: Final = "released"
AVAILABLE_FROM: Final = "available_from"
AVAILABLE_TO: Final = "available_to"
IMAGE: Final = "image"
ATTRIBUTES: Final = "attributes"
