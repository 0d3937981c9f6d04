"""What does not change about the layers of a network, for the rules and for whoever reads a run."""

import math
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from torch import Tensor, nn

from layerscope.diagnose.measured.layer_facts import LayerFacts
from layerscope.record import Layer
from layerscope.record.distributed.shards import class_of
from layerscope.record.ends.ends import normalized_together, normalizes, normalizes_by_batch
from layerscope.record.graph.layer_graph import Wiring
from layerscope.record.layer_output import LayerOutput
from layerscope.record.parameters.layer_parameter import LayerParameter
from layerscope.record.place import Place


def layer_facts(
    layers: Sequence[Layer],
    outputs: Sequence[LayerOutput],
    parameters: Sequence[LayerParameter],
    wiring: Mapping[str, Wiring],
    configured: bool = False,
    dropout_at: str = "",
    frozen_in_name: Mapping[int, str] = MappingProxyType({}),
) -> tuple[LayerFacts, ...]:
    """An entry for each output, and for each name of parameters that no output has; in network
    order; `configured` is of all of them, and `dropout_at` and `frozen_in_name` of the network.
    """
    of_parameter = {name for name, each in wiring.items() if each.of_parameter}
    reached = [output.order for output in outputs if output.layer.name not in of_parameter]
    last = max(reached, default=-1)
    kinds: dict[str, list[str]] = {}
    trainable: dict[str, bool] = {}
    for each in parameters:
        entry = each.channel.layer
        kinds.setdefault(entry, []).append(each.channel.quantity.value)
        trainable[entry] = trainable.get(entry, False) or each.parameter.requires_grad
    made: list[LayerFacts] = []
    for layer in layers:
        paths = [frozen_in_name.get(id(parameter)) for _, parameter in layer.parameters]
        frozen_by = next((path for path in paths if path is not None), None)
        of_layer = [output for output in outputs if output.layer is layer]
        names = {output.name for output in of_layer}
        own = {each.channel.layer for each in parameters if each.layer == layer.name} - names
        features = of_layer[0].features if len(of_layer) == 1 else None
        made += [
            LayerFacts(
                name=output.name,
                path=layer.path,
                module=layer.function or class_of(layer.module).__name__,
                order=output.order,
                normalizes=not layer.function and normalizes(layer.entry),
                by_batch=not layer.function and normalizes_by_batch(layer.entry),
                weights=tuple(kinds.get(output.name, ())),
                trainable=trainable.get(
                    output.name, any(p.requires_grad for _, p in layer.parameters)
                ),
                last=output.order == last >= 0,
                end=output.order != last and layer.name in wiring and wiring[layer.name].is_end,
                dropout_at=dropout_at if output.order == last >= 0 else "",
                frozen_in_name=frozen_by,
                width=None if layer.function else width_of(layer.entry, output.features),
                without_bias=not layer.function and getattr(layer.entry, "bias", True) is None,
                skipped=0.0 if layer.function else skipped_places(layer.entry),
                ahead=not layer.function and reads_ahead(layer.entry),
                configured=configured,
                **_of_function(layer),
                **_of_wiring(layer, wiring),
                **_normalized_of(layer, wiring),
            )
            for output in of_layer
        ]
        made += [
            LayerFacts(
                name=name,
                path=layer.path,
                module=class_of(layer.module).__name__,
                weights=tuple(kinds[name]),
                trainable=trainable[name],
                frozen_in_name=frozen_by,
                width=width_of_named(layer, name, features),
                configured=configured,
            )
            for name in sorted(own)
        ]
    return tuple(made)


def _of_function(layer: Layer) -> dict[str, Any]:
    function = layer.nonlinearity
    if function is None:
        return {}
    return {
        "nonlinearity": function.name,
        "bounds": function.bounds,
        "odd": function.odd,
        "can_die": function.can_die,
    }


def _of_wiring(layer: Layer, wiring: Mapping[str, Wiring]) -> dict[str, Any]:
    known = wiring.get(layer.name)
    if known is None:  # one that the first step left out, as a LayerDrop does, may be left out
        return {"on_trunk": not (layer.function or wiring)}
    return {
        "on_trunk": known.on_trunk,
        "fed": bool(known.parents),
        "follows": known.follows,
        "of_parameter": known.of_parameter,
        "in_checkpoint": known.in_checkpoint,
    }


