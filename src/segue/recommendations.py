"""A list for one person, as Python, a terminal, a notebook and a file show it."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, Protocol

from segue.domain.catalog import Item
from segue.domain.decisions import Decision
from segue.domain.errors import SegueError

FORMATS = (".csv", ".jsonl", ".parquet")
ROW: dict[str, Any] = {"position": 0, "item": "", "title": "", "score": 0.0, "source": "", "reason": ""}
EVERYBODY: dict[str, Any] = {"person": "", "kind": ""} | ROW


@dataclass(frozen=True, repr=False)
class Recommendations:
    """A decision with the titles of its items. Iterating gives the item ids, best first."""

    decision: Decision
    catalog: Mapping[str, Item]
    title: str

    def __iter__(self) -> Iterator[str]:
        return (shown.item for shown in self.decision.shown)

    def __len__(self) -> int:
        return len(self.decision.shown)

    def __str__(self) -> str:
        """One line an item, as `print` shows it."""
        lines = [f"{row['position']:>3}  {row['title']}  ({row['reason']})" for row in self.rows()]
        return "\n".join([self.title, *([self.fallback] if self.fallback else []), *lines])

    def __repr__(self) -> str:
        return f"<{len(self)} recommendations {self.title}>"

    @property
    def items(self) -> list[str]:
        """The item ids, best first."""
        return list(self)

    @property
    def fallback(self) -> str:
        """Why the list is not a personal one; empty where it is."""
        return self.decision.fallback

    @property
    def by(self) -> str:
        """Which sources the items are of, such as "ease and popularity"; empty where there are no items."""
        return " and ".join(dict.fromkeys(shown.source for shown in self.decision.shown))

    def rows(self, *, explain: bool = True) -> list[dict[str, Any]]:
        """One row an item: position, item, title, score, source and, where asked for, the reason.

        Positions are those that people count, from 1; of `decision`, and of events that answer it, they are from 0.
        """
        rows = []
        for shown in self.decision.shown:
            row: dict[str, Any] = {"position": shown.position + 1, "item": shown.item}
            row |= {"title": self._title(shown.item), "score": shown.score, "source": shown.source}
            rows.append(row | {"reason": shown.reason.text} if explain else row)
        return rows

    def as_dict(self) -> dict[str, Any]:
        """Everything that is known of the list, for JSON."""
        import msgspec

        return {
            "title": self.title,
            "fallback": self.fallback,
            "items": [
                row | {"contributions": msgspec.to_builtins(shown.reason)}
                for row, shown in zip(self.rows(), self.decision.shown, strict=True)
            ],
        }

    def write(self, path: str | Path) -> None:
        """Write the rows to a .csv, .jsonl or .parquet file."""
        with writer(Path(path), ROW) as write:
            write(self.rows())

    def _title(self, item: str) -> str:
        found = self.catalog.get(item)
        return found.title if found and found.title else item

    def _repr_html_(self) -> str:
        """The list as a notebook shows it."""
        cells = "".join(
            f"<tr><td style='color:#888'>{row['position']}</td><td><b>{escape(row['title'])}</b></td>"
            f"<td>{escape(row['reason'])}</td><td style='color:#888'>{escape(row['source'])}</td>"
            f"<td style='text-align:right;color:#888'>{row['score']:.4g}</td></tr>"
            for row in self.rows()
        )
        note = f"<p style='color:#b60'>{escape(self.fallback)}</p>" if self.fallback else ""
        head = "".join(f"<th style='text-align:left'>{name}</th>" for name in ("", "item", "why", "source", "score"))
        return f"<h4>{escape(self.title)}</h4>{note}<table><thead><tr>{head}</tr></thead><tbody>{cells}</tbody></table>"


def refuse_format(path: Path, more: tuple[str, ...] = ()) -> None:
    """A `SegueError` where a file has none of the endings that rows, or `more`, can be written to."""
    if path.suffix not in (*more, *FORMATS):
        raise SegueError(
            f"'{path.suffix}' is not a format that this can be written in",
            where=str(path),
            mend=f"give the file one of the endings {', '.join((*more, *FORMATS))}",
        )


class writer:  # noqa: N801 - reads as a verb: `with writer(path, like) as write`
    """Write batches of rows of one shape to a .csv, .jsonl or .parquet file: it is there whole, or not at all.

    `like` is a row of that shape, so that a file without rows has its columns too.
    """

    def __init__(self, path: Path, like: Mapping[str, Any]) -> None:
        refuse_format(path)
        self.path = path
        self.partial = path.with_name(f".{path.name}.partial")
        kinds: dict[str, Callable[[Path, Mapping[str, Any]], _Sink]]
        kinds = {".csv": _Csv, ".jsonl": _JsonLines, ".parquet": _Parquet}
        self.sink = kinds[path.suffix](self.partial, like)

    def __enter__(self) -> Callable[[Iterable[dict[str, Any]]], None]:
        return self.write

    def write(self, rows: Iterable[dict[str, Any]]) -> None:
        """Add a batch of rows."""
        self.sink.write(list(rows))

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self.sink.close()
        except BaseException:  # such as for want of room for the last rows
            self.partial.unlink(missing_ok=True)
            raise
        if kind is not None:
            self.partial.unlink(missing_ok=True)
        else:
            self.partial.replace(self.path)


class _Sink(Protocol):
    """What rows are written to."""

    def write(self, rows: list[dict[str, Any]]) -> None: ...

    def close(self) -> None: ...


class _Csv:
    def __init__(self, path: Path, like: Mapping[str, Any]) -> None:
        self.file = path.open("w", newline="", encoding="utf-8")
        self.rows = csv.DictWriter(self.file, fieldnames=list(like))
        self.rows.writeheader()

    def write(self, rows: list[dict[str, Any]]) -> None:
        self.rows.writerows(rows)

    def close(self) -> None:
        self.file.close()


class _JsonLines:
    def __init__(self, path: Path, like: Mapping[str, Any]) -> None:  # noqa: ARG002 - siblings of one shape
        self.file = path.open("w", encoding="utf-8")
        self.encode = json.JSONEncoder(ensure_ascii=False).encode

    def write(self, rows: list[dict[str, Any]]) -> None:
        self.file.writelines(self.encode(row) + "\n" for row in rows)

    def close(self) -> None:
        self.file.close()


class _Parquet:
    def __init__(self, path: Path, like: Mapping[str, Any]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.schema = pa.Table.from_pylist([dict(like)]).schema
        self.file = pq.ParquetWriter(path, self.schema)

    def write(self, rows: list[dict[str, Any]]) -> None:
        import pyarrow as pa

        self.file.write_table(pa.Table.from_pylist(rows, schema=self.schema))

    def close(self) -> None:
        self.file.close()
