"""What one row of a tally holds: a quantity of a layer."""

from dataclasses import dataclass

from layerscope.quantity import Quantity


@dataclass(frozen=True, slots=True)
class Channel:
    """A quantity of a layer: what one row of the tally holds, and one tag shows."""

    quantity: Quantity
    layer: str

    @property
    def tag(self) -> str:
        """The tag in TensorBoard, `quantity/NN_layer`."""
        return f"{self.quantity}/{self.layer}"
