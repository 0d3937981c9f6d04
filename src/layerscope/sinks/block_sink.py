"""What the pipeline hands its steps to: blocks of them, as they were judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from layerscope.diagnose import Finding
from layerscope.sinks.step_block import Step, StepBlock


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

    def write_end(
        self,
        last: Step,
        findings: Sequence[Finding],
        late: Sequence[Finding],
        pictures: Mapping[str, bytes],
    ) -> None:
        """Write what is known at the end of a run in which a step was written.

        Args:
            last: the last step once more, with the weights that the run ends with.
            findings: all, in the order in which to mend them.
            late: those among them that no block had.
            pictures: PNG of each, by its tag.
        """

    def close(self) -> None:
        """Write what waits, and close what is open; a second call does nothing."""
