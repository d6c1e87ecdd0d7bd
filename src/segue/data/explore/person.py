"""One person's whole story: what they did and when, in which sessions, with what, and what the models see of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec
import polars as pl

from segue.data.explore.html import html_table
from segue.data.identity.nearest import nearest, offer
from segue.data.identity.sessions import sessions
from segue.data.identity.settings import SessionSettings
from segue.domain import columns
from segue.domain.errors import UnknownName
from segue.domain.events import person_key
from segue.domain.requests import NO_TIME

if TYPE_CHECKING:
    from segue.data.histories.index import Past
    from segue.data.histories.state import UserState
    from segue.data.lake.snapshot import Snapshot

TOP: Final = 10
LAST: Final = 20


@dataclass(frozen=True)
class Person:
    """What is known of one person.

    types       how many events of each type, the commonest first
    sessions    how many, by the log's own names or by gaps; None where there are neither names nor times
    categories  how many events with an item of each category, the commonest first
    items       the same for items, by title where there is one
    attributes  from the user table
    last        the newest events that models see, newest first: time, type, item, title, weight
    seen        how many events the models see (what weighs 0, such as impressions, they do not)
    """

    id: str
    kind: str
    events: int
    first: datetime | None
    latest: datetime | None
    types: dict[str, int]
    sessions: int | None
    categories: dict[str, int]
    items: dict[str, int]
    attributes: dict[str, Any]
    last: tuple[dict[str, Any], ...]
    seen: int

    def sentences(self) -> list[str]:
        """The story in a few lines."""
        types = ", ".join(f"{name} {count:,}" for name, count in self.types.items())
        told = [f"{self.kind} {self.id}: {_counted(self.events, 'event')}" + (f" ({types})" if types else "")]
        if self.first and self.latest:
            days = (self.latest - self.first).days + 1
            told.append(f"from {self.first:%Y-%m-%d} to {self.latest:%Y-%m-%d}, {_counted(days, 'day')}")
        if self.sessions is not None:
            told.append(f"in {_counted(self.sessions, 'session')}")
        if self.categories:
            told.append("mostly " + ", ".join(f"{name} ({count:,})" for name, count in self.categories.items()))
        told.append(f"models see {_counted(self.seen, 'event')} of this person")
        return told

    def rows(self) -> list[dict[str, Any]]:
        """The newest events that models see, newest first."""
        return list(self.last)

    def __repr__(self) -> str:
        return f"<{self.kind} {self.id}: {self.events:,} events>"

    def _repr_html_(self) -> str:
        """The story, as a notebook shows it."""
        known = [f"{name}: {value}" for name, value in self.attributes.items()]
        table = html_table(pl.DataFrame(self.rows()), "what models see, newest first", []) if self.last else ""
        return html_table(pl.DataFrame(), self.id, [*self.sentences(), *known]) + table


def describe(snapshot: Snapshot, state: UserState, name: str, gap_minutes: float = 30.0) -> Person:
    """The person called `name`, a user or, where there is no such user, a visitor; `UnknownName` where neither.

    Sessions are those of `sessions`: the log's own, and of events without one by gaps of `gap_minutes`.
    """
    kind, key, code = _found(snapshot, name)
    events = _events(snapshot, kind, code)
    titles, categories = _catalog(snapshot, events)
    past = state.history(key)
    return Person(
        id=name,
        kind=kind,
        events=events.height,
        first=_moment(events[columns.TIME].min()),
        latest=_moment(events[columns.TIME].max()),
        types=_counts(events[columns.TYPE]),
        sessions=_sessions(events, kind, gap_minutes),
        categories=_counts(events[columns.ITEM].replace_strict(categories, default=[]).explode()) if categories else {},
        items={titles.get(item, item): count for item, count in _counts(events[columns.ITEM]).items()},
        attributes=_attributes(snapshot, name) if kind == "user" else {},
        last=tuple(_told(event, titles) for event in past[-1 : -LAST - 1 : -1]),
        seen=len(past),
    )


def _found(snapshot: Snapshot, name: str) -> tuple[str, str, int]:
    known = snapshot.dictionary("person_ids").lazy()
    keys = {person_key(name, None): "user", person_key(None, name): "visitor"}
    met = known.filter(pl.col(columns.ID).is_in(list(keys))).sort(columns.ID).collect()
    for key, code in met.select(columns.ID, columns.CODE).iter_rows():
        return keys[key], key, code
    advice = (offer(nearest(snapshot, name)), "see some with: project.events.head()")
    raise UnknownName(f"no user or visitor is called '{name}' in the lake", mend=" ".join(filter(None, advice)))


def _events(snapshot: Snapshot, kind: str, code: int) -> pl.DataFrame:
    """The person's events; one who has an id as a user and as a visitor is the user alone."""
    return snapshot.decoded(snapshot.coded_events().filter(pl.col(kind) == code)).collect(engine="streaming")


def _catalog(snapshot: Snapshot, events: pl.DataFrame) -> tuple[dict[str, str], dict[str, list[str]]]:
    touched = events[columns.ITEM].drop_nulls().unique()
    items = snapshot.items().filter(pl.col(columns.ID).is_in(touched.implode())).collect()
    rows = items.select(columns.ID, columns.TITLE, columns.CATEGORIES).rows()
    return {each: title for each, title, _ in rows if title}, {each: list(labels or ()) for each, _, labels in rows}


def _counts(values: pl.Series) -> dict[str, int]:
    counted = values.drop_nulls().alias("value").value_counts().sort("count", "value", descending=[True, False])
    return dict(counted.head(TOP).iter_rows())


def _sessions(events: pl.DataFrame, kind: str, gap_minutes: float) -> int | None:
    """How many there are as `sessions` parts them; a visitor's events are one person's here, whoever it became."""
    own = events.with_columns(pl.lit(None, pl.String).alias(columns.USER)) if kind == "visitor" else events
    return sessions(own.lazy(), SessionSettings(gap_minutes=gap_minutes)).collect().height or None


def _attributes(snapshot: Snapshot, name: str) -> dict[str, Any]:
    rows = snapshot.users().filter(pl.col(columns.ID) == name).collect()
    return msgspec.json.decode(rows[columns.ATTRIBUTES][0] or "{}") if rows.height else {}


def _told(event: Past, titles: dict[str, str]) -> dict[str, Any]:
    time = None if event.time == NO_TIME else datetime.fromtimestamp(event.time / 1e6, UTC).isoformat(" ", "seconds")
    title = titles.get(event.item, "")
    return {"time": time, "type": event.type, "item": event.item, "title": title, "weight": event.weight}


def _moment(value: Any) -> datetime | None:
    return value if isinstance(value, datetime) else None


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}" + ("" if count == 1 else "s")
