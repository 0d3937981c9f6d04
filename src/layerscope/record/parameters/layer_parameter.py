"""A parameter that is measured, and what it is called."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from layerscope.measure.measurable import is_measurable
from layerscope.quantity import Quantity
from layerscope.record.channel import Channel
from layerscope.record.distributed.shards import local_part
from layerscope.record.network.layers import Layer


@dataclass(frozen=True, slots=True, eq=False)
class LayerParameter:
    """A parameter that is measured.

    Attributes:
        layer: the name of the layer that has it.
        channel: its kind, `weight` or `bias`, and its entry: the layer's name, or, of a parameter
            with a name of its own, `NN_path.weight_hh_l0`.
        gradient, value, update: rows; -1 measures none.
    """

    parameter: nn.Parameter
    layer: str
    channel: Channel
    gradient: int = -1
    value: int = -1
    update: int = -1


def parameters_of(
    layers: Sequence[Layer], biases: bool
) -> Iterator[tuple[nn.Parameter, str, Channel]]:
    """(parameter, layer, kind and entry); a parameter that two layers share is the first one's."""
    seen: set[nn.Parameter] = set()
    for layer in layers:
        taken: set[Channel] = set()
        for name, parameter in layer.parameters:
            if parameter in seen or not (biases or _kind(name) is Quantity.WEIGHT):
                continue
            seen.add(parameter)
            channel = _kind_and_entry(layer.name, name)
            if channel in taken:  # a PReLU's weight, after that of the linear module before it
                channel = Channel(
                    channel.quantity, f"{layer.name}.{type(layer.module).__name__.lower()}.{name}"
                )
            taken.add(channel)
            yield parameter, layer.name, channel


def _kind(name: str) -> Quantity:
    """`bias` also for in_proj_bias, bias_hh_l0 and out_proj.bias."""
    last = name.rpartition(".")[2]
    is_bias = last.startswith("bias") or last.endswith("bias")
    return Quantity.BIAS if is_bias else Quantity.WEIGHT


def _kind_and_entry(layer: str, name: str) -> Channel:
    """`weight` and `bias` are the layer's; another parameter, say weight_hh_l0, says its name."""
    kind = _kind(name)
    return Channel(kind, layer if name == kind else f"{layer}.{name}")


def why_not_measured(parameter: nn.Parameter) -> str | None:
    """Why a parameter cannot be measured, as complex and quantized numbers cannot. None if it can,
    or if its numbers are not there yet.
    """
    if is_lazy(parameter) or parameter.is_meta or is_measurable(local_part(parameter)):
        return None
    return f"it is {type(parameter).__name__}, {parameter.dtype}, {parameter.layout}"


def values_of(gradient: Tensor) -> Tensor:
    """What this process has of a gradient; of a sparse one the values of the rows it touches."""
    if type(gradient) is not Tensor:
        gradient = local_part(gradient)
    return gradient.coalesce().values() if gradient.is_sparse else gradient
