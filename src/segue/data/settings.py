"""What the declaration may say about data: where they are, which columns they have, what an event weighs."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from segue.data.identity.settings import IdentitySettings
from segue.domain.events import IMPRESSION
from segue.domain.settings import Settings

Format = Literal["auto", "csv", "jsonl", "json", "parquet", "arrow"]
Severity = Literal["error", "warning"]


class EventColumns(Settings, frozen=True):
    """Which column of the files holds what. Only `item` and one of `user` and `visitor` are needed.

    `context` is a column of JSON objects, kept as they are; several columns, each kept under its name; or "*", all
    that no other column takes.
    """

    user: str | None = None
    visitor: str | None = None
    item: str | None = None
    type: str | None = None
    time: str | None = None
    value: str | None = None
    quantity: str | None = None
    id: str | None = None
    session: str | None = None
    decision: str | None = None
    position: str | None = None
    context: str | tuple[str, ...] | None = None


class ItemColumns(Settings, frozen=True):
    """Which column of the catalog holds what. Every column that is not named becomes an attribute."""

    id: str = "id"
    title: str | None = None
    text: str | None = None
    categories: str | None = None
    kind: str | None = None
    group: str | None = None
    price: str | None = None
    currency: str | None = None
    released: str | None = None
    available_from: str | None = None
    available_to: str | None = None
    image: str | None = None


class UserColumns(Settings, frozen=True):
    """Which column of the user table is the id. Every other column becomes an attribute."""

    id: str = "id"


class StorageSettings(Settings, frozen=True):
    """Where object stores are. Keys come from the environment only (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, ...).

    endpoint   of a store that is not Amazon's, such as "http://127.0.0.1:9000"
    region     such as "eu-central-1"; found out where it is not said
    anonymous  no keys, for buckets that anybody may read
    """

    endpoint: str | None = None
    region: str | None = None
    anonymous: bool = False


class FileSource(Settings, frozen=True):
    """Files of one shape. `files` are paths, globs, folders or addresses; paths are relative to the workspace folder.

    `format` "auto" goes by each file's name and content; "json" is one array. `.gz`, `.zst`, `.zip` and `.tar.gz` are
    read as what they hold.
    A file with `header = false` has columns called `column_1`, `column_2`, ...

    delimiter  one or more characters, such as "," or "::"; "\\s+" is any run of blanks and tabs
    quote      what a field that holds a delimiter or a line end is put in; "" where quotes mean nothing
    decimal    the sign before the fraction of a number; with "," the points of 1.234,50 part its thousands
    database   "sqlite:///file.db", "duckdb:///file.duckdb" or "postgresql://user@host/name", beside or instead of files
    query      what is asked of it; its rows are read like a file's
    ids        "exact" keeps ids as they are written; "integer" reads 17850.0 as 17850 and leaves all others alone
    identity   what [identity] says; the same for all files of a workspace, and not said anywhere else
    """

    files: tuple[str, ...] = ()
    format: Format = "auto"
    delimiter: str = ","
    encoding: str = "utf-8"
    header: bool = True
    quote: Literal['"', "'", ""] = '"'
    decimal: Literal[".", ","] = "."
    ids: Literal["exact", "integer"] = "exact"
    database: str | None = None
    query: str | None = None
    identity: IdentitySettings = IdentitySettings()


class EventSource(FileSource, frozen=True):
    """Where the events are and how to read them.

    map            the name of a well-known shape of data (docs/maps.md): it says all that is not said here
    time_format    "iso", "epoch_s", "epoch_ms", "epoch_us", "epoch_ns", or a strptime pattern
    timezone       of times that do not carry one
    order          "file" if the order of the rows is the order in which things happened
    type           the type of every event where there is no type column
    negative_type  the type of events with a negative quantity or value, such as "return"; else they are quarantined
    types          what an event of each type weighs for learning; types not named weigh 1, impressions 0
    weight         what the type's weight is multiplied by: nothing ("type"), or the event's `value` or `quantity`
    """

    map: str | None = None
    columns: EventColumns = EventColumns()
    time_format: str = "iso"
    timezone: str = "UTC"
    order: Literal["none", "file"] = "none"
    type: str = "event"
    negative_type: str | None = None
    types: dict[str, Annotated[float, msgspec.Meta(ge=0)]] = msgspec.field(default_factory=dict)
    weight: Literal["type", "value", "quantity"] = "type"

    def type_weight(self, name: str) -> float:
        """What an event of this type weighs."""
        return self.types.get(name, 0.0 if name == IMPRESSION else 1.0)


class ItemSource(FileSource, frozen=True):
    """Where the catalog is and how to read it. `category_separator` parts the categories of one cell.

    map  the name of a well-known shape of catalog (docs/maps.md): it says all that is not said here
    """

    map: str | None = None
    columns: ItemColumns = ItemColumns()
    category_separator: str = "|"
    time_format: str = "iso"


class UserSource(FileSource, frozen=True):
    """Where the user table is and how to read it."""

    columns: UserColumns = UserColumns()


TableSource = EventSource | ItemSource | UserSource  # each has columns of its own


Days = Annotated[int, msgspec.Meta(ge=1)]


class LakeSettings(Settings, frozen=True):
    """How long the lake keeps what; `segue lake retain` and `segue lake vacuum` go by it.

    keep_events_days      events of a day that is longer past leave; nothing leaves where it is not said
    keep_decisions_days   the same of decisions
    keep_quarantine_days  the same of rows that could not be taken, by when they came
    keep_files_days       how long files that no version needs stay, for who still reads them, and old log entries
    """

    keep_events_days: Days | None = None
    keep_decisions_days: Days | None = None
    keep_quarantine_days: Days | None = None
    keep_files_days: Annotated[float, msgspec.Meta(ge=0)] = 7.0


class Rule(Settings, frozen=True):
    """One declared rule of `segue check`; docs/quality.md has every kind with an example.

    table      "events", "items" or "users"
    rule       the kind of rule: "null", "range", "allowed", ... or one that a package adds (entry point `segue.rules`)
    column     the column it looks at, by Segue's name ("item", "value", ...); some kinds need none
    severity   an "error" makes `segue check` exit with 1, a "warning" does not
    threshold  the share of rows (of days for "volume", "cardinality"), 0 to 1, that may break the rule before it counts
    min, max   of "range" (numbers) and "time_range" (ISO times; "now" is allowed)
    values     of "allowed"
    type       of "type": "number", "integer", "string" or "time"
    pattern    of "regex": a regular expression that every cell has to hold
    references of "foreign_key": the table and column that have to have every cell, such as "items.id"
    columns    of "duplicates": what rows are equal in
    within     of "freshness" ("1d"), "clock_skew" and "out_of_order" ("0s"): a number and s, m, h, d or w
    tolerance  of "volume" and "cardinality": how far from the median a day may be, as a share of it [0.5]
    history    of "volume", how many of the same weekday before count [8]; of "cardinality", how many days [28]
    reference  of "drift": days ("2026-01-01/2026-01-31") or a moment of arrival; what came after is held against it
    statistic  of "drift": "psi", "ks" (numbers only) or "js"
    limit      of "drift": what the statistic's interval may not lie above [psi 0.25, ks 0.1, js 0.1]
    expression of "expression": a condition in SQL that has to be true
    """

    table: Literal["events", "items", "users"]
    rule: str
    column: str = ""
    severity: Severity = "error"
    threshold: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0
    min: float | str | None = None
    max: float | str | None = None
    values: tuple[Any, ...] = ()
    type: Literal["number", "integer", "string", "time"] | None = None
    pattern: str | None = None
    references: str | None = None
    columns: tuple[str, ...] = ()
    within: str | None = None
    tolerance: Annotated[float, msgspec.Meta(ge=0)] | None = None
    history: Annotated[int, msgspec.Meta(ge=2)] | None = None
    reference: str | None = None
    statistic: Literal["psi", "ks", "js"] = "psi"
    limit: Annotated[float, msgspec.Meta(ge=0)] | None = None
    expression: str | None = None
