"""Loads, stores and bit casts by address, for the numba kernels.

A kernel that takes addresses as integers is dispatched in a fraction of a microsecond, where every
array argument would add its own; and an access with no negative index to wrap is one that LLVM
turns into vector instructions. The caller keeps the memory alive and the indices within it; nothing
need be aligned, which costs nothing where it is.
"""

from typing import Any

import llvmlite.ir as ir
from numba import types
from numba.extending import intrinsic

from layerscope.measure.cpu.compiled import jit

_FLOAT, _DOUBLE = ir.FloatType(), ir.DoubleType()
_INT16 = ir.IntType(16)
_INT32, _INT64 = ir.IntType(32), ir.IntType(64)


def _element(builder: Any, args: Any, element: ir.Type) -> Any:
    pointer = builder.inttoptr(args[0], element.as_pointer())
    return builder.gep(pointer, [args[1]], inbounds=True)


def _load(numba_type: Any, element: ir.Type) -> Any:
    @intrinsic
    def load(_typing: Any, _address: Any, _index: Any) -> Any:
        def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
            return builder.load(_element(builder, args, element), align=1)

        return numba_type(types.int64, types.int64), codegen

    return load


def _store(numba_type: Any, element: ir.Type) -> Any:
    @intrinsic
    def store(_typing: Any, _address: Any, _index: Any, _value: Any) -> Any:
        def codegen(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
            builder.store(args[2], _element(builder, args, element), align=1)
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, numba_type), codegen

    return store


def _cast(source: Any, target: Any, element: ir.Type) -> Any:
    @intrinsic
    def cast(_typing: Any, _value: Any) -> Any:
        def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
            return builder.bitcast(args[0], element)

        return target(source), codegen

    return cast


load_i16 = _load(types.int16, _INT16)
load_i32 = _load(types.int32, _INT32)
load_i64 = _load(types.int64, _INT64)
load_f32 = _load(types.float32, _FLOAT)
load_f64 = _load(types.float64, _DOUBLE)

store_i32 = _store(types.int32, _INT32)
store_i64 = _store(types.int64, _INT64)
store_f32 = _store(types.float32, _FLOAT)
store_f64 = _store(types.float64, _DOUBLE)

f32_from_bits = _cast(types.int32, types.float32, _FLOAT)
f64_from_bits = _cast(types.int64, types.float64, _DOUBLE)
bits_from_f64 = _cast(types.float64, types.int64, _INT64)


def _pointer() -> Any:
    @intrinsic
    def pointer(_typing: Any, _address: Any) -> Any:
        def codegen(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
            return builder.inttoptr(args[0], context.get_value_type(types.voidptr))

        return types.voidptr(types.int64), codegen

    return pointer


pointer = _pointer()  # an address as what `numba.carray` makes an array of


def _increment(element: ir.Type) -> Any:
    @intrinsic
    def increment(_typing: Any, _address: Any, _index: Any) -> Any:
        def codegen(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
            at = _element(builder, (args[0], builder.zext(args[1], _INT64)), element)
            builder.store(builder.add(builder.load(at), ir.Constant(element, 1)), at)
            return context.get_dummy_value()

        return types.void(types.int64, types.int32), codegen

    return increment


# The index is an int32 that is not negative.
increment_u32 = _increment(_INT32)
increment_i64 = _increment(_INT64)


@jit
def add_i64(address, index, number):  # type: ignore[no-untyped-def]
    """Add a number to an int64."""
    store_i64(address, index, load_i64(address, index) + number)


@jit
def add_f64(address, index, number):  # type: ignore[no-untyped-def]
    """Add a number to a float64."""
    store_f64(address, index, load_f64(address, index) + number)
