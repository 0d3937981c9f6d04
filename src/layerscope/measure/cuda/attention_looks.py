"""What the rows of an attention look at, from queries and keys: no logit goes through memory.

A program takes some rows of one head through all keys, and keeps for each row the largest logit,
the sum of the exponentials below it, and what their entropy needs, as FlashAttention does for its
output (Dao et al. 2022, section 3.1).
"""

# Kernels have no Python types. Triton writes compile-time arguments in capitals.
# ruff: noqa: N803
# mypy: disable-error-code="no-untyped-def, untyped-decorator"

from __future__ import annotations

from collections.abc import Sequence

import torch
import triton
import triton.language as tl
from torch import Tensor

from layerscope.measure.cuda.current import current
from layerscope.measure.cuda.elements import ALIGNMENT
from layerscope.measure.cuda.launcher import Launcher

LARGEST, ROWS, ENTROPY, ONE, AHEAD = range(5)
COLUMNS = 5
"""Of what a program stores."""

AT_A_TIME, OF_FEW = 32, 16
"""Rows of a program; and where there are few."""

KEYS = 32
"""Keys that it looks at at a time: with more, and with a mask, compiling it takes many seconds."""

WIDEST = 256
"""Bytes of a head's row or key: so many of them stay in the memory that any multiprocessor has."""

MASKS = 2
"""Tensors of a mask, at most."""

_KINDS = (torch.float32, torch.bfloat16, torch.float16)
_NONE, _MAY_LOOK, _ADDED = range(3)
_INF = tl.constexpr(float("inf"))
_MAY = tl.constexpr(_MAY_LOOK)
_ADD = tl.constexpr(_ADDED)

_NUMBERS = (
    *("q_sample", "q_head", "q_row", "k_sample", "k_group", "k_key"),
    *("a_sample", "a_head", "a_row", "a_key", "b_sample", "b_head", "b_row", "b_key"),
    *("blocks", "heads", "group", "rows", "keys", "first", "step", "scale", "masked"),
)


@triton.jit
def _through(z, mask, at, inside, masked, HOW: tl.constexpr):
    """Logits through one tensor of a mask."""
    if HOW == _MAY:
        z = tl.where(tl.load(mask + at, mask=inside, other=0) != 0, z, -_INF)
    if HOW == _ADD:
        added = tl.load(mask + at, mask=inside, other=0.0).to(tl.float32)
        z = tl.where(added <= masked, -_INF, z + added)
    return z


