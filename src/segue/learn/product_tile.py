"""The innermost product: four rows times 64 items, every sum in a register, which no compiler finds by itself."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from segue.learn.vectors import INDEX, LANES, VECTOR, arrays_of, everywhere, load, multiply_add, shape_of, store, widen

ROWS = 4  # of queries, and
WIDTH = 64  # items of a tile: four vectors of 16 float32 for each row


@intrinsic
def multiply_tile(typing: Any, queries: Any, first: Any, block: Any, scores: Any, bars: Any, reach: Any) -> Any:  # noqa: ARG001
    """scores float32[ROWS, WIDTH] = the rows of queries from `first` on, float32[rows, factors], times the block,
    float32[factors, WIDTH]; bit i of reach[r] uint64[ROWS] says that score i is no less than bars[first + r].

    Written in LLVM's own words, sums in vectors of 16: half again as fast as BLAS on blocks of this size, and without
    threads of its own. Each score is added in the order of the factors: it does not hang on what else is multiplied.
    """
    return types.void(queries, types.int64, block, scores, bars, reach), _generated


@intrinsic
def first_bit(typing: Any, bits: Any) -> Any:  # noqa: ARG001
    """Which bit of a uint64, not 0, is the first that is set."""

    def generated(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), generated


def _generated(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    widen(builder)
    queries, block, scores, bars, reach = arrays_of(context, builder, signature, arguments, (0, 2, 3, 4, 5))
    factors = shape_of(builder, queries)[1]
    lines = [
        builder.gep(queries.data, [builder.mul(builder.add(arguments[1], INDEX(row)), factors)]) for row in range(ROWS)
    ]
    before = builder.basic_block
    loop, after = builder.append_basic_block("factor"), builder.append_basic_block("stored")
    builder.branch(loop)
    builder.position_at_end(loop)
    factor = builder.phi(INDEX)
    factor.add_incoming(INDEX(0), before)
    sums = [builder.phi(VECTOR) for _ in range(ROWS * WIDTH // LANES)]
    added = _added(builder, lines, builder.gep(block.data, [builder.mul(factor, INDEX(WIDTH))]), factor, sums)
    following = builder.add(factor, INDEX(1))
    factor.add_incoming(following, loop)
    for old, new in zip(sums, added, strict=True):
        old.add_incoming(ir.Constant(VECTOR, [0.0] * LANES), before)
        old.add_incoming(new, loop)
    builder.cbranch(builder.icmp_signed("<", following, factors), loop, after)
    builder.position_at_end(after)
    for place, value in enumerate(added):
        store(builder, value, scores.data, place)
    each = WIDTH // LANES
    for row in range(ROWS):
        bar = builder.load(builder.gep(bars.data, [builder.add(arguments[1], INDEX(row))]))
        bits = _reaching(builder, added[row * each : (row + 1) * each], everywhere(builder, bar))
        builder.store(bits, builder.gep(reach.data, [INDEX(row)]))
    return context.get_dummy_value()


def _reaching(builder: Any, vectors: list[Any], bar: Any) -> Any:
    """A bit for each of the scores of a row, the first the lowest: whether it is a number no less than the bar."""
    bits = INDEX(0)
    for place, vector in enumerate(vectors):
        passed = builder.bitcast(builder.fcmp_ordered(">=", vector, bar), ir.IntType(LANES))
        bits = builder.or_(bits, builder.shl(builder.zext(passed, INDEX), INDEX(place * LANES)))
    return bits


def _added(builder: Any, lines: list[Any], items: Any, factor: Any, sums: list[Any]) -> list[Any]:
    """The sums with the products of one factor: of each row with the vectors of the items."""
    vectors = [load(builder, items, place) for place in range(WIDTH // LANES)]
    each = [everywhere(builder, builder.load(builder.gep(line, [factor]))) for line in lines]
    pairs = [(query, vector) for query in each for vector in vectors]
    return [multiply_add(builder, *pair, old) for pair, old in zip(pairs, sums, strict=True)]
