"""Whether the units of a layer have the same weights."""

from collections.abc import Collection, Sequence

from torch import Tensor, nn

from layerscope.quantity import Quantity
from layerscope.record.distributed.shards import local_part
from layerscope.record.parameters.layer_parameter import LayerParameter


class AlikeRows:
    """Compares the rows of a weight at each look, until they differ; it is not looked at again.

    Args:
        parameters: which; others than weights of two rows and more on this process are passed over,
            and a scale for each head, [heads, 1, 1], which may start at 1 and move alike.
        left: by entry, what `left` was in the run that goes on; None of a new one: all.
    """

    def __init__(
        self, parameters: Sequence[LayerParameter], left: Collection[str] | None = None
    ) -> None:
        self._left = [
            each
            for each in parameters
            if each.channel.quantity is Quantity.WEIGHT
            and (left is None or each.channel.layer in left)
            and each.parameter.ndim > 1
            and not isinstance(each.parameter, nn.UninitializedParameter)
            and not each.parameter.is_complex()
            and len(part := local_part(each.parameter)) > 1
            and part.numel() > (len(part) if part.ndim > 2 else 0)
        ]

    @property
    def left(self) -> list[str]:
        """The entries whose rows have not differed so far."""
        return [each.channel.layer for each in self._left]

    def look(self) -> dict[str, float]:
        """By entry, largest difference between rows / largest |weight|; 0 if all are alike.

        Waits for the device, for each weight whose rows have not differed before.
        """
        spreads = {
            each.channel.layer: _spread(local_part(each.parameter).detach()) for each in self._left
        }
        self._left = [each for each in self._left if spreads[each.channel.layer] == 0]
        return spreads


class RowSpreads:
    """What rows of weights differ by, from before the first step on.

    Args:
        left: see `AlikeRows`.
    """

    def __init__(self, left: list[str] | None = None) -> None:
        self._left = left
        self._rows: AlikeRows | None = None
        self._begun: dict[str, float] = {}

    @property
    def left(self) -> list[str] | None:
        """See `AlikeRows`; None before the first look."""
        return self._left if self._rows is None else self._rows.left

    def forget(self) -> None:
        """The network has changed."""
        self._rows = None

    def begin(self, parameters: Sequence[LayerParameter]) -> None:
        """An optimizer is about to take its first step: random biases then part rows that are alike
        by next to nothing.
        """
        if not self._begun:  # a loop may call this again behind its step
            # A scale for each row, as IA3 has, may start at 1: they do not get the same.
            several = [each for each in parameters if _has_columns(each.parameter)]
            self._begun = AlikeRows(several).look()

    def look(self, parameters: Sequence[LayerParameter]) -> dict[str, float]:
        """See `AlikeRows`; at first what it was before the first step."""
        self._rows = self._rows or AlikeRows(parameters, self._left)
        begun, self._begun = self._begun, {}
        return self._rows.look() | begun


def _has_columns(parameter: nn.Parameter) -> bool:
    return (
        not isinstance(parameter, nn.UninitializedParameter)
        and parameter.ndim > 1
        and parameter.numel() > len(parameter)
    )


def _spread(weight: Tensor) -> float:
    rows = weight[: min(len(weight), 64)].flatten(1).float()
    largest = float(rows.abs().max())
    return float((rows.amax(0) - rows.amin(0)).max()) / largest if largest else 0.0
