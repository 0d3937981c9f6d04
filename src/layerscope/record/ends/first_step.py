"""What is seen of a network in the first step: in its modules' calls, and in its graph."""

import sys
import weakref
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn

from layerscope.record.distributed.shards import class_of, gathers_parameters
from layerscope.record.graph.axes_of_step import MixedViews, PlacesAxis, SoftmaxWithin
from layerscope.record.graph.layer_graph import OF_PARAMETER, Wiring, wiring
from layerscope.record.graph.moved_outputs import is_of_parameter, masked_before
from layerscope.record.graph.norms_of_few import NormsWithoutParameters
from layerscope.record.graph.own_backward import OwnBackward
from layerscope.record.graph.view_to_sequence import ViewToSequence
from layerscope.record.graph_nodes import VIEWS, inputs_of, kind_of, shape_of
from layerscope.record.network.layers import Layer
from layerscope.record.outputs import tensors_in


class Unregistered:
    """Parameters that no module has: found once, in the graph of the first step; later counted.

    A module in a Python list or dict is no part of the module that holds the list: `parameters()`
    does not give its weights, and an optimizer never gets them. Autograd's graph has them all the
    same.
    """

    def __init__(self) -> None:
        self._inputs: list[Any] = []  # kept, so that no later object gets the same id
        self._found: list[weakref.ref[Tensor]] = []
        self._is_new = True

    def note_inputs(self, inputs: object) -> None:
        """What the network is called with: what that is made of is somebody else's."""
        self._inputs += [
            tensor.grad_fn or tensor for _, tensor in tensors_in(inputs) if tensor.requires_grad
        ]

    def find(self, network: nn.Module, returned: Iterable[Any], see: Callable[[Any], None]) -> None:
        """Walk the graph from the outputs to the inputs; once, some microseconds a node.

        Args:
            network: whose parameters are known.
            returned: the nodes of its outputs.
            see: is called with each node.
        """
        stop = {id(each) for each in self._inputs}
        own = {id(parameter) for parameter in network.parameters()}
        seen, waiting, kept = set(), list(returned), []
        while waiting:
            node = waiting.pop()
            variable = getattr(node, "variable", None)  # of a leaf
            if id(node) in seen or id(node) in stop or id(variable) in stop:
                continue
            seen.add(id(node))
            kept.append(node)
            see(node)
            if isinstance(variable, nn.Parameter) and id(variable) not in own:
                self._found.append(weakref.ref(variable))
            waiting += inputs_of(node)
        self._inputs.clear()

    def count(self, owned: Callable[[], Collection[int]]) -> tuple[int, int]:
        """How many there are still that no optimizer has; and how many are gone, since each
        forward pass makes them anew. The first call gives zeros: the graph that keeps these alive
        is still there.

        Args:
            owned: ids of the parameters that optimizers have; asked only where it matters.
        """
        is_new, self._is_new = self._is_new, False
        if is_new or not self._found:
            return 0, 0
        there = [parameter() for parameter in self._found]
        known = owned()
        left = [each for each in there if each is not None and id(each) not in known]
        return len(left), sum(each is None for each in there)


_IN_ORDER = (
    *("Convolution", "MkldnnConvolution", "MkldnnRnnLayer", "CudnnRnn"),
    *("ThnnFusedLstmCell", "ThnnFusedGruCell"),
)


class OrderRead:
    """Told in the first step only: a convolution, a recurrent layer of torch's, or rows that are
    laid side by side for a layer, [samples, places * width] of [samples, places, width].
    """

    def __init__(self) -> None:
        self.is_any = False

    def see(self, node: Any) -> None:
        """A node of the graph of the network's output."""
        kind = kind_of(node)
        self.is_any |= kind in _IN_ORDER
        before = getattr(node, "_saved_self_sym_sizes", None)
        if kind in VIEWS and before is not None and len(before) == 3:
            samples, places, width = before
            self.is_any |= places > 1 and shape_of(node) == (samples, places * width)


