"""What a table's log says was committed under each application's id: read once, then only what the log grew by."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from segue.data.lake.files import checkpoint_of

_MARK = b'"txn"'


class Transactions:
    """Versions by application id. deltalake reads the log anew for each that it is asked for, slow for many files."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._read, self._versions = -1, dict[str, int]()

    def forget(self) -> None:
        """Read all anew the next time: an entry may have been taken back."""
        self._read, self._versions = -1, {}

    def of(self, app: str, version: int) -> int | None:
        """What was committed last under an id by this version of the table.

        Raises `OSError` or `ValueError` where the log has it in files that are not read here.
        """
        if version < self._read:
            self.forget()
        if version > self._read:
            try:
                self._read_up_to(version)
            except BaseException:
                self.forget()
                raise
        return self._versions.get(app)

    def _read_up_to(self, version: int) -> None:
        if self._read < 0 or not self._entry(self._read + 1).exists():
            self.forget()
            self._read = self._read_checkpoint(version)
        for number in range(self._read + 1, version + 1):
            entry = self._entry(number).read_bytes()
            for line in entry.splitlines() if _MARK in entry else ():
                if _MARK in line and (transaction := msgspec.json.decode(line).get("txn")):
                    self._note(transaction)
        self._read = version

    def _read_checkpoint(self, version: int) -> int:
        """Take in the last checkpoint, if that is not of a later version; the version that it is of, or -1."""
        path = checkpoint_of(self._log)
        if path is None or int(path.name[:20]) > version:
            return -1
        try:
            found = pq.read_table(path, columns=["txn"]).column("txn").drop_null()
        except (pa.ArrowException, KeyError) as error:
            raise ValueError(str(error)) from error
        for transaction in found.to_pylist():
            self._note(transaction)
        return int(path.name[:20])

    def _note(self, transaction: dict[str, Any]) -> None:
        self._versions[transaction["appId"]] = transaction["version"]

    def _entry(self, version: int) -> Path:
        return self._log / f"{version:020d}.json"


__all__ = ["Transactions"]