@triton.jit(do_not_specialize=_NUMBERS)
def look_at_rows(
    q, k, a, b, out,
    q_sample, q_head, q_row, k_sample, k_group, k_key,
    a_sample, a_head, a_row, a_key, b_sample, b_head, b_row, b_key,
    blocks, heads, group, rows, keys, first, step, scale, masked,
    A: tl.constexpr, B: tl.constexpr, CAUSAL: tl.constexpr, WIDTH: tl.constexpr,
    PADDED: tl.constexpr, ROWS: tl.constexpr, KEYS: tl.constexpr, ONE_TOKEN: tl.constexpr,
):  # fmt: skip
    """Look at logits `scale * q @ k.T`, and store what a program's rows have looked at.

    Args:
        q: [samples, heads, rows, WIDTH], and strides of the first three axes; the last has 1.
        k: [samples, heads / group, keys, WIDTH], likewise.
        a, b: masks [samples, heads, rows, keys] with all their strides, see A and B.
        out: float32 [COLUMNS, heads, samples, blocks], filled.
        blocks: programs of a head.
        first, step: a row's place among the keys is first + step * row.
        masked: a value that is added, from which down it hides a key.
        A, B: 0 for no mask, 1 for one of bool, as int8, 2 for one that is added.
        CAUSAL: whether keys behind a row's place are hidden.
        PADDED: WIDTH, or the next power of 2 that is 16 or more.
        ROWS, KEYS: that are looked at at a time.
        ONE_TOKEN: a weight from which on a row looks at one token only.
    """
    program = tl.program_id(0)
    block, pair = program % blocks, program // blocks
    sample, head = tl.cast(pair // heads, tl.int64), tl.cast(pair % heads, tl.int64)
    row = block * ROWS + tl.arange(0, ROWS)
    there = row < rows
    place = first + step * row
    lane = tl.arange(0, PADDED)
    q += sample * q_sample + head * q_head
    k += sample * k_sample + head // group * k_group
    a += sample * a_sample + head * a_head
    b += sample * b_sample + head * b_head
    at = tl.cast(row, tl.int64)[:, None]
    queries = tl.load(q + at * q_row + lane[None, :], there[:, None] & (lane < WIDTH)[None, :], 0.0)
    top = tl.full([ROWS], -_INF, tl.float32)
    total = tl.zeros([ROWS], tl.float32)
    below = tl.zeros([ROWS], tl.float32)
    seen = tl.zeros([ROWS], tl.int32)
    ahead = tl.zeros([ROWS], tl.int32)
    lost = tl.zeros([ROWS], tl.int32)
    for start in range(0, keys, KEYS):
        key = start + tl.arange(0, KEYS)
        to = tl.cast(key, tl.int64)[None, :]
        others = tl.load(
            k + to * k_key + lane[:, None], (key < keys)[None, :] & (lane < WIDTH)[:, None], 0.0
        )
        z = tl.dot(queries, others, input_precision="tf32x3") * scale  # of float32: as exact
        inside = there[:, None] & (key < keys)[None, :]
        z = _through(z, a, at * a_row + to * a_key, inside, masked, A)
        z = _through(z, b, at * b_row + to * b_key, inside, masked, B)
        behind = key[None, :] > place[:, None]
        if CAUSAL:
            z = tl.where(behind, -_INF, z)
        z = tl.where(inside, z, -_INF)
        is_lost = (z != z) | (z == _INF)
        lost = tl.maximum(lost, tl.max(is_lost.to(tl.int32), 1))
        z = tl.where(is_lost, -_INF, z)
        is_seen = z > -_INF
        seen += tl.sum(is_seen.to(tl.int32), 1)
        ahead += tl.sum((is_seen & behind).to(tl.int32), 1)
        peak = tl.maximum(top, tl.max(z, 1))
        base = tl.where(peak > -_INF, peak, 0.0)
        drop = tl.where(top > -_INF, top - base, 0.0)  # of what is known, against the new base
        fade = tl.exp(drop)
        down = tl.maximum(z - base[:, None], -1e4)
        e = tl.where(is_seen, tl.exp(down), 0.0)
        below = fade * (below + total * drop) + tl.sum(e * down, 1)
        total = fade * total + tl.sum(e, 1)
        top = peak
    finite = there & (lost == 0) & (top > -_INF)
    counts = finite & (seen > 1)
    sum_ = tl.where(counts, total, 1.0)
    entropy = tl.log(sum_) - tl.where(counts, below, 0.0) / sum_
    relative = entropy / tl.log(tl.maximum(seen, 2).to(tl.float32))
    is_one = counts & (sum_ < 1.0 / ONE_TOKEN)
    samples_blocks = tl.cast(tl.num_programs(0) // heads, tl.int64)
    out += head * samples_blocks + sample * blocks + block
    column = heads * samples_blocks
    tl.store(out, tl.max(tl.where(finite, top, -_INF)))
    tl.store(out + column, tl.sum(counts.to(tl.float32)))
    tl.store(out + 2 * column, tl.sum(tl.where(counts, relative, 0.0)))
    tl.store(out + 3 * column, tl.sum(is_one.to(tl.float32)))
    tl.store(out + 4 * column, tl.sum(ahead.to(tl.float32)))


class AttentionLooks:
    """Launches the kernel.

    Args:
        one_token: a weight from which on a row looks at one token only.
        masked: a value that is added to logits, from which down it hides a key.
    """

    def __init__(self, one_token: float, masked: float) -> None:
        self._one_token, self._masked = one_token, masked
        self._look = Launcher(look_at_rows, num_warps=4, num_stages=1)

    def compile(self, device: torch.device) -> None:
        """Compile it for float32 now; raises what Triton raises where it cannot, and RuntimeError
        where products of float32 would be those of fewer bits.
        """
        if torch.version.hip is not None or torch.cuda.get_device_capability(device) < (8, 0):
            raise RuntimeError("needs an NVIDIA device of compute capability 8.0 or later")
        one = torch.zeros(1, 1, 1, 1, device=device)
        self(one, one, 1.0, [], False, 0, 1)

    def can_look(self, k: Tensor, masks: Sequence[Tensor]) -> bool:
        """Whether the kernel takes these; see `__call__`."""
        return (
            k.dtype in _KINDS
            and k.shape[-1] * k.itemsize <= WIDEST
            and k.numel() > 0
            and len(masks) <= MASKS
            and all(each.dtype in (torch.bool, *_KINDS) for each in masks)
        )

    def __call__(
        self,
        q: Tensor,
        k: Tensor,
        scale: float,
        masks: Sequence[Tensor],
        is_causal: bool,
        first: int,
        step: int,
    ) -> Tensor:
        """What rows look at, float32 [4, heads], and the keys behind their own place that the rows
        of the first sample's first head see, [1, heads], the same of all: see COLUMNS.

        Args:
            q: [samples, heads, rows, width].
            k: [samples, groups, keys, width].
            masks: [samples, heads, rows, keys], of bool, True where a row may look, or added.
            first, step: a row's place among the keys is first + step * row.
        """
        if q.dtype != k.dtype:
            q, k = q.float(), k.float()
        q, k = (each if each.stride(-1) == 1 else each.contiguous() for each in (q, k))
        samples, heads, rows, width = q.shape
        at_a_time = AT_A_TIME if rows > OF_FEW else OF_FEW
        blocks = -(-rows // at_a_time)
        out = torch.empty(COLUMNS, heads, samples * blocks, device=q.device)
        given = [_as_the_kernel_takes(each) for each in masks]
        how = [_MAY_LOOK if each.dtype == torch.bool else _ADDED for each in masks]
        given += [(out, (0, 0, 0, 0))] * (MASKS - len(given))
        how += [_NONE] * (MASKS - len(how))
        (a, a_strides), (b, b_strides) = given
        padded = max(16, 1 << (width - 1).bit_length())
        tensors = q, k, a, b, out
        aligned = tuple(each.data_ptr() % ALIGNMENT == 0 for each in tensors)
        kinds = q.dtype, a.dtype, b.dtype
        constants = *how, is_causal, width, padded, at_a_time, KEYS, self._one_token
        numbers = (
            *(*q.stride()[:3], *k.stride()[:3], *a_strides, *b_strides),
            *(blocks, heads, heads // k.shape[1], rows, k.shape[2], first, step),
        )
        are_long = tuple(number >= 1 << 31 for number in numbers)
        with current(q.device):
            self._look(
                (kinds, aligned, are_long, constants),
                blocks * samples * heads,
                *(*tensors, *numbers, scale, self._masked, *constants),
            )
        return torch.cat(
            [
                out[LARGEST : LARGEST + 1].amax(2),
                out[ROWS : ONE + 1].sum(2),
                out[AHEAD, 0, :blocks].sum().expand(1, heads),
            ]
        )


def _as_the_kernel_takes(mask: Tensor) -> tuple[Tensor, tuple[int, ...]]:
    return mask.view(torch.int8) if mask.dtype == torch.bool else mask, mask.stride()
