"""One table of the lake as a lazy frame that can be looked at, sampled and profiled without reading all of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import polars as pl

from segue.data.explore.html import html_table
from segue.domain import columns
from segue.domain.errors import DataError

if TYPE_CHECKING:
    from segue.data.lake.snapshot import Snapshot
    from segue.data.profile.tables import TableProfile

SHOWN = 10  # rows in a notebook


class LazyTable:
    """A table of the lake, read when something is collected.

    Everything that a `polars.LazyFrame` can do works here (`filter`, `group_by`, `join`, `collect`, ...) and gives
    polars frames; `lazy()` is that frame. `narwhals.from_native`, `pl.DataFrame`, `pyarrow.table` and whatever else
    speaks the Arrow stream protocol take it as it is.
    """

    def __init__(self, snapshot: Snapshot, name: str) -> None:
        self.name = name
        self._snapshot = snapshot
        self._frame: pl.LazyFrame = getattr(snapshot, name)()

    def __len__(self) -> int:
        """How many rows there are; of events, without reading them."""
        if self.name == "events":
            return self._snapshot.events_count
        return int(self._frame.select(pl.len()).collect(engine="streaming").item())

    def __repr__(self) -> str:
        return f"<{self.name}: {len(self):,} rows, {len(self.schema)} columns>"

    def __getattr__(self, name: str) -> Any:
        """What a `polars.LazyFrame` can do."""
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._frame, name)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The rows as an Arrow stream."""
        return self._frame.collect(engine="streaming").__arrow_c_stream__(requested_schema)

    def __narwhals_lazyframe__(self) -> object:
        """The frame as narwhals takes it; called by narwhals alone."""
        import narwhals

        return narwhals.from_native(self._frame)._compliant_frame

    @property
    def schema(self) -> pl.Schema:
        """Names and types of the columns."""
        return self._frame.collect_schema()

    def lazy(self) -> pl.LazyFrame:
        """The polars frame."""
        return self._frame

    def join(self, other: LazyTable | pl.LazyFrame, *words: Any, **options: Any) -> pl.LazyFrame:
        """As `polars.LazyFrame.join`; `other` may be another table of the lake."""
        return self._frame.join(other.lazy(), *words, **options)

    def head(self, n: int = SHOWN) -> pl.DataFrame:
        """Some rows, read from as few files as they need."""
        if self.name == "events":  # decoded are only those that are shown
            return self._snapshot.decoded(self._snapshot.coded_events().head(n)).collect()
        return self._frame.head(n).collect()

    def sample(self, n: int | None = None, *, people: int | None = None, seed: int = 0) -> pl.DataFrame:
        """`n` rows, or `people` people with all their rows, drawn without replacement; the same seed, the same rows.

        A row is drawn by the hash of its content, so the sample does not depend on how the files lie.
        """
        if (n is None) == (people is None):
            raise DataError("a sample is of `n` rows or of `people`", where=self.name, mend="give one of the two")
        if (n or people or 0) < 0:
            raise DataError(f"a sample has no {n or people} rows or people", where=self.name, mend="give 0 or more")
        rows, decoded = self._undecoded()
        drawn = _people(rows, self._snapshot, people, seed) if people is not None else _drawn(rows, n or 0, seed)
        return decoded(drawn).collect(engine="streaming")

    def profile(self) -> TableProfile:
        """Each column with its type, what is missing, how many values differ, their distribution and the top ones."""
        from segue.data.profile.tables import profile_table

        return profile_table(self._snapshot, self.name)

    def _undecoded(self) -> tuple[pl.LazyFrame, Callable[[pl.LazyFrame], pl.LazyFrame]]:
        """The rows to draw from, and what makes ids of the codes of those that were drawn."""
        if self.name == "events":
            return self._snapshot.coded_events(), self._snapshot.decoded
        return self._frame, lambda rows: rows

    def _repr_html_(self) -> str:
        """The columns, how many rows there are and the first of them, as a notebook shows it."""
        return html_table(self.head(SHOWN), self.name, [f"{len(self):,} rows, {len(self.schema)} columns"])


def _drawn(rows: pl.LazyFrame, n: int, seed: int) -> pl.LazyFrame:
    """The `n` rows with the smallest hashes: a sample without replacement (bottom-k, Cohen 1997)."""
    key = pl.col(columns.ID) if columns.ID in rows.collect_schema() else pl.struct(pl.all())
    return rows.with_columns(key.hash(seed).alias("drawn")).bottom_k(n, by="drawn").drop("drawn")


def _people(rows: pl.LazyFrame, snapshot: Snapshot, people: int, seed: int) -> pl.LazyFrame:
    """All rows of people that are drawn by the hashes of their keys, as `person_key` names them."""
    schema = rows.collect_schema()
    names = [name for name in (columns.USER, columns.VISITOR) if name in schema]
    if not names:
        raise DataError("these rows are of nobody", where="sample", mend="sample(n) draws rows")
    keys = [pl.col(name) if schema[name].is_integer() else pl.lit(f"{name[0]}:") + pl.col(name) for name in names]
    met = rows.select(pl.coalesce(keys).alias("person")).drop_nulls().unique()
    if schema[names[0]].is_integer():
        known = snapshot.dictionary("person_ids").lazy()
        met = met.join(known, left_on="person", right_on=columns.CODE).select("person", columns.ID)
    else:
        met = met.with_columns(pl.col("person").alias(columns.ID))
    chosen = _drawn(met, people, seed).collect(engine="streaming")["person"]
    return rows.filter(pl.coalesce(keys).is_in(chosen.implode()))
