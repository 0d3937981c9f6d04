"""The loss as a loop tells it, as a scalar, and by what a gradient scaler multiplies it."""

import logging
import reprlib
import sys
import types

import numpy as np
import torch
from torch import Tensor
from torch.amp import GradScaler

from layerscope.measure.measurable import is_measurable
from layerscope.session.door import Door

_log = logging.getLogger("layerscope")


class ToldLoss:
    """Makes a scalar of what a loop says of its loss, and says once what cannot be one."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._told = False
        self.noted: list[Tensor] = []  # since the last call of `take`, in order

    def note(self, loss: object) -> None:
        """Keep a loss for the step that goes on; see `scalar`."""
        if (number := self.scalar(loss)) is not None:
            self.noted.append(number)

    def take(self) -> Tensor | None:
        """The mean of what was noted since the last call, where it lies; None without any."""
        noted, self.noted = self.noted, []
        if len(noted) < 2:
            return noted[0] if noted else None
        return sum(noted[1:], noted[0]) / len(noted)

    def tell_of_a_later_backward(self, loss: object) -> None:
        """Say so if a loss has its backward pass only after this."""
        if not isinstance(loss, Tensor) or loss.grad_fn is None:
            return
        told = False

        def tell(_: Tensor) -> None:
            nonlocal told
            if not told:
                told = True
                _log.warning(
                    "%s: step() was called before the backward pass of its loss: each step is "
                    "recorded with the loss of the next one; call it after the optimizer's step",
                    self._door.name,
                )

        loss.register_hook(tell)  # type: ignore[no-untyped-call]

    def scalar(self, loss: object) -> Tensor | None:
        """The loss as a scalar tensor where it lies, of several values their mean.

        Args:
            loss: a number, a tensor, or None for none.

        Returns:
            None if there is none, or it is not a number: logged the first time.
        """
        if loss is None:
            return None
        if type(loss) is Tensor and loss.ndim == 0 and is_measurable(loss):
            return loss.detach()  # by far the most common
        try:
            dtype = None if isinstance(loss, Tensor) else torch.float64
            if isinstance(loss, complex | np.complexfloating):  # would lose a part of it
                raise TypeError("a complex number has no order")
            tensor = torch.as_tensor(loss, dtype=dtype).detach()
            if tensor.ndim == 0 and is_measurable(tensor):
                return tensor
            if tensor.numel() and not tensor.is_complex() and not tensor.is_meta:
                return tensor.double().mean()
            kind = f"a tensor of {tensor.numel()} elements, {tensor.dtype}, {tensor.device}"
        except (TypeError, ValueError, RuntimeError, OverflowError):
            kind = f"{reprlib.repr(loss)}, a {type(loss).__name__}"
        if not self._told:
            self._told = True
            _log.warning(
                "%s: the loss must be a number or a tensor of numbers, got %s; it is not recorded",
                self._door.name,
                kind,
            )
        return None


class LossScale:
    """A gradient scaler's factor in the step that goes on.

    Args:
        scaler: None where none is told: then it may be found.

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

    def find(self) -> None:
        """An optimizer's step begins: where `GradScaler.step` has called it, that is the scaler. It
        lowers or raises its factor later, in `update`. A microsecond or two.
        """
        if self._scaler is None and (found := _calling_scaler()) is not None:
            self._scaler = found
            self.begin()

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


_SCALER_STEP = GradScaler.step.__code__


def _calling_scaler() -> GradScaler | None:
    """The gradient scaler whose `step` is running further up on Python's stack."""
    frame: types.FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_code is not _SCALER_STEP:
        frame = frame.f_back
    return None if frame is None else frame.f_locals.get("self")
