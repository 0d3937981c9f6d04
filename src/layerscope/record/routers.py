"""Mixtures of experts: how many tokens each expert gets, told from what a router chooses."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from layerscope.record.place import Place

EXPERTS = "experts"
"""What a router's choice is called after the module that makes it: `02_block.0.gate/experts`."""

ROUTER_CALLS = frozenset({torch.topk, Tensor.topk, torch.argmax, Tensor.argmax})
"""The calls of torch by which a router chooses."""

_OF_EXPERTS = 3  # axes of a parameter that has the weights of all experts


@dataclass(frozen=True, slots=True, eq=False)
class Experts:
    """What the experts of one router got in a step.

    Attributes:
        tokens: float64 [experts], how many were sent to each; a token counts for each of its k.
    """

    tokens: npt.NDArray[np.float64]

    def figures(self) -> dict[str, float]:
        """By names of `LAYER_FIGURES`."""
        mean = float(self.tokens.mean())
        return {
            "expert_tokens": mean,
            "expert_load": float(self.tokens.max()) / mean if mean else np.nan,
            "experts_unused": float((self.tokens == 0).mean()),
        }

    def as_json(self) -> dict[str, list[int]]:
        """Tokens, a list over the experts."""
        return {"tokens": [int(each) for each in self.tokens]}


class Routers:
    """Counts what routers choose, in the steps that are looked at; others cost nothing.

    A router is a module that takes the largest (`topk`, `argmax`) along the last axis of as many
    scores as there are experts: beside or below it stand that many modules of one class in a list,
    or a parameter of three axes of which the first has that length. In such a step a choice costs
    about 20 us.
    """

    def __init__(self, network: nn.Module) -> None:
        self.places: dict[str, Place] = {}
        self._network = network
        self._are: dict[tuple[nn.Module, int], bool] = {}
        self._routers: set[nn.Module] = set()
        self._tokens: dict[str, Tensor] = {}

    def begin(self) -> None:
        """A step begins that is looked at."""
        self._tokens.clear()

    def measure(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Any, output: Any
    ) -> Tensor | None:
        """How often each of the scores was chosen, int64 [scores]; None if it is no such choice."""
        scores = args[0] if args else kwargs.get("input")
        takes_k = function in (torch.topk, Tensor.topk)
        dim = kwargs.get("dim", args[1 + takes_k] if len(args) > 1 + takes_k else None)
        if dim is None and takes_k:
            dim = -1
        if not isinstance(scores, Tensor) or scores.ndim < 2 or dim not in (-1, scores.ndim - 1):
            return None
        chosen: Tensor = output[1] if takes_k else output
        experts = scores.shape[-1]
        if experts < 2 or (takes_k and chosen.shape[-1] >= experts):
            return None
        return torch.bincount(chosen.detach().flatten(), minlength=experts)

    def is_router(
        self, module: nn.Module, experts: int, came_before: Callable[[list[nn.Module]], bool]
    ) -> bool:
        """Whether so many experts stand beside the module or below it.

        What chooses again what routers below it have chosen, as a loss of balance does, is none.

        Args:
            came_before: whether one of some modules has computed already: experts come afterwards.
        """
        if (module, experts) not in self._are:
            owners = (each for each in self._network.modules() if module in each.children())
            around = [module, *owners]
            above = any(each in self._routers for each in module.modules() if each is not module)
            near = (each for owner in around for each in (owner, *owner.children()))
            self._are[module, experts] = not above and any(
                _holds(each, experts) and not came_before(list(each.children())) for each in near
            )
            if self._are[module, experts]:
                self._routers.add(module)
        return self._are[module, experts]

    def note(self, place: Place, tokens: Tensor) -> None:
        """Keep what was chosen; micro-batches add up."""
        self.places.setdefault(place.name, place)
        known = self._tokens.get(place.name)
        self._tokens[place.name] = tokens if known is None else known + tokens

    def take(self) -> Mapping[str, Experts]:
        """By place, what was seen since the step began; waits for the device."""
        tokens, self._tokens = self._tokens, {}
        return {name: Experts(each.cpu().double().numpy()) for name, each in tokens.items()}


def _holds(module: nn.Module, experts: int) -> bool:
    """Whether a module itself holds so many experts."""
    if isinstance(module, (nn.ModuleList, nn.ModuleDict)):
        return len(module) == experts and len({type(each) for each in module.children()}) == 1
    own = module.parameters(recurse=False)
    return any(each.ndim == _OF_EXPERTS and each.shape[0] == experts for each in own)
