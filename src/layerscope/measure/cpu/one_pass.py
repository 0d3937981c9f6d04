"""Float32 counted and summed in one pass, written as vector instructions.

A processor stores one count a cycle, and computes meanwhile: so the figures of eight elements come
between their counts, for nothing. LLVM makes no vectors of a loop that also stores at places read
from memory; so this one is built of them by hand. What comes AHEAD is asked for meanwhile: from
main memory an element takes 0.39 ns so, and 0.59 without.
"""

from typing import Any

import llvmlite.ir as ir
import numpy as np
from numba import types
from numba.core.cgutils import get_or_insert_function
from numba.extending import intrinsic

WIDTH = 8
"""Elements of a turn of the loop."""

AHEAD = 2048
"""Bytes from an element to what is fetched into the cache while it is counted."""

_I8, _I16, _I32, _I64 = (ir.IntType(bits) for bits in (8, 16, 32, 64))
_INTEGERS = ir.VectorType(_I32, WIDTH)
_FLOATS = ir.VectorType(ir.FloatType(), WIDTH)
_DOUBLES = ir.VectorType(ir.DoubleType(), WIDTH // 2)  # more would not stay in registers
_HALVES = [range(WIDTH // 2), range(WIDTH // 2, WIDTH)]

# Each figure, as it starts, with the operation that makes one number of its vector.
_FIGURES = {
    "largest": (_INTEGERS, 0, "umax.v8i32"),
    "smallest": (_INTEGERS, -1, "umin.v8i32"),
    "minimum": (_FLOATS, np.inf, "fmin.v8f32"),
    "maximum": (_FLOATS, -np.inf, "fmax.v8f32"),
    "zeros": (_INTEGERS, 0, "add.v8i32"),
    "outside": (_INTEGERS, 0, "add.v8i32"),
    "total": (_DOUBLES, 0.0, "fadd.v4f64"),
    "squares": (_DOUBLES, 0.0, "fadd.v4f64"),
    "absolute": (_DOUBLES, 0.0, "fadd.v4f64"),
}
_RESULTS = types.Tuple(  # type: ignore[no-untyped-call]
    (
        *(types.int32, types.uint32, types.float32, types.float32, types.int32, types.int32),
        *(types.float64, types.float64, types.float64),
    )
)


def _all(kind: ir.VectorType, value: float) -> ir.Constant:
    return ir.Constant(kind, [value] * kind.count)


def _spread(builder: ir.IRBuilder, value: Any, kind: ir.VectorType) -> Any:
    vector = ir.Constant(kind, ir.Undefined)
    for i in range(kind.count):
        vector = builder.insert_element(vector, value, ir.Constant(_I32, i))
    return vector


def _figures_of(
    builder: ir.IRBuilder, bits: Any, known: dict[str, Any], limits: tuple[Any, Any], shift: Any
) -> dict[str, Any]:
    """The figures that are `known`, with the elements of a vector added."""

    def either(condition: Any, name: str, new: Any) -> Any:
        return builder.select(condition, new, known[name])

    def counted(name: str, condition: Any) -> Any:
        return builder.sub(known[name], builder.sext(condition, _INTEGERS))

    value = builder.bitcast(bits, _FLOATS)
    magnitude = builder.and_(bits, _all(_INTEGERS, 0x7FFFFFFF))
    one_less = builder.sub(magnitude, _all(_INTEGERS, 1))  # of a zero the largest there is
    is_zero = builder.icmp_unsigned("==", magnitude, _all(_INTEGERS, 0))
    total, squares, absolute = known["total"], known["squares"], known["absolute"]
    of_a_sum = ("contract",)
    without_sign = get_or_insert_function(  # type: ignore[no-untyped-call]
        builder.module, ir.FunctionType(_DOUBLES, [_DOUBLES]), "llvm.fabs.v4f64"
    )
    for half in _HALVES:
        part = builder.shuffle_vector(
            value,
            ir.Constant(_FLOATS, ir.Undefined),
            ir.Constant(ir.VectorType(_I32, len(half)), list(half)),
        )
        wide = builder.fpext(part, _DOUBLES)
        shifted = builder.fsub(wide, shift)
        total = builder.fadd(total, shifted)
        squared = builder.fmul(shifted, shifted, flags=of_a_sum)
        squares = builder.fadd(squares, squared, flags=of_a_sum)
        absolute = builder.fadd(absolute, builder.call(without_sign, [wide]))
    found = {
        "largest": either(
            builder.icmp_unsigned(">", magnitude, known["largest"]), "largest", magnitude
        ),
        "smallest": either(
            builder.icmp_unsigned("<", one_less, known["smallest"]), "smallest", one_less
        ),
        "minimum": either(builder.fcmp_ordered("<", value, known["minimum"]), "minimum", value),
        "maximum": either(builder.fcmp_ordered(">", value, known["maximum"]), "maximum", value),
        "zeros": counted("zeros", is_zero),
        "total": total,
        "squares": squares,
        "absolute": absolute,
    }
    if "outside" in known:
        below, above = (
            builder.fcmp_ordered(than, value, limit)
            for than, limit in zip("<>", limits, strict=True)
        )
        found["outside"] = counted("outside", builder.or_(below, above))
    return found


def _count(builder: ir.IRBuilder, address: Any, lanes: Any) -> None:
    """Count eight elements: the upper 16 bits of each are its place."""
    for k in range(WIDTH):
        upper = builder.add(address, ir.Constant(_I64, 4 * k + 2))
        place = builder.load(builder.inttoptr(upper, _I16.as_pointer()), align=1)
        lane = builder.add(lanes, ir.Constant(_I64, 4 * (k % 4)))
        at = builder.add(lane, builder.shl(builder.zext(place, _I64), ir.Constant(_I64, 4)))
        count = builder.inttoptr(at, _I32.as_pointer())
        builder.store(builder.add(builder.load(count), ir.Constant(_I32, 1)), count)


def _fetch(builder: ir.IRBuilder, address: Any) -> None:
    """Bring what lies AHEAD into the cache; nothing happens where no memory is."""
    pointer = _I8.as_pointer()
    prefetch = get_or_insert_function(  # type: ignore[no-untyped-call]
        builder.module,
        ir.FunctionType(ir.VoidType(), [pointer, _I32, _I32, _I32]),
        "llvm.prefetch.p0",
    )
    ahead = builder.inttoptr(builder.add(address, ir.Constant(_I64, AHEAD)), pointer)
    builder.call(prefetch, [ahead, *(ir.Constant(_I32, each) for each in (0, 3, 1))])  # to read it


def _reduced(builder: ir.IRBuilder, operation: str, vector: Any) -> Any:
    """One number of a vector's elements."""
    kind = vector.type
    start = [ir.Constant(kind.element, -0.0)] if operation.startswith("fadd") else []
    reduce = get_or_insert_function(  # type: ignore[no-untyped-call]
        builder.module,
        ir.FunctionType(kind.element, [each.type for each in start] + [kind]),
        f"llvm.vector.reduce.{operation}",
    )
    flags = ("reassoc",) if start else (("nnan",) if operation[0] == "f" else ())
    return builder.call(reduce, [*start, vector], fastmath=flags)


def _pass(figures: dict[str, Any]) -> Any:
    @intrinsic
    def one_pass(
        _typing: Any, _address: Any, _size: Any, _low: Any, _high: Any, _shift: Any, _lanes: Any
    ) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            address, size, low, high, shift, lanes = args
            limits = _spread(builder, low, _FLOATS), _spread(builder, high, _FLOATS)
            shifts = _spread(builder, shift, _DOUBLES)
            before, loop = builder.block, builder.append_basic_block("one_pass")
            after = builder.append_basic_block("after_one_pass")
            builder.branch(loop)
            builder.position_at_end(loop)
            i = builder.phi(_I64)
            known = {name: builder.phi(kind) for name, (kind, _, _) in figures.items()}
            at = builder.add(address, builder.shl(i, ir.Constant(_I64, 2)))
            bits = builder.load(builder.inttoptr(at, _INTEGERS.as_pointer()), align=1)
            _fetch(builder, at)
            found = _figures_of(builder, bits, known, limits, shifts)
            _count(builder, at, lanes)
            following = builder.add(i, ir.Constant(_I64, WIDTH))
            i.add_incoming(ir.Constant(_I64, 0), before)
            i.add_incoming(following, loop)
            for name, (kind, first, _) in figures.items():
                known[name].add_incoming(_all(kind, first), before)
                known[name].add_incoming(found[name], loop)
            builder.cbranch(builder.icmp_signed("<", following, size), loop, after)
            builder.position_at_end(after)
            none = ir.Constant(_I32, 0)
            results = [
                _reduced(builder, operation, found[name]) if name in figures else none
                for name, (_, _, operation) in _FIGURES.items()
            ]
            return context.make_tuple(builder, signature.return_type, results)

        integer, float_ = types.int64, types.float32
        return _RESULTS(integer, integer, float_, float_, types.float64, integer), codegen

    return one_pass


one_pass = _pass(_FIGURES)
"""Count float32 in lanes, see `lanes`, and find their figures.

`one_pass(address, size, low, high, shift, lanes)`: `size` is a multiple of WIDTH, at least WIDTH;
an element below `low` or above `high` is outside. It gives the largest magnitude's bits; the
smallest one's, zeros left out, less 1, as uint32; minimum and maximum; the numbers of zeros and of
elements outside; and the sums of x - shift, of its square and of |x|. With a NaN among the elements
only the first of these says something.
"""

one_pass_without_limits = _pass({name: _FIGURES[name] for name in _FIGURES if name != "outside"})
"""The same where no element can be outside; a tenth faster."""
