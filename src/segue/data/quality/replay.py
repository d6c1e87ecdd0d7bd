"""Tries held rows again: those that can be taken now come into the lake once and leave quarantine, others stay."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO, cast

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from segue.data.convert.events import Converted, convert_events
from segue.data.convert.items import convert_items, convert_users
from segue.data.ingest.ingest import batch_id
from segue.data.lake.lake import Appended, Lake
from segue.data.lake.layouts import QUARANTINE
from segue.data.lake.refusals import exchange
from segue.data.lake.rows import as_laid_out
from segue.data.maps.registry import resolved
from segue.data.quality.held import Held, Sources
from segue.data.read.again import read_again
from segue.data.read.files import Part
from segue.data.read.places import PLACES
from segue.data.read.read import Kind
from segue.data.read.rows import BROKEN, Broken, Rows
from segue.data.read.text import RAW_KEPT, readable
from segue.data.settings import EventSource, FileSource, ItemSource, UserSource
from segue.domain import columns
from segue.domain.errors import MissingColumn, ReadError

Exchange = Callable[[Lake, Held, list[Broken], datetime], None]

LOST = "only the first 64 KB of the row are kept, and its file is not as it was"


@dataclass
class Replayed:
    """What became of held rows: `tried` lines, `returned` rows that came back, `duplicates` that the lake had already.

    `stays` says how many rows are still in quarantine, by their reason now.
    """

    tried: int = 0
    returned: int = 0
    duplicates: int = 0
    stays: Counter[str] = field(default_factory=Counter)

    def sentence(self) -> str:
        """What happened, for people."""
        known = f", {self.duplicates:,} were in the lake already" if self.duplicates else ""
        return f"{self.returned:,} rows of {self.tried:,} held lines came back{known}, {self.stays.total():,} stay"


def replay(lake: Lake, files: Sequence[Held], sources: Sources, now: datetime) -> Replayed:
    """Read held rows as the sources say now. Call it within `lake.writer()`, with rows that were selected in it.

    Rows keep the ids that their place in the file gives them, and go by the batch that they were refused from: they
    come in once however often this is cut off and repeated, and go with the file's rows where it is read anew. Those
    that stay get their reason now.
    """
    return _tried(lake, files, sources, now, _exchange)


def attempt(lake: Lake, files: Sequence[Held], sources: Sources, now: datetime) -> Replayed:
    """As `replay`, with sources that are not those declared: what does not come back keeps the reason it had."""
    return _tried(lake, files, sources, now, _release)


def _tried(lake: Lake, files: Sequence[Held], sources: Sources, now: datetime, exchange: Exchange) -> Replayed:
    done = Replayed()
    for each in files:
        source = resolved(sources[each.table])
        try:
            taken = _taken(lake, each, source, now.astimezone(UTC))
        except (ReadError, MissingColumn) as error:  # the rows stay, and those of other files are tried
            taken = _refused(each, source, error.problem)
        name = _batch(each, source)
        appended = lake.take(each.table, {name: taken.frame})[name] if taken.frame.height else Appended(0, 0)
        exchange(lake, each, taken.broken, now)
        done.tried += len(each.rows)
        done.returned += appended.rows
        done.duplicates += appended.duplicates
        done.stays.update(row.reason for row in taken.broken)
    return done


def _taken(lake: Lake, each: Held, source: FileSource, now: datetime) -> Converted:
    """What becomes of the held rows of one file."""
    lost = [Broken(line, LOST, None, "") for line, row in each.rows.items() if row is None]
    whole = {line: row for line, row in each.rows.items() if row is not None}
    frames, broken = [], lost
    order = _order(lake, each) if isinstance(source, EventSource) and source.order == "file" else 0
    for rows in _rows(each, whole, source) if whole else ():
        if isinstance(source, EventSource):
            converted = convert_events(rows, source, each.batch, order, now)
        elif isinstance(source, ItemSource):
            converted = convert_items(rows, source, now)
        else:
            converted = convert_users(rows, cast(UserSource, source), now)
        frames.append(converted.frame)
        broken = [*broken, *converted.broken]
    frame = pl.concat(frames, how="vertical_relaxed") if frames else pl.DataFrame({columns.ID: []})
    if each.table != "events" and frame.height:
        frame = frame.unique(columns.ID, keep="last", maintain_order=True).with_columns(_as_it_came(lake, each))
    return Converted(frame, broken)


def _refused(each: Held, source: FileSource, reason: str) -> Converted:
    """No row comes back, for a reason of the whole file's."""
    encoding = each.encoding(source)
    broken = [
        Broken(line, LOST, None, "")
        if row is None
        else Broken(line, reason, None, readable(row.decode(encoding, "replace").encode()))
        for line, row in each.rows.items()
    ]
    return Converted(pl.DataFrame({columns.ID: []}), broken)


def _rows(each: Held, whole: dict[int, bytes], source: FileSource) -> list[Rows]:
    """The rows as the file's reader gives them, on the lines that they have in the file."""
    encoding = each.encoding(source)
    newline, kind = "\n".encode(encoding), _kind(each, whole)
    if kind == "jsonl":  # an element of an array may stand on several lines
        whole = {line: row.replace(newline, " ".encode(encoding)) for line, row in whole.items()}
        source = msgspec.structs.replace(source, format="jsonl", encoding=source.encoding if each.text else "utf-8")
    before = 0 if each.header is None else 1
    texts = ([] if each.header is None else [each.header]) + list(whole.values())
    starts = np.cumsum([1, *(text.count(newline) + 1 for text in texts)], dtype=np.int64)[before:-1]
    lines = np.array(list(whole), np.int64)
    if each.header is None:
        source = msgspec.structs.replace(source, header=False)
    content = newline.join(texts) + newline
    part = Part(each.file, Path(each.file), lambda: cast(BinaryIO, io.BytesIO(content)))
    return [_moved(rows, starts, lines) for rows in read_again(part, source, kind, each.width)]


