"""The rules of benchmarks/quality.py as pandera, pointblank and Great Expectations say them."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from time import perf_counter
from typing import Any

import polars as pl

TYPES = ["view", "cart", "purchase"]
LOW, HIGH = datetime(2024, 12, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
USER, ITEM = "^user-[0-9]{7}$", "^item-0[0-9]{5}$"


def main() -> None:
    tool, folder = sys.argv[1], Path(sys.argv[2])
    import_module({"pandera": "pandera.polars"}.get(tool, tool))  # no part of the time, as for Segue
    began = perf_counter()
    broken = {"pandera": pandera, "pointblank": pointblank, "great_expectations": great_expectations}[tool](folder)
    seconds = perf_counter() - began
    lines = Path("/proc/self/status").read_text().splitlines()
    peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
    print(json.dumps({"seconds": seconds, "peak_mb": round(peak), "broken": broken}))


def _read(folder: Path) -> tuple[pl.DataFrame, list[str]]:
    return pl.read_parquet(folder / "events.parquet"), pl.read_parquet(folder / "items.parquet")["id"].to_list()


def pandera(folder: Path) -> list[int]:
    import pandera.polars as pa

    rows, known = _read(folder)
    product = pa.Check(lambda data: data.lazyframe.select(pl.col("value") * pl.col("quantity") < 2000), name="product")
    schema = pa.DataFrameSchema(
        {
            "id": pa.Column(str, unique=True),
            "user": pa.Column(str, [pa.Check.str_matches(USER)], nullable=False),
            "item": pa.Column(str, [pa.Check.str_matches(ITEM), pa.Check.isin(known)], nullable=False),
            "type": pa.Column(str, pa.Check.isin(TYPES)),
            "value": pa.Column(float, pa.Check.in_range(0.0, 1000.0)),
            "quantity": pa.Column(float, pa.Check.in_range(1.0, 10.0)),
            "time": pa.Column(pl.Datetime("us", "UTC"), pa.Check.in_range(LOW, HIGH)),
        },
        checks=[product],
    )
    found: dict[tuple[str | None, str], int] = {}
    try:
        schema.validate(rows, lazy=True)
    except pa.errors.SchemaErrors as errors:
        for error in errors.schema_errors:
            name = error.check if isinstance(error.check, str) else error.check.name
            column = getattr(error.schema, "name", None)
            found[(column, name)] = error.failure_cases.height if error.failure_cases is not None else -1
    return [
        found.get(key, 0)
        for key in (
            ("id", "field_uniqueness"),
            ("user", "not_nullable"),
            ("item", "not_nullable"),
            ("type", "isin"),
            ("value", "in_range"),
            ("quantity", "in_range"),
            ("time", "in_range"),
            ("user", "str_matches"),
            ("item", "str_matches"),
            ("item", "isin"),
            (None, "product"),
        )
    ]


def pointblank(folder: Path) -> list[int]:
    import pointblank as pb

    rows, known = _read(folder)
    checked = (
        pb.Validate(rows)
        .rows_distinct(columns_subset="id")
        .col_vals_not_null("user")
        .col_vals_not_null("item")
        .col_vals_in_set("type", TYPES)
        .col_vals_between("value", 0.0, 1000.0)
        .col_vals_between("quantity", 1.0, 10.0)
        .col_vals_between("time", LOW, HIGH)
        .col_vals_regex("user", USER)
        .col_vals_regex("item", ITEM, na_pass=True)
        .col_vals_expr(expr=pl.col("item").is_in(known) | pl.col("item").is_null())
        .col_vals_expr(expr=pl.col("value") * pl.col("quantity") < 2000)
        .interrogate(collect_extracts=False)
    )
    return [int(count) for count in checked.n_failed().values()]


def great_expectations(folder: Path) -> list[int]:
    import great_expectations as gx
    from great_expectations import expectations as gxe

    rows, known = _read(folder)
    frame = rows.with_columns(product=pl.col("value") * pl.col("quantity")).to_pandas()
    context = gx.get_context(mode="ephemeral")
    asset = context.data_sources.add_pandas("rows").add_dataframe_asset("events")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
    said = [
        gxe.ExpectColumnValuesToBeUnique(column="id"),
        gxe.ExpectColumnValuesToNotBeNull(column="user"),
        gxe.ExpectColumnValuesToNotBeNull(column="item"),
        gxe.ExpectColumnValuesToBeInSet(column="type", value_set=TYPES),
        gxe.ExpectColumnValuesToBeBetween(column="value", min_value=0.0, max_value=1000.0),
        gxe.ExpectColumnValuesToBeBetween(column="quantity", min_value=1.0, max_value=10.0),
        gxe.ExpectColumnValuesToBeBetween(column="time", min_value=LOW, max_value=HIGH),
        gxe.ExpectColumnValuesToMatchRegex(column="user", regex=USER),
        gxe.ExpectColumnValuesToMatchRegex(column="item", regex=ITEM),
        gxe.ExpectColumnValuesToBeInSet(column="item", value_set=known),
        gxe.ExpectColumnValuesToBeBetween(column="product", max_value=2000, strict_max=True),
    ]
    suite = gx.ExpectationSuite(name="all", expectations=said)
    results = batch.validate(suite, result_format="BASIC").results
    # It answers column by column, in an order of its own.
    found = {_named(result.expectation_config): int(result.result["unexpected_count"]) for result in results}
    return [found[_named(each.configuration)] for each in said]


def _named(configuration: Any) -> tuple[str, str]:
    return configuration.type, configuration.kwargs["column"]


if __name__ == "__main__":
    main()
