"""Attention in a network's forward passes: what the heads of each look at, in some of the steps."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor

from layerscope.record.attention.attention_by_hand import CALLS_BY_HAND, AttentionByHand
from layerscope.record.attention.fused_attention import FUSED_CALLS, are_fused_placeless
from layerscope.record.attention.heads import Heads
from layerscope.record.attention.product_operands import are_by_view
from layerscope.record.place import Place

ATTENTION = "attention"
"""What an attention is called after the module that calls it: `02_block.0/attention`."""

ATTENTION_CALLS = frozenset({*FUSED_CALLS, *CALLS_BY_HAND})
"""The calls of torch that are an attention, or a part of one."""


class Attention:
    """Sees calls of torch in the steps that are to be looked at, and keeps numbers, no tensors.

    In such a step the logits of up to 64 rows of queries of each head are computed again, of up to
    8 samples of a batch; where `exact`, those of all rows, in parts of 8 MB. Dropout comes after
    it. Where exact, it is seen, too, whether queries and keys know of places. In other steps it
    costs nothing.
    """

    def __init__(self) -> None:
        self.places: dict[str, Place] = {}
        self._by_hand = AttentionByHand()
        self._heads: dict[str, Heads] = {}
        self._exact = False

    def begin(self, exact: bool) -> None:
        """A step begins that is looked at."""
        self._exact = exact
        self._heads.clear()
        self.forget()

    def forget(self) -> None:
        """A forward pass has ended: what waits is no attention."""
        self._by_hand.forget()

    def measure(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Any, output: Any
    ) -> Heads | None:
        """The heads of the attention that this call is, or ends; None for any other call."""
        look = FUSED_CALLS.get(function)
        if look is None:
            role = CALLS_BY_HAND[function]
            return self._by_hand.see(role, args, kwargs, output, self._exact)
        named = {name: _detached(each) for name, each in kwargs.items()}
        heads = look(*map(_detached, args), exact=self._exact, **named)
        query = args[0] if args else kwargs.get("query")  # of all heads, for the longer call
        if heads is None or not isinstance(query, Tensor):
            return heads
        placeless = are_fused_placeless(function, args, kwargs) if self._exact else None
        return replace(heads, by_view=are_by_view(query), placeless=placeless)

    def has_scores(self, args: tuple[Any, ...]) -> bool:
        """Whether a call is given the product of an attention's queries and keys."""
        return self._by_hand.has_scores(args)

    def note(self, place: Place, heads: Heads) -> None:
        """Keep what an attention's heads have looked at; micro-batches add up."""
        self.places.setdefault(place.name, place)
        known = self._heads.get(place.name)
        self._heads[place.name] = heads if known is None else known.merged(heads)

    def take(self) -> Mapping[str, Heads]:
        """By place, what was seen since the step began."""
        heads, self._heads = self._heads, {}
        return heads


def _detached(argument: Any) -> Any:
    return argument.detach() if isinstance(argument, Tensor) else argument
