"""The tokens that a network gets, as its embeddings get them; padding at its sequences' ends."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from layerscope.measure.pending import Pending
from layerscope.measure.pinned_ring import on_host
from layerscope.record.ends.origins import Origins
from layerscope.record.hooks.quiet_hook import QuietHook
from layerscope.record.outputs import tensors_in

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


_TAILS = 3
"""Lengths of padding that must differ, so that it is one."""

_BY_CHANCE = 0.1
"""Of the padded sequences: so many others may end in a step twice, as a sentence in a word."""

_SHORTEST = 4
"""Steps of a sequence: of fewer the last is hardly far from any."""


class PaddedEnds:
    """Told in the first step only. A recurrent layer gets a tensor and no packed sequence, whose
    sequences end with different numbers of one and the same step; and of what it gives a gradient
    comes to its last step, or to its last state, and to no other step.

    Args:
        tokens_of: the tokens of a shape that an embedding has got in this step, None without any: a
            dropout behind it makes each step of padding another.
    """

    def __init__(self, tokens_of: Callable[[torch.Size], Tensor | None]) -> None:
        self._tokens_of = tokens_of
        self._padded: dict[nn.Module, float] = {}
        self._last: set[nn.Module] = set()
        self._others: set[nn.Module] = set()

    @property
    def share(self) -> float:
        """Of the steps of all sequences, those behind the last real one, where the last is read; 0
        where it is not.
        """
        read = self._last - self._others
        return max((share for module, share in self._padded.items() if module in read), default=0.0)

    def note(self, module: nn.Module, inputs: object, output: object) -> None:
        """A module of the network has given an output."""
        if not isinstance(module, nn.RNNBase) or module in self._padded:
            return
        given = inputs[0] if isinstance(inputs, tuple) and inputs else None  # else by keyword
        steps, *states = (each for _, each in tensors_in(output))
        if not isinstance(given, Tensor) or given.ndim != 3 or not steps.requires_grad:
            return
        time = 1 if module.batch_first else 0
        self._padded[module] = share = self._share(given.detach(), time)
        if not share:
            return

        def see_steps(gradient: Tensor | None) -> None:
            if gradient is not None:
                is_last = not gradient.narrow(time, 0, gradient.shape[time] - 1).any()
                (self._last if is_last else self._others).add(module)

        def see_state(gradient: Tensor | None) -> None:
            if gradient is not None:
                self._last.add(module)

        steps.register_hook(QuietHook(see_steps))  # type: ignore[no-untyped-call]
        for state in states:
            state.register_hook(QuietHook(see_state))  # type: ignore[no-untyped-call]

    def _share(self, sequences: Tensor, time: int) -> float:
        """Of all steps, those of padding at the ends; 0 where there is none.

        Args:
            sequences: float, of [samples, time, features] or [time, samples, features].
            time: which axis it is.
        """
        tokens = self._tokens_of(sequences.shape[:2])
        steps = sequences if tokens is None else tokens.to(sequences.device).unsqueeze(2)
        steps = steps.movedim(time, 1)
        if steps.shape[1] < _SHORTEST:
            return 0.0
        last = steps[:, -1]
        run = (steps == last[:, None]).all(2).flip(1).cumprod(1).sum(1)  # at the end, 1 or more
        if not (run > 1).any():
            return 0.0
        padding = last[run.argmax()]
        lengths = torch.where((last == padding).all(1), run, 0)
        padded, others = int((lengths > 1).sum()), int(((lengths == 0) & (run > 1)).sum())
        is_one = others <= _BY_CHANCE * padded and len(set(lengths.tolist())) >= _TAILS
        return float(lengths.float().mean()) / steps.shape[1] if is_one else 0.0
