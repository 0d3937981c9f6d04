"""Which keys the rows of an attention may look at."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

MASKED = -5000.0
"""A logit, or a mask that is added to it, from here down is no key to be seen: people write -inf,
-1e4, -1e9 and the smallest number of a type."""


def visible_keys(masks: Sequence[Tensor]) -> Tensor | None:
    """Bool [samples, keys], those that the last row of the first head may look at under all masks
    together, as far as each sample has its own; None where all have the same. Under a causal mask
    the last row sees what any row does.

    Args:
        masks: [samples, heads, rows, keys] each: of bool, True where a row may look, or of logits,
            or of what is added to them.
    """
    seen = None
    for each in masks:
        if len(each) > 1 and each.stride(0):  # else it is one mask, expanded
            last = each[:, 0, -1]
            may = last if last.dtype == torch.bool else last > MASKED
            seen = may if seen is None else seen & may
    return seen


@dataclass(frozen=True, slots=True, eq=False)
class AttentionMask:
    """What the rows of an attention may look at.

    Args:
        tensors: [batch, heads, rows, keys] each: of bool, which is True where a row may look, or
            added to the logits.
        is_causal: whether no row may look at a key behind its own place.
    """

    tensors: Sequence[Tensor] = ()
    is_causal: bool = False

    def part(self, samples: slice, rows: slice) -> list[Tensor]:
        """The tensors, of some samples and rows."""
        return [each[samples, :, rows] for each in self.tensors]

    def applied(self, z: Tensor, samples: slice, rows: slice) -> Tensor:
        """Logits [samples, heads, rows, keys] of these, with -inf where a row may not look."""
        for part in self.part(samples, rows):
            if part.dtype == torch.bool:
                z = z.masked_fill(~part, -math.inf)
            else:
                z = (z + part).masked_fill(part <= MASKED, -math.inf)
        if self.is_causal:
            places = torch.arange(z.shape[3], device=z.device)
            first, step = rows.start, rows.step or 1
            row = first + step * torch.arange(z.shape[2], device=z.device)
            z = z.masked_fill(places > row.unsqueeze(-1), -math.inf)
        return z