def _kind(each: Held, whole: dict[int, bytes]) -> Kind | None:
    """What the held rows are written as; None where that is not known, for rows of before."""
    if each.format is not None:
        return each.format if each.format in ("csv", "jsonl") else "jsonl"
    if each.header is not None:
        return "csv"
    return "jsonl" if any(row.lstrip()[:1] == b"{" for row in whole.values()) else None


def _moved(rows: Rows, starts: npt.NDArray[np.int64], lines: npt.NDArray[np.int64]) -> Rows:
    """Rows on the lines of their file, of rows on the lines of a text that has only some of them."""

    def there(here: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        place = np.maximum(np.searchsorted(starts, here, side="right") - 1, 0)
        return np.asarray(lines[place] + here - starts[place])

    moved = there(np.array([row.line for row in rows.broken], np.int64)).tolist()
    broken = [row._replace(line=line) for row, line in zip(rows.broken, moved, strict=True)]
    return replace(rows, lines=there(rows.lines), broken=broken)


def _as_it_came(lake: Lake, each: Held) -> list[pl.Expr]:
    """Moment and order of returned rows of a catalog: before the others of their file, and what came after it."""
    table = lake.tables[each.table]
    files, came, orders = table.files(), each.came, list[int]()
    if files.height:
        files = files.filter((pl.col("min.batch") <= f"{each.batch}~") & (pl.col("max.batch") >= each.batch))
    for path in files["path"] if files.height else ():
        own = table.read(path).filter(pl.col(columns.BATCH).str.split(".").list.first() == each.batch)
        if own.height:
            came = min(came, cast(datetime, own[columns.RECEIVED].min()))
            orders.append(cast(int, own[columns.ORDER].min()) - 1)
    order = min(orders, default=0)
    return [pl.lit(came).alias(columns.RECEIVED), pl.lit(order).alias(columns.ORDER)]


def _order(lake: Lake, each: Held) -> int:
    """What the order of the file's rows begins after, as its rows in the lake tell; else after all there are."""
    events = lake.snapshot().coded_events().filter(pl.col(columns.ORDER).is_not_null())
    made = f"{each.batch[:16]}-"
    line = pl.col(columns.ID).str.slice(len(made), 10).cast(pl.Int64, strict=False)
    own = events.filter(pl.col(columns.ID).str.starts_with(made)).select(pl.col(columns.ORDER) - line)
    found = own.drop_nulls().head(1).collect()
    last = found if found.height else events.select(pl.col(columns.ORDER).max()).collect()
    return int(last.item() or 0)


def _batch(each: Held, source: FileSource) -> str:
    """The name of what comes back: it begins with the batch it was refused from, then tells rows and source."""
    digest = blake2b(batch_id("", source).encode(), digest_size=8)
    for line, row in each.rows.items():
        digest.update(f"{line}:{len(row or b'')}:".encode() + (row or b""))
    return f"{each.batch}.replayed-{digest.hexdigest()}"


def _release(lake: Lake, each: Held, broken: list[Broken], now: datetime) -> None:
    """Take the rows that came back out of quarantine, and leave the others as they are."""
    stay = {row.line for row in broken}
    came = replace(each, rows={line: row for line, row in each.rows.items() if line not in stay})
    if came.rows:
        _exchange(lake, came, [], now)


def _exchange(lake: Lake, each: Held, broken: list[Broken], now: datetime) -> None:
    """Take the rows that were tried out of quarantine, and put those in that stay, in one commit."""
    tried = pl.DataFrame({"line": list(each.rows)}, schema={"line": pl.Int64})
    mine = (pl.col("file") == each.file) & pl.col("line").is_in(tried["line"].implode())

    def stay(before: pl.DataFrame) -> pl.DataFrame:
        return _stays(each, broken, before.unique("line", keep="first"), now) if broken else before.clear()

    exchange(lake.tables["quarantine"], each.batch, mine, stay)


def _stays(each: Held, broken: list[Broken], before: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """Rows that stay, with their reason now and the bytes that were tried; they came when they came."""
    known = {row["line"]: row for row in before.iter_rows(named=True)}
    rows = []
    for row in broken:
        old = known.get(row.line, {})
        content = each.rows.get(row.line)
        if content is None:
            rows.append(old | {"reason": row.reason})
            continue
        fresh = {
            "bytes": content[:RAW_KEPT],
            "length": len(content),
            "offset": old.get("offset"),
            "header": each.header,
            "format": each.format,
            "width": each.width,
        }
        said = dict(zip(BROKEN.names(), row, strict=True)) | {"table": each.table, "file": each.file}
        rows.append({**said, **fresh, columns.BATCH: each.batch, columns.RECEIVED: old.get(columns.RECEIVED, now)})
    frame = pl.DataFrame(rows, schema_overrides={**BROKEN, **PLACES}, infer_schema_length=None)
    return as_laid_out(frame, QUARANTINE)


__all__ = ["Replayed", "attempt", "replay"]
