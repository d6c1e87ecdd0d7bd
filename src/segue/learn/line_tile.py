"""The innermost sums over scattered lines of factors: what stays in registers, which no compiler finds by itself."""

from __future__ import annotations

from typing import Any

from numba import types
from numba.extending import intrinsic

from segue.learn.vectors import (
    INDEX,
    LANES,
    arrays_of,
    everywhere,
    load,
    multiply_add,
    over,
    shape_of,
    store,
    total,
    widen,
)

WIDE = 4  # vectors of a wide tile: 64 columns


@intrinsic
def add_tile(typing: Any, codes: Any, weights: Any, lines: Any, column: Any, sums: Any, vectors: Any) -> Any:  # noqa: ARG001
    """sums[c] += weights[n] * lines[codes[n], c] over all n, in this order, for the columns of a tile.

    codes int32[n], weights float32[n], lines float32[rows, columns], sums float32[columns]. The tile begins at `column`
    and has `vectors` times 16 columns; that is a number in the code, not a variable.
    """
    if not isinstance(vectors, types.IntegerLiteral):
        return None  # Numba asks again, with the number
    count = vectors.literal_value

    def generated(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        widen(builder)
        which, weight, matrix, all_sums = arrays_of(context, builder, signature, arguments, (0, 1, 2, 4))
        begin = builder.gep(all_sums.data, [arguments[3]])

        def add(at: Any, old: list[Any]) -> list[Any]:
            by = everywhere(builder, builder.load(builder.gep(weight.data, [at])))
            line = _tile_of(builder, which, matrix, arguments[3], at)
            return [multiply_add(builder, by, load(builder, line, each), old[each]) for each in range(count)]

        first = [load(builder, begin, each) for each in range(count)]
        for each, vector in enumerate(over(builder, shape_of(builder, which)[0], add, first)):
            store(builder, vector, begin, each)
        return context.get_dummy_value()

    return types.void(codes, weights, lines, types.int64, sums, vectors), generated


@intrinsic
def multiply_tile(typing: Any, codes: Any, lines: Any, column: Any, direction: Any, products: Any, vectors: Any) -> Any:  # noqa: ARG001
    """products[n] += the sum of lines[codes[n], c] * direction[c] over the columns of a tile; see `add_tile`."""
    if not isinstance(vectors, types.IntegerLiteral):
        return None
    count = vectors.literal_value

    def generated(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        widen(builder)
        which, matrix, all_along, found = arrays_of(context, builder, signature, arguments, (0, 1, 3, 4))
        begin = builder.gep(all_along.data, [arguments[2]])
        along = [load(builder, begin, each) for each in range(count)]

        def multiply(at: Any, _: list[Any]) -> list[Any]:
            line = _tile_of(builder, which, matrix, arguments[2], at)
            dot = builder.fmul(load(builder, line, 0), along[0])
            for each in range(1, count):
                dot = multiply_add(builder, load(builder, line, each), along[each], dot)
            entry = builder.gep(found.data, [at])
            builder.store(builder.fadd(builder.load(entry), total(builder, dot)), entry)
            return []

        over(builder, shape_of(builder, which)[0], multiply, [])
        return context.get_dummy_value()

    return types.void(codes, lines, types.int64, direction, products, vectors), generated


def _tile_of(builder: Any, codes: Any, lines: Any, column: Any, at: Any) -> Any:
    """Where the tile begins in the line that the code at this place names."""
    line = builder.sext(builder.load(builder.gep(codes.data, [at])), INDEX)
    return builder.gep(lines.data, [builder.add(builder.mul(line, shape_of(builder, lines)[1]), column)])


__all__ = ["LANES", "WIDE", "add_tile", "multiply_tile"]
