"""By what a gradient scaler multiplies the loss, in a loop that is not Lightning's."""

import torch
from torch import Tensor
from torch.amp import GradScaler


class LossScale:
    """A gradient scaler's factor in the step that goes on.

    Args:
        scaler: None where there is none.

    Attributes:
        factor: a scalar, as it was when the step began; None without a scaler.
    """

    def __init__(self, scaler: GradScaler | None) -> None:
        self._scaler = scaler
        self.factor: Tensor | None = None

    def begin(self) -> None:
        """A step begins: the factor may change before it ends. Waits for the scaler's device."""
        if self._scaler is not None:
            self.factor = torch.tensor(self._scaler.get_scale())

    @property
    def has_backed_off(self) -> bool:
        """Whether the scaler has lowered its factor, as after each step that it leaves out."""
        if self._scaler is None or self.factor is None:
            return False
        return self._scaler.get_scale() < float(self.factor)

    def out_of(self, loss: Tensor) -> Tensor:
        """The loss without the factor, given what backward starts from."""
        return loss if self.factor is None else loss / self.factor

    def of(self, loss: Tensor) -> Tensor:
        """What backward starts from: the loss times the factor."""
        return loss if self.factor is None else loss * self.factor
