"""Gives readers very many inputs: each row is kept exactly or broken with a reason, and nothing crashes.

    python -m tests.fuzz.readers [--inputs 100000] [--seed 1]

Inputs are made by mutation at random, the same for a seed; `tests.fuzz.guided` has atheris make them. The first bytes
of an input choose the dialect, the size of blocks and the reader.
"""

from __future__ import annotations

import argparse
import csv
import io
import random
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl

from segue.data.bulk.lane import Lane, Vocabularies
from segue.data.convert.events import convert_events
from segue.data.lake.lake import Lake
from segue.data.lake.lines import spelled
from segue.data.read.delimited import read_delimited
from segue.data.read.fields import Dialect
from segue.data.read.json_lines import read_json_lines
from segue.data.read.rows import Rows
from segue.data.settings import EventColumns, EventSource
from segue.domain.errors import SegueError
from tests.data_in.reading import blocks_of, everything

NOW = datetime(2026, 6, 1, tzinfo=UTC)
COLUMNS = ["user", "item", "time", "value"]
SOURCE = EventSource(columns=EventColumns(user="user", item="item", time="time", value="value"))
SIZES = (1, 7, 64, 1 << 20)
DELIMITERS = (",", ";", "\t", "::", r"\s+")
SEEDS = (
    b"a,b\n1,2\n",
    b'a;"b;c"\r\n"x""y";z\r\n',
    b"ann,x,2026-05-01T10:00:00Z,1.50\nbob,y,2026-05-01 10:00:00,\n",
    b'{"user": "ann", "item": 1}\n{"user": "b\\u00e9", "more": {"x": [1]}}\n',
    "caf\u00e9\tz\n\xff\t\n".encode("latin-1"),
    b"a::b\n\rc::d\r",
)


def check(data: bytes) -> None:
    """Hold one input against what must be true of every reader; an `AssertionError` or a crash is a find."""
    if len(data) < 3:
        return
    CHECKS[data[0] % len(CHECKS)](data[3:], DELIMITERS[data[1] % len(DELIMITERS)], SIZES[data[2] % len(SIZES)])


def _delimited(text: bytes, delimiter: str, size: int) -> None:
    """The same rows whatever the blocks; each line once, in a row or among the broken ones."""
    old_mac = b"\r" in text.replace(b"\r\n", b"")  # which line ends a text has is told by its first block
    whole, parted = (_read(text, delimiter, each) for each in (1 << 20, 1 << 20 if old_mac else size))
    assert whole == parted
    rows, broken = whole
    lines = [line for line, _, _ in rows] + [row[0] for row in broken]
    assert len(lines) == len(set(lines))
    assert all(reason for _, reason, _ in broken)
    for _, cells, raw in rows:
        if '"' not in raw and delimiter == ",":
            assert list(cells) == raw.split(",")
    if b'"' not in text and b"\r" not in text:
        filled = [number for number, line in enumerate(text.split(b"\n"), 1) if _filled(line, delimiter)]
        assert sorted(lines) == filled[1:]


def _filled(line: bytes, delimiter: str) -> bool:
    return bool(line.strip(b" \t") if delimiter == r"\s+" else line)


def _read(
    text: bytes, delimiter: str, size: int
) -> tuple[list[tuple[int, tuple[str, ...], str]], list[tuple[int, str, str]]]:
    dialect = Dialect.of(delimiter, '"')
    blocks = blocks_of(text, size)
    chunks = list(read_delimited(blocks, dialect, header=True, encoding="utf-8", wanted=everything))
    rows = [
        row
        for chunk in chunks
        for row in zip(chunk.lines.tolist(), chunk.frame.rows(), chunk.raw(np.arange(len(chunk))), strict=True)
    ]
    return rows, sorted((row.line, row.reason, row.raw) for chunk in chunks for row in chunk.broken)


