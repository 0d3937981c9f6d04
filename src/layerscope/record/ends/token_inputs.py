"""The tokens that a network gets, as its embeddings get them: what a language model reads."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from layerscope.measure.pending import Pending
from layerscope.measure.pinned_ring import on_host
from layerscope.record.ends.origins import Origins
from layerscope.record.hooks.quiet_hook import QuietHook

_ELEMENTS = 2**18
"""Of longer inputs nothing is kept: 2 MB."""

_NUMBERS = 4096
"""Of those that an embedding of more than so many rows as bfloat16 tells apart gets in a call."""

_MANY = 256

_CALLS = 8
"""So many of the first and of the last are kept: of several micro-batches one of them is judged."""


class TokenInputs:
    """Keeps the tokens of a step that is looked at.

    Attributes:
        are_kept: whether any of the step's is the very tensor that came at the look before.
    """

    def __init__(self, ask: Callable[[], bool]) -> None:
        self._ask = ask
        self._seen: list[Pending[Tensor]] = []
        self._numbers: dict[int, Pending[Tensor]] = {}
        self._at: dict[int, int] = {}  # each embedding's number, by its `id`
        self._origins, self.are_kept = Origins(), False

    def attach(self, modules: Sequence[nn.Module]) -> list[RemovableHandle]:
        """Put a hook on each embedding among these modules."""
        embeddings = [each for each in modules if isinstance(each, nn.Embedding)]
        self._at = {id(each): number for number, each in enumerate(embeddings)}
        hook = QuietHook(self._see)
        return [each.register_forward_pre_hook(hook) for each in embeddings]

    def _see(self, module: nn.Module, inputs: Any) -> None:
        if not self._ask() or not inputs:
            return
        tokens = inputs[0]
        self._note_numbers(module, tokens)
        if type(tokens) is not Tensor or tokens.ndim != 2 or tokens.numel() > _ELEMENTS:
            return
        if tokens.is_floating_point() or min(tokens.shape) < 2 or tokens.is_meta:
            return
        self.are_kept |= self._origins.is_same((id(module), len(self._seen)), tokens)
        self._seen.append(on_host(tokens.detach().clone()))
        if len(self._seen) > 2 * _CALLS:
            del self._seen[_CALLS]

    def _note_numbers(self, module: nn.Module, tokens: Any) -> None:
        if type(tokens) is not Tensor or tokens.is_meta or tokens.is_floating_point():
            return
        if isinstance(module, nn.Embedding) and module.num_embeddings > _MANY:
            few = tokens.detach().flatten()[:_NUMBERS]
            self._numbers[self._at[id(module)]] = on_host(few.clone())

    def take_numbers(self) -> tuple[tuple[int, Pending[Tensor]], ...]:
        """The first of what each large embedding got in its last call, [n], with its number among
        the network's embeddings.
        """
        numbers, self._numbers = tuple(self._numbers.items()), {}
        return numbers

    def of_shape(self, shape: torch.Size) -> Tensor | None:
        """The last ones of this shape in the step that goes on; None without any."""
        seen = (each.get() for each in reversed(self._seen))
        return next((tokens for tokens in seen if tokens.shape == shape), None)

    def take(self) -> tuple[Pending[Tensor], ...]:
        """[rows, columns] each, in the order in which they came."""
        seen, self._seen, self.are_kept = tuple(self._seen), [], False
        return seen
