"""Layers that turn up while a network runs: the activation functions that its modules call."""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from torch import nn

from layerscope.record.network.layer_names import common_prefix, first_free, place_of, unwrapped
from layerscope.record.network.layers import Choice, Layer
from layerscope.record.network.nonlinearities import (
    Nonlinearity,
    nonlinearity_named,
    nonlinearity_of,
)
from layerscope.record.output_hook import OutputHook
from layerscope.record.place import Place
from layerscope.record.recorder import Recorder

MOST_OF_A_MODULE = 256
"""Functions of one module that become layers, at most: an unrolled recursion has thousands."""


class FunctionLayers:
    """Names functions, and gives each a layer among a recorder's.

    A function's layer follows the one that was reached last before it, and has its number:
    `03_block.1/gelu` is what the module `block.1` applies after layer 03. A second `gelu` there,
    in another place of the code, is `.../gelu_1`.

    Args:
        choice: which to watch, as for `choose_layers`; a regular expression is matched with the
            module's path, a slash and the function; where classes are chosen, no function is.
    """

    def __init__(self, network: nn.Module, recorder: Recorder, choice: Choice = None) -> None:
        self._network = network
        self._recorder = recorder
        self._choice = choice
        self._prefix = common_prefix(
            [layer.path for layer in recorder.hooked.layers if layer.has_output]
        )
        self._paths: dict[nn.Module, str] = {}
        self._count: Counter[nn.Module] = Counter()
        self._unclaimed: dict[str, OutputHook] = {}  # which other ranks have met
        self._places: set[str] = set()

    def meet(self, module: nn.Module, function: str, args: Any, kwargs: Any) -> OutputHook | None:
        """A hook that measures a function's outputs; None for one that is not watched."""
        path = self._path(module)
        if path is None or not self._wanted(f"{path}/{function}"):
            return None
        if self._count[module] >= MOST_OF_A_MODULE:
            return None
        self._count[module] += 1
        name = self._name(module, path, function, self._recorder.state.latest)
        if name in self._unclaimed:
            return self._unclaimed.pop(name)
        kind = _nonlinearity(function, args, kwargs)
        latest = self._recorder.state.latest
        after = latest.name if latest else ""
        layer = Layer(name, path, module, kind, (), module, function=function)
        return self._recorder.hooked.add_function(layer, after)

    def meet_place(self, module: nn.Module, kind: str) -> Place | None:
        """A name for the attention, or the choice among experts, that is in a module's code; None
        for one that is not to be watched.

        It follows the layer that was reached last before it; `nn.MultiheadAttention`, itself.
        """
        path = self._path(module)
        if path is None or not self._wanted(f"{path}/{kind}"):
            return None
        layers = self._recorder.hooked.layers
        own = (each for each in layers if each.module is module and not each.function)
        before = next(own, self._recorder.state.latest)
        name = self._name(module, path, kind, before)
        self._places.add(name)
        return Place(name, path, kind)

    def came_before(self, modules: Iterable[nn.Module]) -> bool:
        """Whether one of these, or a part of one, gave its output before the layer that was reached
        last, in this step or an earlier one.
        """
        orders = {name: order for name, _, order in self._recorder.hooked.found()}
        latest = self._recorder.state.latest
        now = orders.get(latest.name, 0) if latest else 0
        parts = {part for module in modules for part in module.modules()}
        layers = (each for each in self._recorder.hooked.layers if each.module in parts)
        return any(0 <= orders.get(layer.name, -1) < now for layer in layers)

    def meet_others(self, found: Iterable[tuple[str, str, str, str]]) -> None:
        """Make layers of functions that other ranks have met, or the run that goes on.

        Args:
            found: (name, path, function, name of the layer before) by `HookedLayers.functions`.
        """
        known = {layer.name for layer in self._recorder.hooked.layers}
        by_path = {unwrapped(path): module for path, module in self._network.named_modules()}
        for name, path, function, after in found:
            if name not in known and path in by_path:
                known.add(name)
                module = by_path[path]
                kind = nonlinearity_of(module) or _nonlinearity(function, (), {})
                layer = Layer(name, path, module, kind, (), module, function=function)
                self._unclaimed[name] = self._recorder.hooked.add_function(layer, after)
        self._recorder.hooked.sort_functions()

    def _wanted(self, path: str) -> bool:
        if isinstance(self._choice, str):
            return re.search(self._choice, path) is not None
        return self._choice is None

    def _path(self, module: nn.Module) -> str | None:
        """Of a module of the network; it may have come in since the start."""
        if module not in self._paths:
            named = self._network.named_modules()
            self._paths = {each: unwrapped(path) for path, each in named}
        return self._paths.get(module)

    def _name(self, module: nn.Module, path: str, function: str, before: Layer | None) -> str:
        number = before.name.partition("_")[0] if before else "00"
        base = f"{number}_{place_of(path, module, self._prefix, self._network)}/{function}"
        taken = {layer.name for layer in self._recorder.hooked.layers} - set(self._unclaimed)
        taken |= self._places
        return first_free(base, taken)


def _nonlinearity(function: str, args: Any, kwargs: Any) -> Nonlinearity | None:
    slope = args[1] if len(args) > 1 else kwargs.get("negative_slope")
    if function.startswith("leaky_relu") and slope == 1:
        return None
    kind = nonlinearity_named(function.replace("_", ""))
    if function == "hardtanh":
        low = args[1] if len(args) > 1 else kwargs.get("min_val", -1)
        high = args[2] if len(args) > 2 else kwargs.get("max_val", 1)
        bounds = float(low), float(high)
        return Nonlinearity("hardtanh", bounds, odd=bounds[0] == -bounds[1])
    return kind
