"""What does not change about a layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from layerscope.diagnose.measured.plain_types import check_types


@dataclass(frozen=True, slots=True)
class LayerFacts:
    """What does not change about a layer, as plain types.

    Attributes:
        name: as in tags, such as `03_encoder.conv`; parameters with names of their own, say
            `02_lstm.weight_hh_l0`, are entries of their own, without an activation.
        path: of the module, as `named_modules` has it.
        module: the module's class.
        order: in which forward passes reach the layer, from 0; -1 if they don't.
        nonlinearity: the activation function's name in lower case; None for any other module.
        bounds: the range of its outputs where both ends are finite, else None.
        odd: whether it is odd, so that a healthy mean is about 0.
        can_die: whether a unit can get where its derivative is zero or small for good.
        normalizes: whether the module that gets its input is a normalisation.
        by_batch: whether it is one that takes mean and deviation of its own batch.
        together: of one that looks at a sample alone, as a layer normalisation does, how many of
            its numbers it normalises together, where its class or the first step's graph tells; 0
            of any other.
        gets_few: of a layer all of whose input has been through a normalisation of one or two
            numbers that is no layer, as it has no parameters, how many these are; else 0.
        few_by: path and class of the module that makes it, if it is one; else "".
        weights: which of the entry's parameters are measured: "weight", "bias".
        trainable: whether any of its parameters required a gradient at the start.
        last: whether it is the last in order: logits and other outputs may have any scale.
        end: whether one of several networks, or of a network's heads, ends with it, and it is not
            the last in order: a call from outside returns its output, and no layer gets that but
            one that gets data too.
        on_trunk: whether every path of the gradient from the loss to the data passes it. A branch
            beside a residual stream, or one of several heads, may get as little as it likes.
        fed: whether a gradient on its output would come to the output of another layer.
        follows: the linear layer whose output it receives with no function in between; "" if none.
        dropout_at: of the last in order, the path and the class of the module that drops most in
            the network; "" of all others.
        of_parameter: whether it is a function of a parameter alone, such as a gate's sigmoid or a
            constraint's softplus.
        in_checkpoint: whether the first step called it within an activation checkpoint that is an
            autograd function, which has a gradient by what it gets alone.
        frozen_in_name: path of the module that has its parameters, or of one above, on which
            somebody set `requires_grad = False`, which does nothing; None without one.
        width: of a matrix or a convolution, (inputs, outputs) of a unit; None for any other.
        without_bias: whether it is a matrix or a convolution that was asked to have no bias.
        skipped: of a convolution, the share of its input's places that it never reads.
        ahead: whether it is one along time whose places read those behind them.
        stream: where the entry is no layer, but a place where a branch is added to a residual
            stream: the path of the list of blocks that the stream goes through; else "".
        stream_depth: how many additions to that stream come before it; -1 of a layer.
        configured: whether conf/ builds the network, so that its keys change it.
    """

    name: str
    path: str
    module: str
    order: int = -1
    nonlinearity: str | None = None
    bounds: tuple[float, float] | None = None
    odd: bool = False
    can_die: bool = False
    normalizes: bool = False
    by_batch: bool = False
    together: int = 0
    gets_few: int = 0
    few_by: str = ""
    weights: tuple[str, ...] = ()
    trainable: bool = True
    last: bool = False
    end: bool = False
    on_trunk: bool = True
    fed: bool = False
    follows: str = ""
    dropout_at: str = ""
    of_parameter: bool = False
    in_checkpoint: bool = False
    frozen_in_name: str | None = None
    width: tuple[int, int] | None = None
    without_bias: bool = False
    skipped: float = 0.0
    ahead: bool = False
    stream: str = ""
    stream_depth: int = -1
    configured: bool = False

    def as_json(self) -> dict[str, Any]:
        """Plain types for JSON; `LayerFacts.of_json` reads them."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @classmethod
    def of_json(cls, facts: Mapping[str, Any]) -> LayerFacts:
        """The facts that `as_json` gave.

        Raises:
            ValueError: a value is of another type; KeyError or TypeError, where one is missing.
        """
        bounds, width = facts["bounds"], facts.get("width")
        read = cls(
            **{
                **facts,
                "bounds": None if bounds is None else (float(bounds[0]), float(bounds[1])),
                "weights": tuple(facts["weights"]),
                "width": None if width is None else (int(width[0]), int(width[1])),
            }
        )
        check_types(read)
        return read
