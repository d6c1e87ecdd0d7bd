"""Frames as a source: whatever hands over Arrow batches, such as polars, pandas, pyarrow or a DuckDB relation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa

from segue.data.read.part import Part
from segue.data.sources.spool import spooled
from segue.domain.errors import DataError, ReadError, SegueError


class Frame:
    """A frame that is ingested like a file; what could not be kept is in quarantine under its `name`."""

    def __init__(self, frame: Any, table: str) -> None:
        kind = type(frame)
        self.name = f"{table}: a {kind.__module__.split('.')[0]}.{kind.__name__}"
        if hasattr(frame, "collect") and not hasattr(frame, "__arrow_c_stream__"):
            frame = frame.collect()  # a lazy frame
        if not hasattr(frame, "__arrow_c_stream__"):
            raise DataError(
                f"a frame of polars, pandas, pyarrow or DuckDB was expected, found a {kind.__name__}",
                where=f"ingest({table}=…)",
                mend="give what has __arrow_c_stream__",
            )
        self._frame = frame

    def parts(self) -> Iterator[Part]:
        """Its rows; the line of each is its number, from 1."""
        with TemporaryDirectory(prefix="segue-") as folder:
            try:
                reader = pa.RecordBatchReader.from_stream(self._frame)
                part = spooled(reader, Path(folder) / "frame.arrow", self.name, "frame")
            except (OSError, SegueError):
                raise
            except Exception as error:  # a frame's library raises what it likes, such as duckdb.Error
                raise ReadError(
                    f"the frame does not hand over its rows ({error})",
                    where=self.name,
                    mend="columns of Python objects need a type of their own",
                ) from error
            yield part

    def size(self) -> int:
        """Not known."""
        return 0
