"""Whether a recurrent layer's last step is what is read, and is padding for most sequences."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from layerscope.record.hooks.quiet_hook import QuietHook
from layerscope.record.outputs import tensors_in

_TAILS = 3
"""Lengths of padding that must differ, so that it is one."""

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
        is_one = bool((run[lengths == 0] == 1).all()) and len(set(lengths.tolist())) >= _TAILS
        return float(lengths.float().mean()) / steps.shape[1] if is_one else 0.0
