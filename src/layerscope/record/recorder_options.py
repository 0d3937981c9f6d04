"""What a recorder is asked to measure."""

from dataclasses import dataclass

from layerscope.arguments import at_least
from layerscope.measure.row_options import EXACT
from layerscope.quantity import SELECTABLE, Quantity


@dataclass(frozen=True, slots=True)
class RecorderOptions:
    """What a recorder is asked to measure.

    Args:
        quantities: which of `SELECTABLE` to give rows; the others cost nothing.
        biases: also the parameters called bias, and their gradients and updates.
        per_call: keep the calls of a module that is called several times in a step apart, as
            `NN_path.call_0`, `NN_path.call_1`; otherwise they are measured together. Counting
            starts anew after each backward pass.
        saturation_threshold: outputs of a bounded activation function beyond it are saturated, as
            for tanh; above 0, below 1.
        dead_window: samples in a row on which a unit was not active before it counts as dead.
        max_elements: of a larger tensor on the CPU a random sample makes the histogram; its moments
            and non-finite counts are exact all the same.

    Raises:
        ValueError: an unknown quantity, or a number out of its bounds.
    """

    quantities: tuple[str, ...] = (
        Quantity.ACTIVATION,
        Quantity.ACTIVATION_GRAD,
        Quantity.WEIGHT_GRAD,
        Quantity.WEIGHT,
    )
    biases: bool = False
    per_call: bool = False
    saturation_threshold: float = 0.97
    dead_window: int = 8192
    max_elements: int = EXACT

    def __post_init__(self) -> None:
        for quantity in self.quantities:
            if quantity not in SELECTABLE:
                raise ValueError(
                    f"quantities must be among {', '.join(SELECTABLE)}, got {quantity!r}"
                )
        if not 0 < self.saturation_threshold < 1:
            raise ValueError(
                f"saturation_threshold must be above 0 and below 1, got {self.saturation_threshold}"
            )
        at_least(1, dead_window=self.dead_window, max_elements=self.max_elements)
