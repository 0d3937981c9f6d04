"""A program's own counts: a window of the bins, where most of a tensor's values lie.

Many additions to one address of global memory queue: counted there directly, a tensor takes 50
times as long as reading it does. So every program counts in shared memory, and adds what it has
counted to the table once. Shared memory holds few bins: those of the 37 octaves below the largest
value that is expected, and the three above it, of either sign, and zero. What is expected is the
larger of some of the tensor's values and of all that the row held in the step before.

Triton has no atomic addition in shared memory; PTX has. Where there is no PTX (the interpreter, a
GPU that is not NVIDIA's), a piece of global memory that no other program touches does the same.
"""

# Kernels have no Python types. Triton writes compile-time arguments in capitals, and compiles what
# follows a `return` without an `else` too.
# ruff: noqa: N803, RET505
# mypy: disable-error-code="no-untyped-def, untyped-decorator"

from __future__ import annotations

import triton
import triton.language as tl

from layerscope.measure.cuda.bins import NORMAL, OCTAVE, ZERO, magnitude_of

SLOTS = tl.constexpr(10240)
"""Of a program: 40 kB, of the 48 that a launch gets without asking. Slot 0 is zero, 1 to 5087 are
positive bins, 5089 to 10175 negative ones."""

NOWHERE = tl.constexpr(5088)
"""The slot of what is no element at all: cheaper than not to count it."""

ELSEWHERE = tl.constexpr(10176)
"""The first slot of all that has none in the window, and GROUPS of them, by when it was met."""

GROUPS = tl.constexpr(64)

AT_A_TIME = tl.constexpr(1024)
"""Slots that a program empties, or reads, at a time."""

_HALF = tl.constexpr(5088)
_POSITIVE = tl.constexpr(5087)
_INF = tl.constexpr(float("inf"))
# Windows of float32 hold normal values only: then the bits alone tell what is within.
_LOWEST = tl.constexpr(NORMAL.value + 127)
_HIGHEST = tl.constexpr(NORMAL.value + 0x7F7F - 5087)
_ONE = tl.constexpr(NORMAL.value + 0x3F80)  # the magnitude of 1.0

# PTX: of a program, and then of slot $1, whose address comes first.
_TAKE = tl.constexpr(".shared .align 16 .b32 layerscope_slots[10240]; mov.u32 $0, $1;")
_ADDRESS = ".reg .u32 at; mov.u32 at, layerscope_slots; mad.lo.u32 at, $1, 4, at;"
_EMPTY = tl.constexpr(f"{{ {_ADDRESS} st.shared.u32 [at], 0; mov.u32 $0, $1; }}")
_COUNT = tl.constexpr(f"{{ {_ADDRESS} red.shared.add.u32 [at], 1; mov.u32 $0, $1; }}")
_READ = tl.constexpr(f"{{ {_ADDRESS} ld.shared.u32 $0, [at]; }}")


@triton.jit
def window_below(head, present, before):
    """The bin below a window for values such as these.

    Args:
        head: some values of a tensor.
        present: which of them are finite and not zero.
        before: the magnitude of the largest of another tensor like it; 0 if there is none.
    """
    top = tl.maximum(tl.max(tl.where(present, magnitude_of(head), 0)), before)
    top = tl.where(top == 0, _ONE, top)
    return tl.minimum(tl.maximum(top + 3 * OCTAVE - _POSITIVE, _LOWEST), _HIGHEST)


@triton.jit
def slot_of(value, below, elsewhere):
    """The slots of values, float32 or float64, in the window above `below`; `elsewhere` of those
    that have none in it.
    """
    if value.dtype == tl.float64:
        offset = magnitude_of(value) - below
        within = (offset > 0) & (offset <= _POSITIVE) & (tl.abs(value) < _INF)
        slot = tl.where(value < 0, _HALF + offset, offset)
        return tl.where(value == 0, 0, tl.where(within, slot, elsewhere))
    else:
        bits = value.to(tl.uint32, bitcast=True)
        magnitude = bits & 0x7FFFFFFF
        offset = (magnitude >> 16).to(tl.int32) + (NORMAL - below)
        within = (offset - 1).to(tl.uint32, bitcast=True) < _POSITIVE
        slot = offset + (bits >> 31).to(tl.int32) * _HALF
        return tl.where(within, slot, tl.where(magnitude == 0, 0, elsewhere))


@triton.jit
def _offset(slot):
    return tl.where(slot < _HALF, slot, slot - _HALF)


@triton.jit
def magnitude_at(slot, below):
    """How many bins the bin of a slot is from zero; 0 for zero."""
    return tl.where(slot == 0, 0, _offset(slot) + below)


@triton.jit
def bin_at(slot, below):
    """The bin of a slot."""
    magnitude = magnitude_at(slot, below)
    return tl.where(slot < _HALF, ZERO + magnitude, ZERO - magnitude)


@triton.jit
def bfloat16_at(slot, below):
    """The one bfloat16 value, as float32, that is in the bin of a slot."""
    bits = (_offset(slot) + (below - NORMAL)) << 16
    value = bits.to(tl.float32, bitcast=True)
    return tl.where(slot == 0, 0.0, tl.where(slot < _HALF, value, -value))


@triton.jit
def _place(slots, slot):
    return slots + tl.program_id(0).to(tl.int64) * SLOTS + slot


@triton.jit
def empty_slots(slots, SHARED: tl.constexpr):
    """Take the program's slots and set them to 0; a barrier must follow.

    Args:
        slots: int32 [programs, SLOTS], of global memory; not looked at where SHARED.
        SHARED: whether PTX can be used.
    """
    if SHARED:
        tl.inline_asm_elementwise(  # once a thread: a scalar
            _TAKE,
            "=r,r", [tl.program_id(0)], dtype=tl.int32, is_pure=False, pack=1,
        )  # fmt: skip
    for start in range(0, SLOTS, AT_A_TIME):
        slot = start + tl.arange(0, AT_A_TIME)
        if SHARED:
            tl.inline_asm_elementwise(
                _EMPTY,
                "=r,r", [slot], dtype=tl.int32, is_pure=False, pack=1,
            )  # fmt: skip
        else:
            tl.store(_place(slots, slot), tl.zeros([AT_A_TIME], tl.int32))


@triton.jit
def count_slot(slots, slot, SHARED: tl.constexpr):
    """Add 1 to each of these slots."""
    if SHARED:
        tl.inline_asm_elementwise(
            _COUNT,
            "=r,r", [slot], dtype=tl.int32, is_pure=False, pack=1,
        )  # fmt: skip
    else:
        tl.atomic_add(_place(slots, slot), tl.full(slot.shape, 1, tl.int32), sem="relaxed")


@triton.jit
def counted(slots, slot, SHARED: tl.constexpr):
    """What has been counted in these slots, int32; a barrier must have come before."""
    if SHARED:
        return tl.inline_asm_elementwise(
            _READ,
            "=r,r", [slot], dtype=tl.int32, is_pure=False, pack=1,
        )  # fmt: skip
    else:
        return tl.load(_place(slots, slot))
