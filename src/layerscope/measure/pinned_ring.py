"""From the device to the host without waiting: page-locked buffers that are used in turn."""

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor

from layerscope.arguments import at_least
from layerscope.measure.pending import Pending

T = TypeVar("T")


class PinnedRing:
    """Sends arrays of one shape from a CUDA device to the host, some of them under way at a time.

    A buffer is free again once what it brought has been looked at. When its turn comes before that,
    it is looked at then: by now its copy is `slots` steps old, and nobody waits for it.

    Args:
        like: what is sent: its shape and dtype.
        slots: how many may be under way.

    Raises:
        ValueError: slots is below 1.
    """

    def __init__(self, like: Tensor, slots: int = 16) -> None:
        at_least(1, slots=slots)
        buffers = torch.empty((slots, *like.shape), dtype=like.dtype, pin_memory=True)
        self._buffers = list(buffers)
        self._copied = [torch.cuda.Event() for _ in range(slots)]  # type: ignore[no-untyped-call]
        self._sent: list[Pending[Any] | None] = [None] * slots
        self._next = 0

    def send(self, source: Tensor, decode: Callable[[Tensor], T]) -> Pending[T]:
        """Enqueue a copy on the current stream.

        Args:
            source: on the device; it may be overwritten by what is enqueued after this.
            decode: makes the value of the buffer that arrived, and keeps no reference to it.
        """
        slot = self._next
        self._next = (slot + 1) % len(self._buffers)
        before, buffer, copied = self._sent[slot], self._buffers[slot], self._copied[slot]
        if before is not None:
            before.get()
        buffer.copy_(source, non_blocking=True)  # device to host
        copied.record()

        def arrive() -> T:
            copied.synchronize()
            return decode(buffer)

        sent = Pending(arrive)
        self._sent[slot] = sent
        return sent


def on_host(source: Tensor) -> Pending[Tensor]:
    """A tensor on the host: at hand if it is there or its device is not CUDA, where this waits;
    else on its way, in page-locked memory of its own.
    """
    if source.device.type != "cuda":
        return Pending.at_hand(source.cpu())
    host = source.to("cpu", non_blocking=True)  # device to host, page-locked
    copied = torch.cuda.Event()  # type: ignore[no-untyped-call]
    copied.record(torch.cuda.current_stream(source.device))

    def arrive() -> Tensor:
        copied.synchronize()
        return host

    return Pending(arrive)