def _round_trip(text: bytes, delimiter: str, size: int) -> None:
    """What the csv module writes comes back exactly."""
    sign = delimiter if len(delimiter) == 1 else ","
    cells = [cell.decode("utf-8", "ignore").replace("\0", "") for cell in text.split(b"\xfe")]
    width = 1 + len(cells) % 3 + 1
    table = [cells[start : start + width] for start in range(0, len(cells) - width + 1, width)]
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=sign, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([COLUMNS[:width], *table])
    dialect = Dialect.of(sign, '"')
    blocks = blocks_of(out.getvalue().encode(), size)
    chunks = list(read_delimited(blocks, dialect, header=True, encoding="utf-8", wanted=everything))
    kept = [row for chunk in chunks for row in chunk.frame.rows()]
    if not any(chunk.broken for chunk in chunks):
        assert kept == [tuple(row) for row in table]
    assert all(list(row) in table for row in kept)


def _json(text: bytes, delimiter: str, size: int) -> None:
    """Each line is in a row or broken."""
    del delimiter
    chunks = list(
        read_json_lines(blocks_of(text, size), encoding="utf-8", wanted=everything, plain=frozenset({"user"}))
    )
    lines = [line for chunk in chunks for line in [*chunk.lines.tolist(), *(row.line for row in chunk.broken)]]
    assert len(lines) == len(set(lines))
    assert all(row.reason for chunk in chunks for row in chunk.broken)


def _lanes(text: bytes, delimiter: str, size: int) -> None:
    """The fast lane makes of every line what the careful way makes of it."""
    sign = delimiter if len(delimiter) == 1 else ","
    source = EventSource(columns=SOURCE.columns, delimiter=sign)
    text = sign.join(COLUMNS).encode() + b"\n" + text
    with tempfile.TemporaryDirectory() as folder:
        words = Vocabularies(Lake(Path(folder)))
        found = Lane(source, "0" * 48, 0, NOW, words).read(blocks_of(text, max(size, 64)), "utf-8", everything)
        if found is None:
            return
        fast = list(found)
        chunks: list[Rows] = list(
            read_delimited([text], Dialect.of(sign, '"'), header=True, encoding="utf-8", wanted=everything)
        )
        careful = [convert_events(rows, source, "0" * 48, 0, NOW) for rows in chunks]
        frames = [words.coded(each.frame) for each in careful]
    wanted = pl.concat(frames, how="diagonal").sort("id")
    spelt = [spelled(words.coded(each.converted.frame), "0" * 48) for each in fast]
    kept = pl.concat(spelt or [wanted.clear()], how="diagonal").sort("id")
    for name in kept.columns:
        assert kept[name].equals(wanted[name].cast(kept[name].dtype)), name
    broken = sorted(row for each in fast for row in each.converted.broken)
    assert broken == sorted(row for each in careful for row in each.broken)


CHECKS: tuple[Callable[[bytes, str, int], None], ...] = (_delimited, _round_trip, _json, _delimited, _lanes)


def tolerant(data: bytes) -> None:
    """As `check`; an error that says what is wrong is an answer too."""
    try:
        check(data)
    except SegueError as error:
        assert error.problem  # noqa: PT017


def mutated(inputs: int, seed: int) -> None:
    """Inputs by mutation at random, the same for a seed."""
    pick = random.Random(seed)
    signs = [bytes([sign]) for sign in b',;\t \n\r"\\{}[]:0123456789TZ.-abNUL\x00\xe9\xff']
    for _ in range(inputs):
        text = bytearray(pick.choice(SEEDS) * pick.randint(1, 3))
        for _ in range(pick.randint(0, 8)):
            place = pick.randint(0, len(text))
            text[place : place + pick.choice((0, 0, 1, 3))] = pick.choice(signs) * pick.choice((1, 1, 1, 2, 40))
        data = bytes(pick.randrange(256) for _ in range(3)) + bytes(text)
        try:
            tolerant(data)
        except BaseException:
            sys.stderr.write(f"the input: {data!r}\n")
            raise


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    said = parser.parse_args()
    mutated(said.inputs, said.seed)


if __name__ == "__main__":
    main()
