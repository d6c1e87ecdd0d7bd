"""Features are what the definition says, and none sees its own future."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.data.features.features import Feature, features
from segue.declaration import loads
from segue.domain.errors import DeclarationError, MissingColumn

START = datetime(2026, 3, 1, tzinfo=UTC)
WINDOWS = {"1h": 1.0, "1d": 24.0, "all": float("inf")}
WANTED = {
    "item_views_1d": Feature(of=("item",), types=("view",), window="1d"),
    "user_events_1h": Feature(of=("user",), window="1h"),
    "everything": Feature(),
    "pair": Feature(of=("user", "item")),
    "warm": Feature(kind="decayed", of=("item",), half_life_days=0.5),
    "clicked": Feature(kind="rate", of=("item",), types=("click",), per=("view",), window="1d", strength=3.0),
    "clicked_by_half": Feature(kind="rate", of=("item",), types=("click",), per=("view",), prior=0.5),
    "since": Feature(kind="recency", of=("user",)),
    "items": Feature(kind="distinct", of=("user",), what="item"),
}

hours = st.integers(0, 60)
names = st.sampled_from([None, "a", "b", "c"])
rows = st.fixed_dictionaries(
    {
        "time": hours,
        "late": st.sampled_from([0, 0, 1, 30]),
        "user": names,
        "item": names,
        "type": st.sampled_from(["view", "click", "buy"]),
    }
)
logs = st.lists(rows, max_size=30)
asks = st.lists(st.fixed_dictionaries({"time": hours, "user": names, "item": names}), min_size=1, max_size=10)
clocks = st.sampled_from(["occurred", "received"])


def at(hour: float) -> datetime:
    return START + timedelta(hours=hour)


def log(rows: list[dict[str, Any]]) -> pl.DataFrame:
    made = [
        {**row, "time": at(row["time"]), "received": at(row["time"] + row["late"])} | {"late": None} for row in rows
    ]
    moment = pl.Datetime("us", "UTC")
    kinds = {"time": moment, "received": moment} | dict.fromkeys(("user", "item", "type"), pl.String())
    return pl.DataFrame(made, schema_overrides=kinds) if made else pl.DataFrame(schema=kinds)


def questions(rows: list[dict[str, Any]]) -> pl.DataFrame:
    kinds = {"time": pl.Datetime("us", "UTC"), "user": pl.String(), "item": pl.String()}
    return pl.DataFrame([{**row, "time": at(row["time"])} for row in rows], schema=kinds)


def oracle(rows: list[dict[str, Any]], ask: dict[str, Any], feature: Feature, clock: str) -> float | None:
    """The same by reading the definition aloud."""

    def past(of: tuple[str, ...], types: tuple[str, ...]) -> list[tuple[float, dict[str, Any]]]:
        found = []
        for row in rows:
            moment = row["time"] + (row["late"] if clock == "received" else 0)
            alike = all(row[name] is not None and row[name] == ask[name] for name in of)
            if alike and (not types or row["type"] in types) and 0 < ask["time"] - moment <= WINDOWS[feature.window]:
                found.append((moment, row))
        return found

    met = past(feature.of, feature.types)
    match feature.kind:
        case "count":
            return len(met)
        case "decayed":
            return sum(2 ** -((ask["time"] - moment) / 24 / feature.half_life_days) for moment, _ in met)
        case "recency":
            return min(((ask["time"] - moment) / 24 for moment, _ in met), default=None)
        case "distinct":
            return len({row[feature.what] for _, row in met} - {None})
        case _:
            hits, shown = len(past((), feature.types)), len(past((), feature.per))
            prior = feature.prior if feature.prior is not None else (hits / shown if shown else 0.0)
            return (len(met) + prior * feature.strength) / (len(past(feature.of, feature.per)) + feature.strength)


@given(logs, asks, clocks)
def test_features_are_what_the_definition_says(rows, asked, clock):
    told = features(log(rows), questions(asked), WANTED, clock)
    for name, feature in WANTED.items():
        expected = [oracle(rows, ask, feature, clock) for ask in asked]
        got = told[name].to_list()
        assert [value is None for value in got] == [value is None for value in expected], name
        assert np.allclose(np.array(got, float), np.array(expected, float), equal_nan=True), name


@given(logs, asks, logs, st.integers(0, 60), clocks)
def test_no_feature_sees_its_own_future(rows, asked, others, now, clock):
    """Whatever comes at or after a moment, more of it, less or other: the requests until then are told the same."""
    asked = [ask for ask in asked if ask["time"] <= now]
    past = [row for row in rows if row["time"] + (row["late"] if clock == "received" else 0) < now]
    future = [row for row in others if row["time"] >= now]
    if asked:
        told = [features(log(seen), questions(asked), WANTED, clock) for seen in (past, rows, past + future)]
        assert told[0].equals(told[1])
        assert told[0].equals(told[2])


@given(logs, asks, st.randoms(use_true_random=False))
def test_the_order_of_the_log_does_not_matter(rows, asked, rng):
    other = list(rows)
    rng.shuffle(other)
    assert features(log(rows), questions(asked), WANTED).equals(features(log(other), questions(asked), WANTED))


def test_long_decays_neither_overflow_nor_vanish():
    rows = [{"time": 24 * 365 * year, "late": 0, "user": "a", "item": "a", "type": "view"} for year in range(30)]
    ask = questions([{"time": 24 * 365 * 29 + 1, "user": "a", "item": "a"}])
    warm = {"warm": Feature(kind="decayed", of=("item",), half_life_days=1 / 24)}
    assert features(log(rows), ask, warm)["warm"].to_list() == [0.5]


def test_refusals_name_the_column():
    ask = questions([{"time": 1, "user": "a", "item": "a"}])
    with pytest.raises(MissingColumn, match="the requests have no column 'category'"):
        features(log([]).with_columns(category=pl.lit("x")), ask, {"x": Feature(of=("category",))})
    with pytest.raises(MissingColumn, match="the events have no column 'type'"):
        features(log([]).drop("type"), ask, {"x": Feature(types=("view",))})
    timeless = log([{"time": 1, "late": 0, "user": "a", "item": "a", "type": "view"}])
    with pytest.raises(MissingColumn, match="1 of 1 have none"):
        features(timeless.with_columns(time=pl.lit(None, pl.Datetime("us", "UTC"))), ask, {"x": Feature()})


@pytest.mark.parametrize("feature", [Feature(window="fortnight"), Feature(kind="rate")])
def test_what_makes_no_feature_is_refused(feature):
    with pytest.raises(DeclarationError):
        features(log([]), questions([]), {"x": feature})


USED = {
    "count": {"window"},
    "decayed": {"half_life_days"},
    "rate": {"window", "per", "prior", "strength"},
    "recency": set(),
    "distinct": {"what"},
}
SAID = {"window": "1d", "per": ("view",), "prior": 0.5, "strength": 3.0, "half_life_days": 2.0, "what": "user"}


@pytest.mark.parametrize("kind", USED)
@pytest.mark.parametrize("field", SAID)
def test_a_setting_that_its_kind_does_not_use_is_refused_by_name(kind, field):
    said = Feature(**({"kind": kind, field: SAID[field]} | ({"per": ("view",)} if kind == "rate" else {})))
    if field in USED[kind]:
        return said.check("x")
    with pytest.raises(DeclarationError, match=f'kind = "{kind}" does not use {field}') as refused:
        said.check("x")
    assert refused.value.where == "[features.x]"
    return None


def test_a_declaration_is_refused_for_it_when_it_is_read():
    with pytest.raises(DeclarationError, match='kind = "recency" does not use window, found "7d"') as refused:
        loads('[features.x]\nkind = "recency"\nof = ["user"]\nwindow = "7d"')
    assert 'used by "count" and "rate"' in refused.value.mend


def test_a_feature_that_is_called_like_a_column_of_the_requests_is_refused() -> None:
    events = pl.DataFrame({"time": [START], "received": [START], "user": ["a"], "item": ["x"], "type": ["view"]})
    with pytest.raises(DeclarationError, match="a column 'time' already"):
        features(events, pl.DataFrame({"time": [START], "user": ["a"]}), {"time": Feature()})
