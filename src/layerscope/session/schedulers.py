"""The schedulers of optimizers' learning rates, by name and numbers."""

from collections.abc import Iterable
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from layerscope.live_objects import live_objects

_NUMBERS = (
    *("T_max", "T_0", "step_size", "gamma", "milestones", "total_steps", "total_iters"),
    *("factor", "patience", "power", "eta_min"),
)
"""What a scheduler was made with that says how fast it falls."""


def schedulers_of(optimizers: Iterable[Optimizer]) -> str:
    """Such as "StepLR(step_size=1, gamma=0.1)"; of several, each; "" without any. It takes what
    `live_objects` does.
    """
    of = list(optimizers)
    (living,) = live_objects(LRScheduler) if of else ([],)
    own = [each for each in living if any(getattr(each, "optimizer", None) is it for it in of)]
    return ", ".join(dict.fromkeys(map(_named, own)))


def _named(scheduler: Any) -> str:
    about = [
        f"{name}={value if isinstance(value, int | float) else sorted(value)}"
        for name in _NUMBERS
        if isinstance(value := vars(scheduler).get(name), (int, float, dict, list))
    ]
    functions = (getattr(each, "__name__", "") for each in vars(scheduler).get("lr_lambdas", ()))
    about += [name for name in dict.fromkeys(functions) if name.isidentifier()]
    return f"{type(scheduler).__name__}({', '.join(about)})"
