"""What the pipeline hands its steps to: blocks of them, as they were judged."""

from typing import Protocol

from layerscope.sinks.step_block import RunEnd, StepBlock


class BlockSink(Protocol):
    """A place that a run's steps are written to, block after block.

    `TensorBoardSink` is one, as it encodes many steps by one call; every `Sink` becomes one by
    `StepByStep`.
    """

    def awaits(self, step: int) -> bool:
        """Whether a step that was observed must be written at once, without waiting for others."""

    def write(self, block: StepBlock) -> None:
        """Write some steps and what was found in them."""

    def flush(self) -> None:
        """See that what was written can be read by others."""

    def write_end(self, end: RunEnd) -> None:
        """Write what is known at the end of a run."""

    def close(self) -> None:
        """Write what waits, and close what is open; a second call does nothing."""
