"""What docs/diagnosis shows: of each rule the sick network, its healthy twin, and the axes."""

import functools
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from layerscope.diagnose import Figures, Thresholds

sys.path[:0] = [
    str(Path(__file__).parents[1]),
    str(Path(__file__).parents[1] / "tests" / "diagnose"),
]
import planted  # noqa: E402

from tests.diagnose.healthy import CLASSES, mlp, sgd  # noqa: E402

T = Thresholds()
TANH = functools.partial(mlp, nn.Tanh, gain=1.0)
RELU = functools.partial(mlp, nn.ReLU)


@dataclass(frozen=True)
class Picture:
    """One rule's: its sick run and healthy twin, the value, and what it is compared with."""

    value: str
    disease: str
    sick: Callable[[], Figures]
    healthy: Callable[[], Figures]
    limits: Sequence[tuple[str, float]]
    low: float
    high: float
    log: bool = False
    percent: bool = False
    classes: int | None = None
    twin: str = "the same, nothing planted"
    ring: str = ""  # what stands beside the ring


def run(network: Callable[[], nn.Module], **options: object) -> Callable[[], Figures]:
    """A healthy twin: the sick run's network, data and optimizer, and nothing planted."""
    return lambda: planted.run(network(), **options)


STILL = functools.partial(sgd, lr=1e-12)
PICTURES = {
    "saturated": Picture(
        "outputs with |tanh| > 0.97", "weights of 02_tanh times 20 at step 12",
        lambda: planted.saturated(2, 12), run(TANH),
        (("note 5 %", T.saturated_healthy), ("warning 20 %", T.saturated_bad),
         ("critical 50 %", T.saturated_critical)), -0.03, 1.0, percent=True,
    ),
    "idle": Picture(
        "std of the outputs", "weights of 04_tanh times 0.001 at step 12",
        lambda: planted.idle(4, step=12), run(TANH, optimizer=planted.slow),
        (("warning 0.01", T.idle_std),), 1e-4, 2, log=True,
    ),
    "biased": Picture(
        "|mean| / std of the outputs", "weights of 02_tanh times 0.2, its biases 1.2, at step 9",
        lambda: planted.biased(2, 9), run(TANH, optimizer=planted.slow),
        (("note 0.5", T.biased_mean), ("warning 2", T.biased_bad)), 1e-3, 200, log=True,
    ),
    "dead_units": Picture(
        "units dead for 1024 samples", "60 % of 02_relu's units shut at step 17",
        lambda: planted.dead(2, 17), run(RELU, steps=50),
        (("note 10 %", T.dead_share), ("warning 40 %", T.dead_bad),
         ("critical 90 %", T.dead_critical)), -0.03, 1.0, percent=True,
        ring="never active\nfrom here on",
    ),
    "vanishing_gradient": Picture(
        "gradient, largest = 1", "weights of 03_relu times 0.02 at step 12",
        lambda: planted.fading(3, 12),
        run(functools.partial(RELU, depth=8), optimizer=planted.slow),
        (("note 0.1", T.vanishing_end_to_end), ("warning 0.05", T.vanishing_bad),
         ("critical 0.0001", T.vanishing_critical)), 3e-5, 3, log=True,
    ),
    "exploding_gradient": Picture(
        "gradient, last hidden = 1", "weights of 03_relu times 3000 at step 6; learning rate 10⁻¹²",
        lambda: planted.growing(3, 6),
        run(functools.partial(RELU, depth=8), optimizer=STILL, steps=15),
        (("note 300", T.exploding_end_to_end), ("warning 1000", T.exploding_bad),
         ("critical 100 000", T.exploding_critical)), 0.2, 8e5, log=True,
    ),
    "gradient_spike": Picture(
        "weight gradient / its median", "gradient of 03_tanh times 1000 in step 40",
        lambda: planted.spike(3), run(TANH, steps=50),
        (("warning 10", T.spike_factor),), 0.1, 5000, log=True,
    ),
    "update_too_large": Picture(
        "log10 update / weight", "learning rate from 0.001 to 0.5 at step 15",
        lambda: planted.too_large(15), run(RELU, steps=45),
        (("critical 0", 0.0), ("warning -1", T.update_large), ("usual -3", -3.0)), -4.5, 1.7,
    ),
    "update_too_small": Picture(
        "log10 update / weight", "learning rate of 03_tanh 10⁻⁸, of the others 0.001",
        lambda: planted.update_of_one(3, 1e-8), lambda: planted.update_of_one(3, 1e-3),
        (("warning -5", T.update_small), ("usual -3", -3.0)), -9, -1,
    ),
    "stalled": Picture(
        "log10 update / median",
        "03_tanh was never handed to the optimizer (no update: drawn at -6)",
        lambda: planted.left_out(3), run(TANH, steps=40),
        (("warning -4", T.update_stalled),), -6, 1.5,
    ),
    "overconfident_start": Picture(
        "loss / ln(classes)", "weights of the last layer times 20",
        planted.overconfident, run(functools.partial(mlp, nn.Tanh)),
        (("warning 1.5", T.overconfident_start), ("guessing 1", 1.0)), 0.5, 20, log=True,
        classes=CLASSES,
    ),
    "not_finite": Picture(
        "outputs NaN or infinite", "one bias of 03_relu set to infinity at step 10",
        lambda: planted.infinite(3, 10), run(RELU, steps=15),
        (("critical: any", 0.0),), -0.05, 1.1, percent=True,
    ),
    "collapsed": Picture(
        "spread of samples / output",
        "weights of 02_tanh times 0.0001, its biases random, at step 9; learning rate 0.0001",
        lambda: planted.collapsed(2, 9), run(TANH, optimizer=planted.slow),
        (("warning 0.01", T.collapsed_spread),), 2e-5, 5, log=True,
        twin="nothing planted, rate 0.01",
    ),
}  # fmt: skip
"""By rule."""
