"""Sums over what the heads of one attention look at, gathered from parts."""

import functools
import math

import numpy as np
import torch
from torch import Tensor

from layerscope.measure.pinned_ring import on_host
from layerscope.record.attention.heads import Array, Heads, HeadSum

Sizes = tuple[int, int, int, int]


class HeadSums:
    """Gathers `Heads.table` from parts, which stay on the device until all are there.

    Args:
        sizes: (batch, heads, rows, keys).
    """

    def __init__(self, sizes: Sizes) -> None:
        self.sizes = sizes
        self._table = np.zeros((len(HeadSum), sizes[1]))
        self._table[HeadSum.LARGEST] = -math.inf
        self._found: list[tuple[HeadSum, Tensor]] = []

    def add_norms(self, place: HeadSum, tensor: Tensor) -> None:
        """Of queries or keys, [samples, groups, ...]."""
        norm: Tensor = torch.linalg.vector_norm(tensor, dim=(0, 2, 3), dtype=torch.float32)
        self._found.append((place, norm.unsqueeze(0)))
        self._table[place + 1] += tensor[:, 0].numel()

    def add_looks(self, looks: Tensor) -> None:
        """What rows look at, float32 [4, heads]: the largest logit, and sums as in `HeadSum`."""
        self._found.append((HeadSum.LARGEST, looks))

    def add_ahead_of(self, z: Tensor, samples: slice, rows: slice) -> None:
        """Count them in logits [samples, heads, rows, keys], with -inf where a row may not look."""
        if self._is_of_itself(samples):
            row = rows.start + (rows.step or 1) * torch.arange(z.shape[2], device=z.device)
            behind = torch.arange(z.shape[3], device=z.device) > row.unsqueeze(-1)
            seen = ((z[0, 0] > -math.inf) & behind).sum().float()
            self.add_ahead(seen.expand(self.sizes[1]), samples, rows, z.shape[2])

    def add_ahead(self, seen: Tensor, samples: slice, rows: slice, number: int) -> None:
        """Note the keys behind a query that it may see, of the first sample's first head: [heads],
        all the same. Only of as many keys as queries, since they are the same tokens then.

        Args:
            rows: which, and how many they are.
        """
        if not self._is_of_itself(samples):
            return
        self._found.append((HeadSum.AHEAD, seen.unsqueeze(0)))
        first, step, keys = rows.start, rows.step or 1, self.sizes[3]
        pairs = (keys - 1 - first - step * each for each in range(number))
        self._table[HeadSum.PAIRS] += sum(pairs)

    def _is_of_itself(self, samples: slice) -> bool:
        return samples.start == 0 and self.sizes[2] == self.sizes[3] > 1

    def heads(self) -> Heads:
        """All together, once they have arrived."""
        sent = torch.cat([each.reshape(-1) for _, each in self._found])
        found = [(place, *each.shape) for place, each in self._found]
        return Heads(on_host(sent).then(functools.partial(_added, self._table, found)))


def _added(table: Array, found: list[tuple[HeadSum, int, int]], host: Tensor) -> Array:
    """The table with what was found, of which each has so many rows from its place in it, of its
    heads or of so many groups of them.
    """
    numbers, heads = host.double().numpy(), table.shape[1]
    for place, length, groups in found:
        figures, numbers = numbers[: length * groups], numbers[length * groups :]
        figures = figures.reshape(length, groups).repeat(heads // groups, 1)
        if place == HeadSum.LARGEST:
            table[HeadSum.LARGEST] = np.fmax(table[HeadSum.LARGEST], figures[0])
            table[HeadSum.ROWS : HeadSum.ONE + 1] += figures[1:]
        elif place == HeadSum.AHEAD:
            table[HeadSum.AHEAD] += figures[0]
        else:
            table[place] += figures[0] ** 2
    return table
