"""What the hooks of one recorder share: whether to measure, by which clock, and what went wrong."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from layerscope.measure.measurable import is_measurable
from layerscope.record.distributed.copies import Copies
from layerscope.record.distributed.layouts import Layouts
from layerscope.record.distributed.shards import local_part
from layerscope.record.hooks.handles import remove_all
from layerscope.record.network.layers import Layer

_LOCK = threading.Lock()  # a state may be copied with its network, and a lock may not


@dataclass(slots=True, eq=False)
class HookState:
    """Read and written by every hook at every call: plain attributes, nothing computed.

    Attributes:
        network: nothing is measured while it is in evaluation mode; None: whatever the mode.
        counting: whether the hooks measure; False at first.
        aside: threads whose call of the network is no training, and how deep they are in it; None
            if there are none, which is cheap to ask, and for torch.compile to guard.
        clock: seconds, to time the hooks by; None does not time them.
        spent: seconds that timed hooks have taken, since `take_spent`.
        not_measured: layers whose output could not be measured, and why.
        failure: what a hook raised, if one did: a hook never raises into the network, it stops
            counting.
        latest: the layer whose module was called last in this step.
        reached: how many outputs a forward pass has reached.
        units_last: whether the layer that was called last has its units along the last axis, for
            those that cannot tell theirs.
        data: by layer, what the first layers got in this step, and its version then.
        data_finite: whether all of it is finite, once somebody has asked; None before, and where
            it has been changed since.
        bare: name and parameter, of those that no watched output belongs to, as a module has them
            that is made of others.
        bare_not_finite: of these, name and how many elements are not finite, once an output was
            not; None before.
        cut_off: the `id` of each trained parameter that a forward pass has detached.
        on_lasting_tensors: gradient hooks to be taken off when the step ends, as their tensors do
            not go with it.
        evaluated: layers that were called, with gradients, while the network was in evaluation
            mode: it may be trained so.
        transformed: layers that were called inside a torch.func transform.
        is_compiled: whether torch.compile has traced one of the hooks: a hook that came to those
            modules, or went, would have it trace them again.
        layouts: which parts processes have of what layers give; None without tensor parallelism.
        copies: compares what processes have copies of.
        backward_began: whether a gradient has come since the last call of a module.
    """

    network: nn.Module | None = None
    counting: bool = False
    aside: dict[int, int] | None = None
    clock: Callable[[], float] | None = None
    spent: float = 0.0
    not_measured: dict[str, str] = field(default_factory=dict)
    failure: Exception | None = None
    latest: Layer | None = None
    reached: int = 0
    units_last: bool = True
    data: dict[str, tuple[Tensor, int]] = field(default_factory=dict)
    data_finite: bool | None = None
    bare: tuple[tuple[str, Tensor], ...] = ()
    bare_not_finite: dict[str, int] | None = None
    cut_off: set[int] = field(default_factory=set)
    on_lasting_tensors: list[RemovableHandle] = field(default_factory=list)
    evaluated: set[str] = field(default_factory=set)
    transformed: set[str] = field(default_factory=set)
    is_compiled: bool = False
    layouts: Layouts | None = None
    copies: Copies = field(default_factory=Copies)
    backward_began: bool = False
    _round: int = 1

    @property
    def counts_here(self) -> bool:
        """Whether the hooks measure in this thread, which may run a validation beside training."""
        return self.counting and (self.aside is None or threading.get_ident() not in self.aside)

    def call_aside(self, more: int) -> None:
        """Go into a call of the network that is no training (1), or out of it (-1)."""
        thread = threading.get_ident()
        with _LOCK:
            now = {**(self.aside or {}), thread: self.depth_aside() + more}
            self.aside = {each: depth for each, depth in now.items() if depth} or None

    def depth_aside(self) -> int:
        """How deep this thread is in such calls."""
        return 0 if self.aside is None else self.aside.get(threading.get_ident(), 0)

    def give_up(self, error: Exception) -> None:
        """Stop counting because of what a hook ran into."""
        self.counting = False
        self.failure = error

    def note_evaluation(self, layer: str) -> None:
        """A layer is called while the network is in evaluation mode."""
        if torch.is_grad_enabled():
            self.evaluated.add(layer)

    def next_order(self) -> int:
        """The number of an output that a forward pass reaches for the first time, from 0."""
        self.reached += 1
        return self.reached - 1

    def forward_round(self) -> int:
        """Which round of calls it is: a backward pass, or a step, ends one."""
        if self.backward_began:
            self._round += 1
            self.backward_began = False
        return self._round

    def end_round(self) -> None:
        """A step ends: the calls of a module are counted from 0 again."""
        self._round += 1
        self.data.clear()
        self.data_finite = self.bare_not_finite = None
        if self.layouts is not None:
            self.layouts.end_step()
        if self.on_lasting_tensors:
            self.leave_lasting_tensors()

    def leave_lasting_tensors(self) -> None:
        """Take the gradient hooks off tensors that live on."""
        remove_all(self.on_lasting_tensors)

    def look_around(self) -> None:
        """Find out whether data and bare parameters are finite; waits for the device."""
        if self.bare_not_finite is None:
            here = ((name, local_part(bare)) for name, bare in self.bare)
            counts = {x: int((~part.isfinite()).sum()) for x, part in here if is_measurable(part)}
            self.bare_not_finite = {name: count for name, count in counts.items() if count}
        if self.data_finite is None:
            as_they_were = [x for x, version in self.data.values() if x._version == version]
            if any(not x.isfinite().all() for x in as_they_were):
                self.data_finite = False
            elif len(as_they_were) == len(self.data) > 0:
                self.data_finite = True

    def take_spent(self) -> float:
        """Seconds that timed hooks have taken since the last call."""
        spent, self.spent = self.spent, 0.0
        return spent
