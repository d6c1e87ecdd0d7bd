"""The innermost counting of bits: 512 items at a time, in vectors of 8 words, for 16 people at once.

Written in LLVM's own words, for the compiler takes such loops apart into single words.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from segue.learn.vectors import INDEX, arrays_of, over, shape_of, widen

WORDS = 8  # of a vector: one line of the cache
SLOTS = 64 * WORDS  # items of a tile
GROUP = 16  # people added at a time
FULL = 254  # groups that the bytes of a state surely hold, and one more
DIGITS = 4  # vectors of a state for the binary digits 1, 2, 4 and 8, and
BITS = 8  # for bytes that count sixteens: byte n of the vector for bit b counts bit b of byte n
STATE = (DIGITS + BITS) * WORDS

BYTES = 8 * WORDS
WORD_VECTOR = ir.VectorType(INDEX, WORDS)
BYTE_VECTOR = ir.VectorType(ir.IntType(8), BYTES)
COUNT_VECTOR = ir.VectorType(ir.IntType(32), BYTES)
LOW = ir.Constant(WORD_VECTOR, [0x0101010101010101] * WORDS)  # the lowest bit of each byte


@intrinsic
def add_groups(typing: Any, table: Any, tile: Any, lines: Any, begin: Any, groups: Any, state: Any) -> Any:  # noqa: ARG001
    """Add `groups` times 16 lines of a tile, those of lines[begin:], to the state: Harley and Seal's tree of carry-save
    adders.

    table uint64[tiles, all lines, WORDS], lines int32, state uint64[STATE]. Item s of a tile is bit 8 (s % 64 % 8) +
    s // 64 of word s % 64 // 8.
    """
    return types.void(table, types.int64, lines, types.int64, types.int64, state), _added_groups


@intrinsic
def add_counts(typing: Any, state: Any, counts: Any) -> Any:  # noqa: ARG001
    """counts[s] += what the state says of item s of the tile; counts int32[SLOTS]."""
    return types.void(state, counts), _added_counts


def _added_groups(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    widen(builder)
    table, lines, state = arrays_of(context, builder, signature, arguments, (0, 2, 5))
    tile, begin, groups = arguments[1], arguments[3], arguments[4]
    start = builder.gep(table.data, [builder.mul(tile, builder.mul(shape_of(builder, table)[1], INDEX(WORDS)))])

    def add(group: Any, before: list[Any]) -> list[Any]:
        first = builder.gep(lines.data, [builder.add(begin, builder.mul(group, INDEX(GROUP)))])
        met = []
        for each in range(GROUP):
            line = builder.sext(builder.load(builder.gep(first, [INDEX(each)])), INDEX)
            met.append(_load(builder, builder.gep(start, [builder.mul(line, INDEX(WORDS))])))
        *digits, sixteens = _added(builder, before[:DIGITS], met)
        return digits + [
            builder.add(counted, _lowest(builder, sixteens, bit)) for bit, counted in enumerate(before[DIGITS:])
        ]

    places = [builder.gep(state.data, [INDEX(each * WORDS)]) for each in range(DIGITS + BITS)]
    for place, vector in zip(
        places, over(builder, groups, add, [_load(builder, each) for each in places]), strict=True
    ):
        _store(builder, vector, place)
    return context.get_dummy_value()


def _added_counts(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    widen(builder)
    state, counts = arrays_of(context, builder, signature, arguments, (0, 1))
    vectors = [_load(builder, builder.gep(state.data, [INDEX(each * WORDS)])) for each in range(DIGITS + BITS)]
    for bit, sixteens in enumerate(vectors[DIGITS:]):
        ones = ir.Constant(WORD_VECTOR, [0] * WORDS)
        for digit, vector in enumerate(vectors[:DIGITS]):
            ones = builder.add(ones, builder.shl(_lowest(builder, vector, bit), _each(digit)))
        place = builder.bitcast(builder.gep(counts.data, [INDEX(bit * BYTES)]), COUNT_VECTOR.as_pointer())
        wide = [builder.zext(builder.bitcast(each, BYTE_VECTOR), COUNT_VECTOR) for each in (sixteens, ones)]
        found = builder.add(builder.mul(wide[0], ir.Constant(COUNT_VECTOR, [GROUP] * BYTES)), wide[1])
        builder.store(builder.add(builder.load(place, align=4), found), place, align=4)
    return context.get_dummy_value()


def _added(builder: Any, digits: list[Any], lines: list[Any]) -> list[Any]:
    """The digits after 16 lines were added to them, and what carries out of the last."""
    found = []
    for digit in digits:
        total, carries = digit, []
        for one, other in zip(lines[::2], lines[1::2], strict=True):
            half = builder.xor(total, one)
            carries.append(builder.or_(builder.and_(total, one), builder.and_(half, other)))
            total = builder.xor(half, other)
        found.append(total)
        lines = carries
    return found + lines


def _lowest(builder: Any, vector: Any, bit: int) -> Any:
    """This bit of every byte, as its lowest."""
    return builder.and_(builder.lshr(vector, _each(bit)), LOW)


def _each(number: int) -> Any:
    return ir.Constant(WORD_VECTOR, [number] * WORDS)


def _load(builder: Any, place: Any) -> Any:
    return builder.load(builder.bitcast(place, WORD_VECTOR.as_pointer()), align=8)


def _store(builder: Any, vector: Any, place: Any) -> None:
    builder.store(vector, builder.bitcast(place, WORD_VECTOR.as_pointer()), align=8)
