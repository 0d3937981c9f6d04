"""The processes of a distributed training, as the instrument sees them."""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch import distributed as dist

from layerscope.measure.reading import Reading
from layerscope.measure.row_state import merge_ranks
from layerscope.record import Recorder
from layerscope.record.functions.function_layers import FunctionLayers

_PATIENCE = timedelta(minutes=2)
"""Ranks that are this far apart do not measure the same step: better no measurement than no end."""


class _Step(NamedTuple):
    """What ranks agree on before they merge a step: of each number the largest.

    Attributes:
        failed: whether the instrument has failed on this rank.
        newcomers: whether it has outputs without rows.
        interval: of how many steps it wants one measured; 0 if it merges no step.
        stop: whether it wants the training to end.
        weights: whether it has measured the weights.
        update: whether it has measured what the step changed.
        ends: whether its training has ended.
        sums: whether it has found gradients of which each process has a summand.
        copies: whether it has outputs of which processes should have copies, to be compared.
    """

    failed: int = False
    newcomers: int = False
    interval: int = 0
    stop: int = False
    weights: int = False
    update: int = False
    ends: int = False
    sums: int = False
    copies: int = False


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
        interval: int,
        stop: bool,
        weights: bool,
    ) -> tuple[int, bool]:
        """Come to the same rows on all ranks, and merge what they have measured.

        Returns:
            The largest interval; whether any rank wants the training to end.

        Raises:
            RuntimeError: the instrument has failed on a rank: then all stop watching.
        """
        agreed = self._agree(
            _Step(
                newcomers=recorder.has_newcomers,
                interval=interval,
                stop=stop,
                weights=weights,
                update=recorder.update is not None,
                sums=recorder.gradient_sums.has_news,
                copies=recorder.state.copies.has_news,
            )
        )
        with self._together():
            if agreed.newcomers:
                found = self.gathered((recorder.hooked.functions(), recorder.hooked.found()))
                function_layers.meet_others([each for functions, _ in found for each in functions])
                recorder.settle([each for _, outputs in found for each in outputs])
            if agreed.sums:
                recorder.gradient_sums.meet(self.gathered(recorder.gradient_sums.found))
            if agreed.copies:
                copies = recorder.state.copies
                copies.compare(self.gathered(copies.take()))
            recorder.combine(
                self.rank, self.number, self.all_reduce, bool(agreed.weights), bool(agreed.update)
            )
        return agreed.interval, bool(agreed.stop)

    def trained_weights(self, recorder: Recorder) -> Reading:
        """A reading of all channels with the weights as they are now, when training has ended.

        Raises:
            RuntimeError: they are shards, and not all ranks have ended so.
        """
        if self._group is not None and recorder.is_sharded:
            self._agree(_Step(ends=True))

        recorder.release()
        tally, rows = recorder.plan.tally, len(recorder.plan.channels)
        with self._together():
            tally.read(rows)  # what a step that broke off has left
            recorder.measure_weights()
            if recorder.is_sharded:
                add_up = functools.partial(self.all_reduce, how="sum")
                merge_ranks(tally, rows, self.rank, self.number, add_up)
            return tally.read(rows).get()

    def _agree(self, mine: _Step) -> _Step:
        """Of each number the largest that a rank has given."""
        if self._group is None:
            return mine
        numbers = torch.tensor(mine)
        dist.all_reduce(numbers, dist.ReduceOp.MAX, group=self._group)
        agreed = _Step(*numbers.tolist())
        if agreed.failed or (agreed.ends and agreed.interval):
            self.close()
            raise RuntimeError(
                "the monitor has failed on a rank of this training"
                if agreed.failed
                else "a rank has ended its training, and another has not"
            )
        return agreed

    @contextmanager
    def _together(self) -> Iterator[None]:
        """Within, ranks wait for one another: one that fails leaves, so that no other waits."""
        try:
            yield
        except BaseException:
            self.close()
            raise

    def tell_failure(self) -> None:
        """Tell the other ranks, at their next merge, that this one has failed; does not wait."""
        group, self._group = self._group, None
        if group is not None:
            failed = torch.tensor(_Step(failed=True))
            dist.all_reduce(failed, dist.ReduceOp.MAX, group=group, async_op=True)

    def close(self) -> None:
        """Leave the group."""
        group, self._group = self._group, None
        if group is not None and dist.is_initialized():
            dist.destroy_process_group(group)


def told_by_rank_0(make: Callable[[], str]) -> str:
    """What rank 0 makes, on all ranks that train together; the others make nothing.

    Raises:
        ValueError: on all ranks, if rank 0 raises it.
    """
    if not (dist.is_available() and dist.is_initialized()):
        return make()
    told = ["", ""]
    if dist.get_rank() == 0:
        try:
            told[0] = make()
        except ValueError as error:
            told[1] = str(error)
    dist.broadcast_object_list(told)
    if told[1]:
        raise ValueError(told[1])
    return told[0]
