"""Steps that were observed and judged, on their way to where they are written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from layerscope.diagnose import Figures, Finding
from layerscope.record import Channel, Observation
from layerscope.theory import PredictionSummary


class Step(NamedTuple):
    """One observed step.

    Attributes:
        wall_time: when it ended, in seconds since 1970.
        with_scalars: whether its scalars are wanted too.
        is_keyframe: whether it is repeated where nothing is ever left out.
    """

    observation: Observation
    wall_time: float
    with_scalars: bool = False
    is_keyframe: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class StepBlock:
    """Some steps in a row in which the same was measured.

    Attributes:
        channels: all that is measured of the network; an observation without weights has the first
            of them only.
        steps: in order; none where only the findings are news.
        figures: of these steps; `figures.layers` is the same object as long as nothing changes.
        findings: what is new or has become worse with these steps, or with earlier ones.
        prediction: in the block that holds step 0, what theory expects of it.
    """

    channels: tuple[Channel, ...]
    steps: Sequence[Step]
    figures: Figures
    findings: Sequence[Finding] = ()
    prediction: PredictionSummary | None = None


@dataclass(frozen=True, slots=True, eq=False)
class RunEnd:
    """What is known at the end of a run in which a step was written.

    Attributes:
        last: the last step once more, with the weights that the run ends with.
        findings: all, in the order in which to mend them.
        late: those among them that no block had.
        pictures: PNG of each, by its tag.
    """

    last: Step
    findings: Sequence[Finding]
    late: Sequence[Finding]
    pictures: Mapping[str, bytes]


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
