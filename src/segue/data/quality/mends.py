"""Sources as they are declared, with what a person says to read refused rows otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from segue.data.settings import TableSource
from segue.domain.errors import unknown


def with_mends(
    sources: Mapping[str, TableSource], settings: Mapping[str, Any], columns: Mapping[str, str]
) -> dict[str, TableSource]:
    """The sources with other settings and columns, each where it has such; one that none has is an `UnknownName`."""
    for kind, names, known in (
        ("setting", settings, {name for each in sources.values() for name in each.__struct_fields__}),
        ("column", columns, {name for each in sources.values() for name in each.columns.__struct_fields__}),
    ):
        for name in names:
            if name not in known:
                raise unknown(kind, name, known, where="quarantine fix")
    return {table: _mended(source, settings, columns) for table, source in sources.items()}


def _mended(source: TableSource, settings: Mapping[str, Any], columns: Mapping[str, str]) -> TableSource:
    changed = msgspec.structs.replace(source.columns, **_of(source.columns, columns))
    return msgspec.structs.replace(source, **_of(source, settings), columns=changed)


def _of(struct: msgspec.Struct, values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name in struct.__struct_fields__}


__all__ = ["with_mends"]
