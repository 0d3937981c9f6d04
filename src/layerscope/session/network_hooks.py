"""All that watches a network from inside: hooks of layers, functions, and what is around them."""

from torch import nn
from torch.optim import Optimizer

from layerscope.diagnose.findings.finding import Finding
from layerscope.diagnose.rules.dropout_high import dropout_in_evaluation
from layerscope.diagnose.rules.modules_repeated import called_twice
from layerscope.diagnose.rules.not_optimized import NEVER_STEPPED, never_given
from layerscope.record import Recorder, choose_layers
from layerscope.record.distributed.layouts import layouts_of
from layerscope.record.distributed.shards import put_shards_back
from layerscope.record.functions.function_layers import FunctionLayers
from layerscope.record.functions.functions import Functions
from layerscope.record.functions.functions_seen import FunctionsSeen
from layerscope.record.hooks.stand_aside import StandAside
from layerscope.record.network.changes import Change, Changes
from layerscope.record.network.stand_ins import StandIns
from layerscope.record.parameters.ownership import given_to
from layerscope.record.search import Search
from layerscope.record.surroundings import Surroundings
from layerscope.session.door import Door
from layerscope.session.not_watched import (
    refuse_flat_parameters,
    tell_change,
    tell_differing,
    tell_evaluation,
    tell_lost,
)
from layerscope.session.settings import Settings

_LOOKED = 3
"""Passes that count, in the second of which calls are compared."""


class NetworkHooks:
    """Puts them on and takes them off together, and follows a network that changes.

    Args:
        settings: which layers, and what to measure of them.

    Attributes:
        changes: how often the network was found to be made of something else than before.

    Raises:
        ValueError: no layer matches, the network is one of FSDP1's, or it is divided in a way that
            it does not tell of, see `layouts_of`.
    """

    def __init__(self, network: nn.Module, settings: Settings, door: Door) -> None:
        refuse_flat_parameters(network)
        put_shards_back(network)
        layers = choose_layers(network, settings.layers)
        layouts = layouts_of(network)
        self.recorder = recorder = Recorder(layers, settings.options, network, layouts)
        self.surroundings = around = Surroundings(network, layers, recorder.state)
        self.function_layers = FunctionLayers(network, recorder, settings.layers)
        self.changes = 0
        self._door = door
        self._changes = Changes(network, settings.layers, layers)
        looks = around.attention, around.routers, around.modes.dropouts
        seen = FunctionsSeen(self.function_layers, recorder.state, around.reach, *looks)
        self._functions = Functions(network, seen)
        self._stand_aside = StandAside(network)
        self._stand_ins, self._begun = StandIns(), 0
        self._told_evaluation = False
        self._told_changed: set[str] = set()
        self._network, self._choice = network, settings.layers
        self._came: dict[str, int] = {}  # paths of layers, before which step

    def attach(self) -> None:
        """Put the hooks on; does nothing if they are on."""
        self.recorder.attach()
        self.surroundings.attach()
        self._functions.attach()
        self._stand_aside.attach()

    def detach(self) -> None:
        """Take the hooks off."""
        self._stand_aside.detach()
        self._functions.detach()
        self.recorder.detach()
        self.surroundings.detach()

    def end(self) -> None:
        """Take off, for good, what stays on while the others are off."""
        self._functions.evaluated.detach()
        self._stand_ins.detach()

    def dropout_in_evaluation(self, step: int) -> Finding | None:
        """What is to be said, when training has ended after a step, of a dropout that is on in
        evaluation; None if there is nothing.
        """
        seen = self._functions.evaluated
        seen.conclude()
        if seen.found is None:
            return None
        return dropout_in_evaluation(seen.found.name, seen.probability, seen.where, step)

    def newcomer_of_no_optimizer(self, step: int) -> Finding | None:
        """What is to be said, when training has ended after a step, of layers that came in mid-run
        and that no optimizer has, though they got a gradient; None if there are none.
        """
        if not self._came or not (optimizers := self.surroundings.optimizers):
            return None
        given = {number for each in optimizers for number in given_to(each)}
        left = {
            layer.path: self._came[layer.path]
            for layer in choose_layers(self._network, self._choice)
            if step - self._came.get(layer.path, step) >= NEVER_STEPPED
            and any(each.grad is not None for _, each in layer.parameters)
            and not any(id(each) in given for _, each in layer.parameters)
        }
        return never_given(next(iter(left)), len(left) - 1, min(left.values())) if left else None

    def put_back(self) -> None:
        """Have the hooks that stand aside on again, for whoever owns them to take off."""
        self._stand_aside.put_back()

    def note_optimizer(self, optimizer: Optimizer, has_parameters: bool) -> None:
        """An optimizer takes a step."""
        self._changes.note_optimizer(optimizer)  # it may have what was put into this network
        if has_parameters:
            self.surroundings.note_optimizer(optimizer)
        else:
            self.surroundings.note_other_optimizer(optimizer)

    def change(self, looks: bool) -> Change | None:
        """What has become of the network since the last look, if this step looks or should."""
        return self._changes.look() if looks or self._changes.suspected else None

    def follow(self, change: Change, step: int) -> None:
        """The network has changed before this step: go on with what it is made of now, and warn,
        once of each layer.
        """
        self.recorder.replace(change.layers)
        self.surroundings.replace(change.layers)
        self._functions.search_again()
        self._stand_aside.attach()
        self.changes += 1
        not_measured = self.recorder.state.not_measured
        for name in change.gone:
            not_measured[name] = f"it was taken out of the network before step {step}"
        for path in change.came:
            not_measured[path] = f"it came into the network after the start, before step {step}"
            self._came.setdefault(path, step)
        changed = {*change.other, *change.gone, *change.came}
        if not changed <= self._told_changed:  # a network may change at every step
            self._told_changed |= changed
            tell_change(change, step, self._door)

    def begin(self, counts: bool, looks: bool, search: Search) -> None:
        """A micro-batch of a step begins.

        Args:
            looks: whether what is around the layers is looked at.
            search: where functions, attention and streams are searched.
        """
        self.recorder.state.counting = counts
        self.surroundings.begin(looks, search)
        stream = self.surroundings.stream
        self._functions.begin(looks, search, stream.call if looks and stream.is_on else None)
        if counts and self._begun < _LOOKED:
            self._look_for_stand_ins()

    def _look_for_stand_ins(self) -> None:
        """In the second pass that counts, when those have been called that are called at all."""
        self._begun += 1
        self._stand_ins.detach()
        if self._begun == _LOOKED - 1 and not self.recorder.state.is_compiled:
            never = set(self.recorder.unreached.unfired())
            layers = [layer for layer in self.recorder.hooked.layers if not layer.function]
            self._stand_ins.attach(
                [layer for layer in layers if layer.name not in never],
                [layer for layer in layers if layer.name in never],
            )

    def stand_in(self) -> Finding | None:
        """What is to be said of a layer that is called in another's place; None if there is none:
        the other may have been called later.
        """
        found = self._stand_ins.found
        for uncalled in self.recorder.unreached.unfired() if found else ():
            if uncalled in found:
                return called_twice(found[uncalled], uncalled)
        return None

    def tell_unmeasured(self, step: int) -> None:
        """Warn of what a step that was observed says nothing of."""
        if self.recorder.state.copies.differing:
            tell_differing(self.recorder, step, self._door)
        if self.recorder.lost:
            tell_lost(self.recorder, step, self._door)
        if self.recorder.unreached.in_evaluation_mode and not self._told_evaluation:
            self._told_evaluation = True
            tell_evaluation(self.recorder, self._door)