def _normalized_of(layer: Layer, wiring: Mapping[str, Wiring]) -> dict[str, Any]:
    if layer.function:
        return {}
    known = wiring.get(layer.name)
    own, in_graph = normalized_together(layer.entry), known.normalized_of if known else 0
    # A layer of torch's that is none itself gets what one that is no layer has made.
    is_torchs = class_of(layer.entry).__module__.startswith("torch.")
    if own or normalizes(layer.entry) or not is_torchs:
        return {"together": own or in_graph}
    if known is None or not known.none_passes:
        return {}
    return {"gets_few": in_graph, "few_by": known.normalized_by}


def place_facts(places: Iterable[Place], configured: bool) -> tuple[LayerFacts, ...]:
    """An entry for each place that is no layer."""
    return tuple(
        LayerFacts(
            *(place.name, place.path, place.kind),
            trainable=False,
            stream=place.stream,
            stream_depth=place.depth,
            configured=configured,
        )
        for place in places
    )


def reads_ahead(module: nn.Module) -> bool:
    """Whether it is a `Conv1d` that keeps the length, and pads both ends alike: a place reads as
    many behind it as before it. One that pads more gives more places than it gets, of which the
    last may be cut off, so that none reads ahead.

    >>> reads_ahead(nn.Conv1d(1, 8, 3, padding=1)), reads_ahead(nn.Conv1d(1, 8, 3, padding=2))
    (True, False)
    """
    if not isinstance(module, nn.Conv1d) or module.stride != (1,) or module.kernel_size == (1,):
        return False
    reach = module.dilation[0] * (module.kernel_size[0] - 1)
    return module.padding == "same" or 2 * int(module.padding[0]) == reach


_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


def skipped_places(module: nn.Module) -> float:
    """Share of the places of a convolution's input that lie between its windows: it reads, along
    each axis, those whose remainder by the stride one of the kernel's elements has. 0 of any other
    module.

    An axis with a kernel of 1 is left out: to take every second place is what a shortcut does
    beside a block that halves its places (He et al. 2016, Deep Residual Learning, section 3.3).

    >>> skipped_places(nn.Conv2d(1, 8, 2, stride=6)), skipped_places(nn.Conv1d(4, 4, 3, stride=2))
    (0.8888888888888888, 0.0)
    """
    if not isinstance(module, _CONVOLUTIONS):
        return 0.0
    axes = zip(module.kernel_size, module.stride, module.dilation, strict=True)
    read = (
        len({element * apart % stride for element in range(size)}) / stride
        for size, stride, apart in axes
        if size > 1
    )
    return 1 - math.prod(read)


_MATRIX = 2

Width = tuple[int, int]
"""(inputs, outputs): how many inputs each output is made of, and how many outputs there are."""


def width_of(module: nn.Module, features: tuple[int, int]) -> Width | None:
    """Of a module's own weight; None without one, of a table of embeddings, from which rows are
    taken, and of a transposed convolution, in whose shape it does not stand. A matrix may be
    [outputs, inputs], as torch's own are, or [inputs, outputs], as GPT-2's are and any that is
    written as `x @ W`.

    Args:
        features: how many numbers it takes and gives, each 0 if that is not known.
    """
    # Not by its name as an attribute: to ask for the weight of a spectral norm is to change it.
    weight = dict(module.named_parameters(recurse=False)).get("weight")
    if isinstance(module, nn.Linear):
        return int(module.in_features), int(module.out_features)  # numpy's, of np.prod: no JSON
    is_table = isinstance(module, (nn.Embedding, nn.EmbeddingBag))
    if is_table or getattr(module, "transposed", False) or weight is None or weight.ndim < _MATRIX:
        return None
    return _oriented(weight, *features)


def width_of_named(layer: Layer, name: str, features: tuple[int, int] | None) -> Width | None:
    """Of a matrix with an entry of its own, such as `02_attention.in_proj_weight`; None unless it
    is one of torch's attention or recurrences, or its layer's only matrix, between what that takes
    and gives.

    Args:
        features: what the layer takes and gives; None where it gives several tensors.
    """
    matrices = {own: each for own, each in layer.parameters if each.ndim == _MATRIX}
    matrix = next((each for own, each in matrices.items() if name.endswith("." + own)), None)
    if matrix is None:
        return None
    if isinstance(layer.module, (nn.MultiheadAttention, nn.RNNBase, nn.RNNCellBase)):
        return int(matrix.shape[1]), int(matrix.shape[0])
    if features is None or len(matrices) > 1 or sorted(features) != sorted(matrix.shape):
        return None
    return _oriented(matrix, *features)


def _oriented(weight: Tensor, given: int, made: int) -> Width:
    rows, rest = int(weight.shape[0]), math.prod(weight.shape[1:])
    if weight.ndim == _MATRIX and made != rows and (given == rows or (not given and made == rest)):
        return rows, rest
    return rest, rows
