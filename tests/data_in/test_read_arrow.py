"""Arrow files and streams: their own types, every batch checked before the first row is given."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.data.guess.guess import guess_events
from segue.data.read.read import part_format, read_rows
from segue.data.settings import FileSource
from segue.domain.errors import MissingColumn, ReadError
from tests.data_in.reading import event_source, only, read_all
from tests.data_in.test_read_files import zstd

FRAME = pl.DataFrame({"user": ["a", "b", None], "item": [1, 2, 3], "at": [{"t": datetime(2026, 1, 2, tzinfo=UTC)}] * 3})


def written(path: Path, table: pa.Table, stream: bool = False, rows: int = 2) -> Path:
    """A table as an Arrow file or stream of some batches."""
    make = pa.ipc.new_stream if stream else pa.ipc.new_file
    with make(str(path), table.schema) as writer:
        writer.write_table(table, max_chunksize=rows)
    return path


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("pack", [bytes, zstd])
def test_files_and_streams_keep_their_types(tmp_path: Path, stream: bool, pack: object) -> None:
    path = written(tmp_path / "a.arrow", FRAME.to_arrow(), stream)
    path.write_bytes(pack(path.read_bytes()))  # type: ignore[operator]
    assert part_format(only(path), FileSource()) == "arrow"
    assert read_all(path, FileSource())[0] == FRAME.to_dicts()
    chunks = list(read_rows(path, event_source()))
    assert [line for chunk in chunks for line in chunk.lines.tolist()] == [1, 2, 3]
    assert chunks[0].frame.columns == ["user", "item"]
    assert "Arrow" in guess_events([path]).reasons[0]


def test_a_column_that_is_missing_is_named(tmp_path: Path) -> None:
    path = written(tmp_path / "a.arrow", FRAME.select("user").to_arrow())
    with pytest.raises(MissingColumn, match="no column 'item'"):
        read_all(path, event_source())


@pytest.mark.parametrize("stream", [False, True])
def test_what_breaks_off_is_refused_before_its_first_row(tmp_path: Path, stream: bool) -> None:
    path = written(tmp_path / "a.arrow", pa.table({"user": ["a" * 99] * 50, "item": ["x"] * 50}), stream)
    path.write_bytes(path.read_bytes()[:-900])
    with pytest.raises(ReadError, match="no whole Arrow file"):
        next(read_rows(path, event_source()))


def test_text_that_is_none_is_refused_with_its_column_and_rows(tmp_path: Path) -> None:
    wrong = pa.array([b"a", b"\xff\xfe"], pa.binary()).view(pa.string())
    table = pa.table({"user": pa.array(["a", "b", "c"]), "item": pa.concat_arrays([pa.array(["x"]), wrong])})
    for path in (written(tmp_path / "a.arrow", table), tmp_path / "a.parquet"):
        if path.suffix == ".parquet":
            pq.write_table(table, path)
        with pytest.raises(ReadError, match=r"column 'item', rows \d to \d"):
            next(read_rows(path, event_source()))


def test_the_first_feather_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.feather").write_bytes(b"FEA1" + b"\0" * 60 + b"FEA1")
    with pytest.raises(ReadError, match="first Feather"):
        read_all(tmp_path / "a.feather", event_source())


WHOLE: dict[str, bytes] = {}


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["file", "stream", "parquet"]), st.data())
def test_a_byte_that_lies_is_refused_or_changes_no_shape(
    tmp_path_factory: pytest.TempPathFactory, kind: str, data: st.DataObject
) -> None:
    folder = tmp_path_factory.getbasetemp()
    table = pa.table({"user": ["a", "bb", None] * 9, "item": ["x", "y", "z"] * 9})
    if kind not in WHOLE:
        path = folder / f"whole.{kind}"
        if kind == "parquet":
            pq.write_table(table, path)
        else:
            written(path, table, kind == "stream")
        WHOLE[kind] = path.read_bytes()
    whole = bytearray(WHOLE[kind])
    whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = folder / f"lying.{kind}"
    path.write_bytes(whole)
    with suppress(ReadError, MissingColumn):
        for rows in read_rows(path, event_source(format="parquet" if kind == "parquet" else "arrow")):
            assert len(rows.frame) == len(rows)


def test_a_footer_whose_notes_are_no_text_changes_nothing(tmp_path: Path) -> None:
    """Found by lying bytes: polars ended the process over a key of the schema's metadata."""
    pq.write_table(pa.table({"user": ["a"], "item": ["x"]}), tmp_path / "a.parquet")
    whole = (tmp_path / "a.parquet").read_bytes()
    (tmp_path / "a.parquet").write_bytes(whole.replace(b"ARROW:schema", b"ARROW:sc\xf0ema"))
    (rows,) = read_rows(tmp_path / "a.parquet", event_source())
    assert rows.frame.rows() == [("a", "x")]
