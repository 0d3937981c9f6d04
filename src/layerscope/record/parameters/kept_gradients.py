"""What becomes of gradients: does the next step add to them, and did they all come to a step?"""

import math
from collections.abc import Sequence
from weakref import ref

import torch
from torch import Tensor, nn

from layerscope.measure.pending import Pending
from layerscope.measure.pinned_ring import on_host
from layerscope.record.distributed.shards import local_part
from layerscope.record.parameters.layer_parameter import LayerParameter


class KeptGradients:
    """Follows the gradient of one parameter from a step to the next.

    Whoever clears a gradient replaces it, or changes it in place: its identity and its version tell
    of that, and it is read only where it may have been set to zero.
    """

    def __init__(self) -> None:
        self._parameter: nn.Parameter | None = None
        self._identity = self._version = 0  # of its gradient, after the step before
        self._kept: bool | None = None
        # Gradient and its version as the last pass left them, no optimizer having come since; the
        # version of the parameter then; whether the gradient was any; and its largest element.
        self._left: tuple[tuple[int, int], int, Pending[Tensor], Pending[float]] | None = None
        self._divided: Pending[float] | None = None
        self._divides_itself = False
        self._cleared: bool | None = None
        self._changed: bool | None = None
        self._stepped: tuple[int, int] | None = None  # gradient and version after an optimizer
        self._changed_late: bool | None = None

    def remember(self, parameters: Sequence[LayerParameter]) -> None:
        """A step was taken: which gradient will be added to, if nobody clears it."""
        for each in parameters:
            gradient = each.parameter.grad
            if gradient is not None:
                self._parameter, self._identity = each.parameter, id(gradient)
                self._version = local_part(gradient)._version
                if self._stepped is None:  # the first time, nobody knew which parameter to follow
                    self._stepped = state_of(gradient)
                return
        if parameters:  # cleared already
            self._parameter, self._identity, self._version = parameters[0].parameter, -1, -1

    def look(self, *, begins: bool = True, counts: bool = True) -> None:
        """A gradient comes to an output.

        Args:
            begins: whether a backward pass begins with it, after a forward pass of its own.
            counts: whether the parameters' gradients are what that pass is for.
        """
        parameter = self._parameter
        if self._kept is None and parameter is not None:
            kept = parameter.grad
            unchanged = kept is not None and local_part(kept)._version == self._version
            self._kept = unchanged and is_any(kept)  # `.data.zero_()` leaves the version as it was
        self._check_kept()
        if parameter is None or not begins:
            return
        gradient = parameter.grad
        if counts and self._left is not None and self._left[1] == local_part(parameter)._version:
            # One of zero may have been zero before: its units are dead, say.
            cleared = not is_any(gradient) and (
                state_of(gradient) != self._left[0] or bool(self._left[2].get())
            )  # `.data.zero_()` leaves the state as it was
            self._cleared = bool(self._cleared) or cleared
        self._left = None
        if counts:
            before = state_of(gradient)
            torch.autograd.Variable._execution_engine.queue_callback(lambda: self._passed(before))

    def _passed(self, before: tuple[int, int] | None) -> None:
        """A backward pass has ended; nobody has cleared what it left yet."""
        parameter = self._parameter
        gradient = None if parameter is None else parameter.grad
        if parameter is None or gradient is None:
            return
        now = id(gradient), local_part(gradient)._version
        if now != before:
            is_any = on_host(local_part(gradient).any())
            self._left = now, local_part(parameter)._version, is_any, _largest(gradient)

    def confirm(self) -> None:
        """An optimizer comes, after the step's backward passes: are the gradients still the same?

        `autograd.grad` adds to none, and what it gives may be put in their place; a later backward
        pass may come after they were cleared.
        """
        self._check_kept()
        gradient = None if self._parameter is None else self._parameter.grad
        if self._left is not None:
            self._changed = bool(self._changed) or state_of(gradient) != self._left[0]
            if gradient is not None:  # what a scaler divides may keep its version
                before, now = self._left[3], _largest(gradient)
                self._divided = Pending(lambda: before.get() / now.get() if now.get() else math.nan)
        if self._left is not None and gradient is not None:
            # What was put in the place of what backward left may be made of all that was cleared.
            self._cleared = bool(self._cleared) and id(gradient) == self._left[0][0]
        self._left = None

    def note_division(self) -> None:
        """The optimizer itself divides the gradients by a scaler's factor, as fused ones do."""
        self._divides_itself = True

    def note_step(self) -> None:
        """An optimizer has taken its step."""
        if self._parameter is not None:
            self._stepped = state_of(self._parameter.grad)

    def _check_kept(self) -> None:
        if self._kept and self._parameter is not None:
            kept = self._parameter.grad
            self._kept = kept is not None and id(kept) == self._identity

    @property
    def weights(self) -> int:
        """Another number once the parameters have changed; -1 if that is not known."""
        return -1 if self._parameter is None else local_part(self._parameter)._version

    def begin(self) -> None:
        """A step begins: was the gradient changed after the step before, and not to zero?"""
        stepped, self._stepped = self._stepped, None
        if stepped is not None and self._parameter is not None:
            gradient = self._parameter.grad
            now = state_of(gradient)
            is_changed = now is not None and now[0] == stepped[0] and now != stepped
            self._changed_late = is_changed and is_any(gradient)

    def take(self) -> dict[str, float]:
        """Of the step that ends, what is known, by names of `STEP_FIGURES`."""
        found = {
            "gradients_kept": self._kept,
            "gradients_cleared": self._cleared,
            "gradients_changed": self._changed,
            "gradients_late": self._changed_late,
        }
        self._kept = self._cleared = self._changed_late = self._changed = None
        return {name: float(it) for name, it in found.items() if it is not None}

    def take_division(self) -> Pending[float] | None:
        """By what the gradients of the last backward pass were divided before an optimizer came, as
        by a gradient scaler or a clip: 1 for nothing; None if it is not known.
        """
        divided = None if self._divides_itself else self._divided
        self._divided, self._divides_itself = None, False
        return divided


def state_of(gradient: Tensor | None) -> tuple[int, int] | None:
    """What changes when a gradient is replaced, and when it is changed in place; None of none."""
    if type(gradient) is Tensor:  # by far the most common
        return id(gradient), gradient._version
    return None if gradient is None else (id(gradient), local_part(gradient)._version)


def _largest(gradient: Tensor) -> Pending[float]:
    """Largest magnitude of its elements; NaN of a sparse one."""
    own = local_part(gradient)
    if own.layout is not torch.strided or not own.numel():
        return Pending.at_hand(math.nan)
    return on_host(own.detach().abs().max()).then(float)


def is_any(gradient: Tensor | None) -> bool:
    """Whether there is one, and it is not all zero."""
    return gradient is not None and bool(local_part(gradient).any())


class LeftOverGradients:
    """Gradients of a training before this one: as of a teacher, which nobody clears."""

    def __init__(self, network: nn.Module) -> None:
        self._found = {
            id(each): (ref(gradient), state_of(gradient))
            for each in network.parameters()
            if (gradient := each.grad) is not None
        }

    def is_new(self, parameter: nn.Parameter) -> bool:
        """Whether it has a gradient other than the one that it had then, or that was added to."""
        known = self._found.get(id(parameter))
        if known is not None:
            gradient = known[0]()
            if gradient is parameter.grad and state_of(gradient) == known[1]:
                return False
            del self._found[id(parameter)]
        return parameter.grad is not None
