"""What activation function a module of somebody's own is: told by what it computes."""

import copy
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from layerscope.record.network.pure_forward import is_pure

_CLOSE = 1e-5
"""Two ways to compute a function differ by less, in float32."""

KNOWN: Sequence[tuple[str, Callable[[Tensor], Tensor]]] = (
    ("relu", torch.relu),
    ("gelu", F.gelu),
    ("gelu", lambda x: F.gelu(x, approximate="tanh")),
    ("gelu", lambda x: x * torch.sigmoid(1.702 * x)),
    ("silu", F.silu),
    ("tanh", torch.tanh),
    ("sigmoid", torch.sigmoid),
    ("mish", F.mish),
    ("elu", F.elu),
    ("selu", F.selu),
    ("softplus", F.softplus),
    ("softsign", F.softsign),
    ("logsigmoid", F.logsigmoid),
    ("relu6", F.relu6),
    ("hardswish", F.hardswish),
    ("hardsigmoid", F.hardsigmoid),
)
"""By name, the functions that a measured one may turn out to be; several ways to compute one."""


_POINTS = torch.tensor([-40.0, *(quarter / 4 for quarter in range(-24, 25)), 40.0], device="cpu")
_FAR = torch.tensor([-1e4, -1e3, 1e3, 1e4], device="cpu")


@dataclass(frozen=True, slots=True)
class MeasuredFunction:
    """What a module computes of each element.

    Attributes:
        name: among `KNOWN`; "" for another function.
        bounds: of a function that rises from one flat end to another, these ends; else None.
        odd: f(-x) = -f(x).
        shut_at_zero: whether it is 0 at and below 0, and above 0 above it.
    """

    name: str
    bounds: tuple[float, float] | None
    odd: bool
    shut_at_zero: bool


def measured_function(module: nn.Module) -> MeasuredFunction | None:
    """The activation function that a module is; None if it is not one, or if trying it might
    be noticed.

    A module without parameters, buffers and parts, whose code only computes (`is_pure`), is copied,
    and the copy is called with a few points on the CPU, twice: some 0.5 ms. It is a function if
    each element of the result depends on that element alone, and if it is no straight line. The
    random states are as they were before.
    """
    has_state = any(True for _ in module.parameters()) or any(True for _ in module.buffers())
    if has_state or next(module.children(), None) is not None or not is_pure(module):
        return None
    values, far = _values(module, _POINTS), _values(module, _FAR)
    if values is None:
        return None
    alike = torch.isclose(_known_values(), values, rtol=_CLOSE, atol=_CLOSE).all(1).tolist()
    if True in alike:
        return MeasuredFunction(KNOWN[alike.index(True)][0], None, odd=False, shut_at_zero=False)
    first, last = values[0], values[-1]
    if _alike(values, torch.lerp(first, last, (_POINTS + 40) / 80)):
        return None
    return MeasuredFunction(
        "",
        None if far is None or bool((values.diff() < 0).any()) else _ends(far),
        odd=_alike(values, -values.flip(0)),
        shut_at_zero=bool((values[_POINTS <= 0] == 0).all() and (values[_POINTS > 0] > 0).all()),
    )


@cache
def _known_values() -> Tensor:
    return torch.stack([function(_POINTS) for _, function in KNOWN])


def _values(module: nn.Module, points: Tensor) -> Tensor | None:
    """What a module makes of points, float32 [points]; None if that is no function of each."""
    state = random.getstate()
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            tried = copy.deepcopy(module)
            values = tried(points.clone())
            turned = tried(points.flip(0)[: len(points) // 2 * 2].view(2, -1).clone())
        again = turned.reshape(-1).flip(0)
        if values.shape != points.shape or values.dtype != points.dtype:
            return None
        is_function = _alike(values[-len(again) :], again) and bool(values.isfinite().all())
        return values if is_function else None
    except Exception:  # whatever it wants, it is no tensor of any shape
        return None
    finally:
        random.setstate(state)


def _ends(far: Tensor) -> tuple[float, float] | None:
    flat = torch.allclose(far[[0, 3]], far[[1, 2]], rtol=1e-2, atol=1e-2)
    return (float(far[0]), float(far[3])) if flat and far[0] < far[3] else None


def _alike(values: Tensor, others: Tensor) -> bool:
    return torch.allclose(values, others, rtol=_CLOSE, atol=_CLOSE)
