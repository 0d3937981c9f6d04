"""Which modules of a network are watched, and what they are called."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from layerscope.record.distributed.shards import class_of
from layerscope.record.network.layer_names import common_prefix, label_of, unwrapped
from layerscope.record.network.nonlinearities import Nonlinearity, nonlinearity_of

# Modules with children that compute as one: their children's forward is never called.
_WHOLE = (nn.MultiheadAttention,)


@dataclass(frozen=True, slots=True)
class Layer:
    """One watched place of a network.

    Attributes:
        name: order number and module path, such as `03_encoder.conv` or `01_tanh`.
        path: path, in the watched network, of the module whose output is the activation.
        nonlinearity: what that module is, if it is a known activation function.
        parameters: (name, parameter) of the layer, such as ("weight", W); for a linear module and
            the activation function that follows it they are the linear module's.
        entry: the module that gets the layer's input: the linear one of such a pair.
        has_output: whether its output is watched. False of a module that is made of others and has
            parameters beside theirs: what it gives is what they give.
        function: of an activation function that is no module, its name, such as `gelu`; `module`
            is then the one that calls it.
    """

    name: str
    path: str
    module: nn.Module
    nonlinearity: Nonlinearity | None
    parameters: tuple[tuple[str, nn.Parameter], ...]
    entry: nn.Module
    has_output: bool = True
    function: str = ""


Choice = str | type[nn.Module] | Sequence[type[nn.Module]] | None
"""Which modules: a regular expression on their paths, classes of modules, or all that compute."""


def check_choice(choice: Choice) -> None:
    """Raise ValueError if a choice is neither None, nor a regular expression, nor classes."""
    if choice is None:
        return
    if isinstance(choice, str):
        try:
            re.compile(choice)
        except re.error as error:
            raise ValueError(
                f"layers must be a regular expression, got {choice!r}: {error}"
            ) from None
        return
    classes = choice if isinstance(choice, Sequence) else [choice]
    if not classes or not all(isinstance(each, type) for each in classes):
        raise ValueError(f"layers must be a regular expression or module classes, got {choice!r}")


def choose_layers(network: nn.Module, choice: Choice = None) -> tuple[Layer, ...]:
    """The layers of a network, in the order in which its modules were registered.

    Watched are the modules that compute: those with parameters of their own and no children that
    compute (linear, convolution, normalisation, embedding, recurrent), attention, and activation
    functions. In a plain `nn.Sequential` an activation function and the module with parameters
    right before it are one layer: its weights are that module's, its activation is the function's
    output; not so an activation object that stands in several places. Of a module that is made of
    others (a class token, a layer's scale, experts in one tensor, a `ParameterList`) the parameters
    that are its own are watched, and no output.

    Names say the module path without what all paths have in common; a path of nothing but
    positions (`0`, `1.2`) says nothing, so the class stands for it.

    Args:
        choice: a regular expression keeps the layers whose path matches it somewhere; classes
            watch every module of these classes, whatever it is made of, instead of those above.

    Raises:
        ValueError: the choice is no regular expression, or no module is left to watch.
    """
    check_choice(choice)
    if choice is None or isinstance(choice, str):
        chosen = _matching(list(_computing(network)), choice)
    else:
        chosen = list(_of_classes(network, choice))
    if not chosen:
        chosen_by = "" if choice is None else f" that layers={choice!r} chooses"
        raise ValueError(f"{class_of(network).__name__} has no module to watch{chosen_by}")
    prefix = common_prefix([layer.path for layer in chosen if layer.has_output])
    digits = max(2, len(str(len(chosen) - 1)))
    return tuple(
        replace(
            layer, name=f"{order:0{digits}d}_{label_of(layer.path, layer.module, prefix, network)}"
        )
        for order, layer in enumerate(chosen)
    )


def _matching(layers: list[Layer], pattern: str | None) -> list[Layer]:
    if pattern is None:
        return layers
    wanted = re.compile(pattern)
    return [layer for layer in layers if wanted.search(layer.path)]


def _of_classes(
    network: nn.Module, classes: type[nn.Module] | Sequence[type[nn.Module]]
) -> Iterator[Layer]:
    """Modules of these classes, each with the parameters that are its own."""
    wanted = (classes,) if isinstance(classes, type) else tuple(classes)
    inside = {
        part
        for whole in network.modules()
        if isinstance(whole, _WHOLE)
        for part in whole.modules()
        if part is not whole
    }  # whose forward is never called
    for path, module in network.named_modules():
        if isinstance(module, wanted) and module not in inside:
            bare = unwrapped(path)
            function, parameters = nonlinearity_of(module), _own_parameters(module)
            yield Layer(bare, bare, module, function, parameters, module)


def _computing(network: nn.Module) -> Iterator[Layer]:
    """The watched modules, named by their bare path."""
    seen: set[nn.Module] = set()
    modules = list(_with_parameters(network, "", _shared(network)))
    of_parts = {
        parameter
        for _, module, before in modules
        for part in (module, before)
        if part is not None and _computes_by_itself(part)
        for _, parameter in _own_parameters(part)
    }
    for path, module, before in modules:
        if module in seen:  # one module under two names is one layer
            continue
        seen.add(module)
        if not _computes_by_itself(module):
            beside = tuple(
                (name, parameter)
                for name, parameter in _own_parameters(module)
                if parameter not in of_parts  # a name for a part's weight is no other weight
            )
            if beside:
                yield Layer(path, path, module, None, beside, module, has_output=False)
            continue
        nonlinearity = nonlinearity_of(module)
        parameters, entry = _own_parameters(module), module
        if nonlinearity is not None and before is not None:
            parameters, entry = _own_parameters(before) + parameters, before
        if parameters or nonlinearity is not None:
            yield Layer(path, path, module, nonlinearity, parameters, entry)


def _shared(network: nn.Module) -> set[nn.Module]:
    """Modules in several places: an activation object that blocks share follows several layers, and
    is the end of none of them.
    """
    places = Counter(part for module in network.modules() for part in module._modules.values())
    return {module for module, count in places.items() if count > 1 and module is not None}


def _with_parameters(
    module: nn.Module, path: str, shared: Collection[nn.Module]
) -> Iterator[tuple[str, nn.Module, nn.Module | None]]:
    """(path, module, the module that it follows and makes one layer with) of all leaves, and of
    modules with parameters beside those of their children, before these.
    """
    if _computes_by_itself(module):
        yield path, module, None
        return
    if _own_parameters(module):
        yield path, module, None
    children = _children(module)
    in_order = getattr(type(module), "forward", None) is nn.Sequential.forward  # scripted: none

    def are_one(module: nn.Module, following: nn.Module) -> bool:
        return following not in shared and _makes_one_layer(module, following)

    for position, (name, child) in enumerate(children):
        following = children[position + 1][1] if position + 1 < len(children) else None
        if in_order and following is not None and are_one(child, following):
            continue
        before = children[position - 1][1] if in_order and position else None
        child_path = f"{path}.{name}" if path else name
        for leaf_path, leaf, leaf_before in _with_parameters(child, child_path, shared):
            if leaf is child and before is not None and are_one(before, child):
                leaf_before = before
            yield unwrapped(leaf_path), leaf, leaf_before


def _children(module: nn.Module) -> list[tuple[str, nn.Module]]:
    # What torch.nn.utils.parametrize adds to a module computes its weights, not its output.
    return [(name, c) for name, c in module.named_children() if name != "parametrizations"]


def _computes_by_itself(module: nn.Module) -> bool:
    """Whether no part of it is a layer: what children it has (a dropout, a pooling) have no
    parameters, and are no known functions.
    """
    if isinstance(module, _WHOLE):
        return True
    if isinstance(module, nn.ParameterList | nn.ParameterDict):  # is never called
        return False
    children = _children(module)
    if not children:
        return True
    parts = [part for _, child in children for part in child.modules()]
    return bool(_own_parameters(module)) and not any(
        nonlinearity_of(part) is not None or next(part.parameters(), None) is not None
        for part in parts
    )


def _makes_one_layer(module: nn.Module, following: nn.Module) -> bool:
    is_weighted = not _children(module) and bool(_own_parameters(module))
    return (
        is_weighted and nonlinearity_of(module) is None and nonlinearity_of(following) is not None
    )


def _own_parameters(module: nn.Module) -> tuple[tuple[str, nn.Parameter], ...]:
    if isinstance(module, _WHOLE):
        return tuple(module.named_parameters())
    own = tuple(module.named_parameters(recurse=False))
    if not is_parametrized(module):
        return own
    originals = module.get_submodule("parametrizations").named_parameters()
    return own + tuple(originals)
