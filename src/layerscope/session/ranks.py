"""The processes of a distributed training, as the instrument sees them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist

from layerscope.record import Recorder
from layerscope.record.function_layers import FunctionLayers

_PATIENCE = timedelta(minutes=2)
"""Ranks that are this far apart do not measure the same step: better no measurement than no end."""


class Ranks:
    """One process among those that train together; alone where torch.distributed is not used.

    Small things are agreed upon over a gloo group of their own: no device is waited for. All ranks
    make it, and all its calls, in the same order.
    """

    def __init__(self) -> None:
        together = dist.is_available() and dist.is_initialized()
        self.rank = dist.get_rank() if together else 0
        self.number = dist.get_world_size() if together else 1
        self._group = None
        if self.number > 1:
            self._group = dist.new_group(backend="gloo", timeout=_PATIENCE)

    def highest(self, *numbers: int) -> list[int]:
        """Of each number the largest that a rank has given."""
        if self._group is None:
            return list(numbers)
        tensor = torch.tensor(numbers)
        dist.all_reduce(tensor, dist.ReduceOp.MAX, group=self._group)
        found: list[int] = tensor.tolist()
        return found

    def gathered(self, things: Any) -> list[Any]:
        """What each rank has given, picklable, in the order of the ranks."""
        if self._group is None:
            return [things]
        every: list[Any] = [None] * self.number
        dist.all_gather_object(every, things, group=self._group)
        return every

    def all_reduce(self, tensor: Tensor, how: str) -> None:
        """Replace a tensor by its "sum", "min" or "max" over all ranks."""
        operation = {"sum": dist.ReduceOp.SUM, "min": dist.ReduceOp.MIN, "max": dist.ReduceOp.MAX}
        group = self._group if tensor.device.type == "cpu" else None  # None: the training's own
        dist.all_reduce(tensor, operation[how], group=group)

    def merge(
        self,
        recorder: Recorder,
        function_layers: FunctionLayers,
        failed: bool,
        interval: int,
        stop: bool,
    ) -> tuple[int, bool]:
        """Come to the same rows on all ranks, and merge what they have measured.

        Args:
            recorder: of this rank.
            function_layers: likewise.
            failed: whether its instrument has failed.
            interval: of how many steps it wants one measured.
            stop: whether it wants the training to end.

        Returns:
            The largest interval; whether any rank wants the training to end.

        Raises:
            RuntimeError: the instrument has failed on a rank: then all stop watching.
        """
        any_failed, newcomers, interval, any_stop = self.highest(
            failed, recorder.has_newcomers, interval, stop
        )
        if any_failed:
            raise RuntimeError("the monitor has failed on a rank of this training")
        if newcomers:
            found = self.gathered((recorder.hooked.functions(), recorder.found_outputs()))
            function_layers.meet_others([each for functions, _ in found for each in functions])
            recorder.settle([each for _, outputs in found for each in outputs])
        recorder.combine(self.rank, self.number, self.all_reduce)
        return interval, bool(any_stop)

    def tell_failure(self) -> None:
        """Answer, in the stead of `merge`, that this rank's instrument has failed; then leave."""
        self.highest(True, False, 1, False)
        self.close()

    def close(self) -> None:
        """Leave the group."""
        group, self._group = self._group, None
        if group is not None and dist.is_initialized():
            dist.destroy_process_group(group)
