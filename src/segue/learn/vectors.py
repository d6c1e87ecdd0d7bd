"""LLVM's words for loops and for vectors of 16 float32, of which the innermost loops are written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils as untyped
from numba.np import arrayobj

cgutils: Any = untyped
make_array: Any = arrayobj.make_array

LANES = 16
FLOAT, INDEX = ir.FloatType(), ir.IntType(64)
VECTOR = ir.VectorType(FLOAT, LANES)


def widen(builder: Any) -> None:
    """Let the function that is built use vectors of 512 bits where the machine has them.

    LLVM takes 256 by itself, for old machines ran slower with wider ones. llvmlite knows no such attribute, and passes
    it on.
    """
    for attribute in ('"prefer-vector-width"="512"', '"min-legal-vector-width"="512"'):
        set.add(builder.function.attributes, attribute)


def arrays_of(context: Any, builder: Any, signature: Any, arguments: Any, places: tuple[int, ...]) -> list[Any]:
    """The arrays among the arguments of an intrinsic, at these places."""
    return [make_array(signature.args[place])(context, builder, arguments[place]) for place in places]


def shape_of(builder: Any, array: Any) -> list[Any]:
    """How long an array is in each dimension."""
    sizes: list[Any] = cgutils.unpack_tuple(builder, array.shape)
    return sizes


def over(builder: Any, count: Any, step: Callable[[Any, list[Any]], list[Any]], first: list[Any]) -> list[Any]:
    """What becomes of the `first` values by `step(at, values)` for every `at` below the count; a loop."""
    before = builder.basic_block
    head, body, after = (builder.append_basic_block(name) for name in ("head", "body", "after"))
    builder.branch(head)
    builder.position_at_end(head)
    at = builder.phi(INDEX)
    at.add_incoming(INDEX(0), before)
    values = [builder.phi(value.type) for value in first]
    builder.cbranch(builder.icmp_signed("<", at, count), body, after)
    builder.position_at_end(body)
    following = step(at, values)
    at.add_incoming(builder.add(at, INDEX(1)), body)
    for value, begin, new in zip(values, first, following, strict=True):
        value.add_incoming(begin, before)
        value.add_incoming(new, body)
    builder.branch(head)
    builder.position_at_end(after)
    return values


def load(builder: Any, data: Any, place: int) -> Any:
    """The vector at this place: vectors of the data, which need not lie where vectors do in memory."""
    return builder.load(_vector_at(builder, data, place), align=4)


def store(builder: Any, vector: Any, data: Any, place: int) -> None:
    """The other way round."""
    builder.store(vector, _vector_at(builder, data, place), align=4)


def multiply_add(builder: Any, one: Any, other: Any, old: Any) -> Any:
    """one * other + old, rounded once where the machine can."""
    words = ir.FunctionType(VECTOR, [VECTOR] * 3)
    return builder.call(
        cgutils.get_or_insert_function(builder.module, words, f"llvm.fmuladd.v{LANES}f32"), [one, other, old]
    )


def everywhere(builder: Any, number: Any) -> Any:
    """A vector of one number."""
    nothing = ir.Constant(VECTOR, ir.Undefined)
    first = builder.insert_element(nothing, number, ir.IntType(32)(0))
    return builder.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))


def total(builder: Any, vector: Any) -> Any:
    """The sum of a vector, one half added to the other until one is left: in the same order on every machine."""
    lanes = LANES
    while lanes > 1:
        lanes //= 2
        nothing, places = ir.Constant(vector.type, ir.Undefined), ir.VectorType(ir.IntType(32), lanes)
        vector = builder.fadd(
            *(
                builder.shuffle_vector(vector, nothing, ir.Constant(places, list(range(start, start + lanes))))
                for start in (0, lanes)
            )
        )
    return builder.extract_element(vector, ir.IntType(32)(0))


def _vector_at(builder: Any, data: Any, place: int) -> Any:
    return builder.bitcast(builder.gep(data, [INDEX(place * LANES)]), VECTOR.as_pointer())