class FirstStep:
    """Knows how layers hang together, and hands on what happens to those that look at it.

    Attributes:
        views, view_to_sequence, order, places, softmax: these, which look at its axes.
        backward: looks at functions with a backward of their own.
        unregistered: parameters that the network has not; not looked for under FSDP, which computes
            with others.
        wiring: how layers hang together, once the step has ended; and which were called within an
            activation checkpoint that is an autograd function (`use_reentrant=True`).
    """

    def __init__(self) -> None:
        self.views, self.order, self.places = MixedViews(), OrderRead(), PlacesAxis()
        self.view_to_sequence = ViewToSequence()
        self.softmax, self.unregistered = SoftmaxWithin(), Unregistered()
        self.backward, self._norms = OwnBackward(), NormsWithoutParameters()
        self.wiring: dict[str, Wiring] = {}
        self._returned: list[Any] = []  # nodes of the tensors that calls from outside gave
        self._reached: dict[str, tuple[str, nn.Module, nn.Module, Any]] = {}
        self._of_parameter: set[str] = set()
        self._masked: set[Any] = set()
        self._in_checkpoint: set[str] = set()

    def begin(self, inputs: object) -> None:
        """The network is called."""
        self.unregistered.note_inputs(inputs)
        self.views.begin(inputs)
        self.softmax.begin(inputs)

    def note(self, module: nn.Module, inputs: object, output: object) -> None:
        """A module of the network has given an output."""
        self.views.note(module, inputs, output)
        self.view_to_sequence.note(module, inputs)
        self.places.note(module, inputs, output)
        self._norms.note(module, inputs, output)

    def note_returned(self, output: object) -> None:
        """A call from outside has returned this."""
        self.softmax.note_returned(output)
        nodes = [tensor.grad_fn for _, tensor in tensors_in(output) if tensor.grad_fn is not None]
        self._returned += nodes
        self.backward.look(nodes)

    def reach(self, layer: Layer, output: object, inputs: object = ()) -> None:
        """A layer has given an output, of these positional arguments where they are known."""
        tensor = next((tensor for _, tensor in tensors_in(output)), None)
        node = None if tensor is None else tensor.grad_fn
        is_linear = class_of(layer.entry) is nn.Linear and layer.entry is layer.module
        may_be = is_linear or layer.nonlinearity is not None
        if may_be and tensor is not None and is_of_parameter(tensor, is_linear):
            self._of_parameter.add(layer.name)
            return
        if node is None and not torch.is_grad_enabled() and _is_in_checkpoint():
            self._in_checkpoint.add(layer.name)
        known = self._reached.get(layer.name)
        # The first call that has a gradient: one before, without, was another's forward pass.
        if known is None or known[3] is None:
            if is_linear and node is not None:
                given = inputs[0] if isinstance(inputs, tuple) and inputs else None
                self._masked.update(masked_before(node, given))
            self._reached[layer.name] = (layer.name, layer.entry, layer.module, node)

    @property
    def has_reached(self) -> bool:
        """Whether any layer has given an output."""
        return bool(self._reached)

    def _see(self, node: Any) -> None:
        """A node of the graph of the network's output."""
        for each in (self.views, self.order, self.places, self.softmax):
            each.see(node)

    def end(self, network: nn.Module, get_data: Collection[str]) -> None:
        """The step is over: look at its graph."""
        of_parameter = dict.fromkeys(self._of_parameter - self._reached.keys(), OF_PARAMETER)
        norms = self._norms.take(network)
        reached = list(self._reached.values())
        wired = wiring(reached, self._returned, get_data, norms, self._masked)
        within = self._in_checkpoint & wired.keys()
        within_too = {name: replace(wired[name], in_checkpoint=True) for name in within}
        self.wiring = wired | within_too | of_parameter
        if not gathers_parameters(network):
            self.unregistered.find(network, self._returned, self._see)
        self.views.end()
        self.forget()

    def forget(self) -> None:
        """Let go of the graph, and of what was reached in it."""
        self._returned.clear()
        self._norms.forget()
        self._reached.clear()
        self._of_parameter.clear()
        self._masked.clear()
        self._in_checkpoint.clear()


def _is_in_checkpoint() -> bool:
    """Whether the innermost autograd function that runs is one of a module of that name, torch's
    own or another's.
    """
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        home = str(frame.f_globals.get("__name__", ""))
        code = frame.f_code
        if code.co_name == "forward" and code.co_varnames[:1] == ("ctx",):
            return "checkpoint" in home.rpartition(".")[2]
        frame = frame.f_back
    return False
