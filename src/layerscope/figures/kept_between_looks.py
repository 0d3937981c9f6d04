"""What is compared from one look to the next, and follows the run into its checkpoints."""

from collections import Counter, deque
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch


class KeptBetweenLooks:
    """A base: all attributes that `__init__` sets are kept, so a resumed run judges as one that was
    never stopped. Each class bounds what it keeps.
    """

    def state(self) -> dict[str, Any]:
        """By attribute, as what a checkpoint can hold: plain types and tensors."""
        return {name: _plain(value) for name, value in vars(self).items()}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` gave.

        Raises:
            KeyError: if an attribute is not among it.
        """
        loaded = {name: _as(state[name], value) for name, value in vars(self).items()}
        vars(self).update(loaded)


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value.copy())
    if isinstance(value, Mapping):
        return {_plain(key): _plain(each) for key, each in value.items()}
    if isinstance(value, set):
        return sorted(map(_plain, value))
    if isinstance(value, list | tuple | deque):
        return [_plain(each) for each in value]
    if isinstance(value, bool | bytes | str) or value is None:
        return value
    return int(value) if isinstance(value, int | np.integer) else float(value)


def _as(state: Any, present: Any) -> Any:
    """What `_plain` has made, of the type that stands in its place."""
    if isinstance(state, torch.Tensor):
        return state.numpy().copy()
    if isinstance(present, Counter | set):
        return type(present)(state)
    if isinstance(present, deque):
        return deque(state, present.maxlen)
    if isinstance(state, Mapping):
        return {key: _as(each, None) for key, each in state.items()}
    return [_as(each, None) for each in state] if isinstance(state, list) else state
