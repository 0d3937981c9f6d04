"""Does a step start from the weights that the optimizer left, or has something written new ones?"""

from collections.abc import Callable, Mapping, Sequence
from weakref import WeakSet

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from layerscope.record.parameters.layer_parameter import LayerParameter

_ELEMENTS = 16
"""Of a weight: compared from one step to the next; likewise of each weight that is followed."""

_WEIGHTS = 8
"""That are followed once something was written."""

_DRAWN = 0.5
"""Cosine of the weights before and after, at most. What was drawn anew has about 0 +- 0.1 of 128
elements; an average of weights, a clamp, a mask or a step back has more."""

_HARMLESS = 3
"""Changes that were none of the kind, after which nothing is looked at any more: averages or clamps
that come in each step."""

_MOST, _TENTH = 0.5, 0.1
"""Shares: of the elements, and of a step's length."""

_TYPES: Mapping[torch.dtype, type[np.floating]] = {
    torch.float32: np.float32,
    torch.float64: np.float64,
}
_BITS = {2: torch.int16, 4: torch.int32, 8: torch.int64}


class OverwrittenWeights:
    """Follows weights from an optimizer's step to its next one.

    A few elements of one weight tell whether something was written: their bits where they lie in
    this machine's memory, else how often torch has noted that they changed, which `.data` hides.
    From the first time on elements of several weights are kept after each step, and compared when
    something was written again. An optimizer that is new has a training of its own to begin, as in
    a cross-validation: what was written before its first step does not count.

    Attributes:
        drawn: how often most weights had nothing to do with those that the optimizer left.
        returned: how often all of them were what they had been before, bit for bit.
        undone: after how many steps in a row, up to the last one, hardly anything was left of the
            step.
    """

    def __init__(self) -> None:
        self.drawn = self.returned = self.undone = self._harmless = 0
        self._chosen_of: Sequence[LayerParameter] | None = None
        self._read: Callable[[], object] | None = None
        self._followed: list[nn.Parameter] = []
        self._known: WeakSet[Optimizer] = WeakSet()
        self._came: object = None  # what the last step started from
        self._left: object = None
        self._kept: Tensor | None = None  # [weights, _ELEMENTS], as the optimizer left them
        self._written: Tensor | None = None  # likewise, as they were written the last time
        self._follows, self._type = False, _TYPES.get(torch.float32)

    def state(self) -> dict[str, int]:
        """How often so far, for a checkpoint."""
        return {"drawn": self.drawn, "returned": self.returned, "undone": self.undone}

    def load_state(self, state: Mapping[str, int]) -> None:
        """Go on from what `state` gave."""
        self.drawn, self.returned = state["drawn"], state["returned"]
        self.undone = state["undone"]

    def choose(self, parameters: Sequence[LayerParameter]) -> None:
        """From now on these parameters are there; some nanoseconds where they are the same."""
        if parameters is self._chosen_of:
            return
        self._chosen_of, self._came, self._left = parameters, None, None
        self._kept = self._written = None
        # Of a vector, and of an embedding's first rows, all elements may be alike, or never move.
        matrices = [each.parameter for each in parameters if _may_be_drawn(each.parameter)]
        self._followed = matrices[:: max(1, -(-len(matrices) // _WEIGHTS))]
        middle = matrices[len(matrices) // 2] if matrices else None
        self._read = None if middle is None else _reader(middle)
        self._type = None if middle is None else _TYPES.get(middle.dtype)

    def leave(self) -> None:
        """An optimizer has taken its step; a microsecond."""
        if self._read is None or self._harmless >= _HARMLESS:
            return
        self._left = self._read()
        if self._follows:
            self._kept = _elements(self._followed)

    def arrive(self, optimizer: Optimizer) -> None:
        """An optimizer is about to take its step; a microsecond."""
        if optimizer not in self._known:
            self._known.add(optimizer)
            self._came = self._left = self._kept = self._written = None
        left, self._left = self._left, None
        if left is None or self._read is None:
            return
        came, self._came = self._came, self._read()
        if self._came == left:
            self.undone = 0
            return
        is_undone = _is_undone(came, left, self._came, self._type)
        self.undone = self.undone + 1 if is_undone else 0
        if not is_undone:
            self._compare(_elements(self._followed))
            self._follows = True

    def _compare(self, now: Tensor) -> None:
        """Waits for the device, where something was written between two steps."""
        kept, before, self._written = self._kept, self._written, now
        if kept is None:  # the first time
            return
        sizes = kept.norm(dim=1) * now.norm(dim=1)
        are_any = sizes > 0
        cosines = (kept * now).sum(1)[are_any] / sizes[are_any]
        is_all_drawn = int(are_any.sum()) > 1 and float(cosines.mean()) < _DRAWN
        if before is not None and torch.equal(before, now):
            self.returned += 1
        elif is_all_drawn:
            self.drawn += 1
        else:
            self._harmless += 1


@np.errstate(all="ignore")  # an optimizer's step is under way, and the user's own state holds
def _is_undone(came: object, left: object, now: object, kind: type[np.floating] | None) -> bool:
    """Whether of what a step has changed a tenth or less is left, but not nothing of most elements,
    as where a clamp or a mask holds them.
    """
    if kind is None or not isinstance(came, bytes):
        return False
    if not (isinstance(left, bytes) and isinstance(now, bytes)):
        return False
    before, after, found = (np.frombuffer(each, kind) for each in (came, left, now))
    is_held = (found == before).mean() > _MOST
    if is_held or not np.isfinite([before, after, found]).all():
        return False
    return bool(np.linalg.norm(found - before) <= _TENTH * np.linalg.norm(after - before))


def _may_be_drawn(parameter: nn.Parameter) -> bool:
    is_matrix = type(parameter) is nn.Parameter and parameter.ndim > 1
    return (
        is_matrix
        and parameter.requires_grad
        and parameter.is_floating_point()
        and parameter.is_contiguous()
        and parameter.numel() >= _ELEMENTS
        and not parameter.is_meta
    )


def _reader(parameter: nn.Parameter) -> Callable[[], object]:
    """Gives what is another object once the weight was written to."""
    bits = _BITS.get(parameter.element_size())
    if not parameter.is_cpu or bits is None:
        return lambda: parameter._version
    first = (parameter.numel() - _ELEMENTS) // 2
    address = -1
    seen: npt.NDArray[np.integer] = np.zeros(0, np.int16)

    def read() -> bytes:
        nonlocal address, seen
        now = parameter.data_ptr()
        if now != address:  # `.data` may be given other memory
            flat = parameter.detach().view(-1).view(bits).numpy()
            address, seen = now, flat[first : first + _ELEMENTS]
        return seen.tobytes()

    return read


def _elements(parameters: Sequence[nn.Parameter]) -> Tensor:
    """Of each some, evenly spaced, float32 [parameters, _ELEMENTS]."""
    rows = []
    for parameter in parameters:
        flat = parameter.detach().view(-1)
        rows.append(flat[:: flat.numel() // _ELEMENTS][:_ELEMENTS].float())
    device = rows[0].device  # parameters may lie on several
    return torch.stack([row.to(device) for row in rows])
