"""Is theory right? Its predictions beside wide random networks, weight by weight.

    python bench/theory.py --width 2000 --depth 30 --seeds 100

Every network has Gaussian weights and biases, sees one input of second moment 1 and gets a Gaussian
gradient at its last outputs. All cases share the normal numbers of a seed, each scaled to its own
variances, so that a seed costs one draw of the weights for all of them. The table gives, for the
layer where it is largest, the error of the mean over seeds of ln(std) and of ln(RMS gradient,
relative to the last layer's), and the standard error that theory expects of it. Takes 2.5 minutes.
"""

from __future__ import annotations

import math
import time

import numpy as np
from command_line import at_least_one
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from layerscope.commands.one_sentence_parser import OneSentenceParser
from layerscope.theory import ACTIVATIONS, mlp, predict

# sigma_w^2 and sigma_b^2: ordered, linear fade, near critical, chaotic without and with biases.
VARIANCES = [(0.5, 0.1), (1.0, 0.0), (1.5, 0.05), (2.0, 0.0), (4.0, 0.1)]
STD_BOUND, GRADIENT_BOUND = 0.02, 0.05  # in ln; three standard errors are added

Floats = NDArray[np.float64]


def main() -> None:
    """Draw the networks, print the table."""
    parser = OneSentenceParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=at_least_one, default=2000)
    parser.add_argument("--depth", type=at_least_one, default=30)
    parser.add_argument("--seeds", type=at_least_one, default=100)
    options = parser.parse_args()
    cases = [(name, *variances) for name in ACTIVATIONS for variances in VARIANCES]
    started = time.monotonic()
    drawn = [
        networks(cases, options.width, options.depth, seed)
        for seed in track(range(options.seeds), description="networks")
    ]
    stds = np.array([std for std, _ in drawn])
    gradients = np.array([gradient for _, gradient in drawn])
    table = Table(
        title=f"{options.seeds} networks of width {options.width}, {options.depth} layers, seeds 0 "
        f"to {options.seeds - 1}, {time.monotonic() - started:.0f} s: largest error of a layer"
    )
    for head in (
        "activation",
        "sigma_w^2",
        "sigma_b^2",
        "ln std",
        "s.e.",
        "ln gradient",
        "s.e.",
        "",
    ):
        table.add_column(head, justify="left" if head in ("activation", "") else "right")
    failed = 0
    for case, (name, sigma_w2, bias_variance) in enumerate(cases):
        sizes = [options.width] * (options.depth + 1)
        p = predict(mlp(sizes, name, sigma_w2, bias_variance))
        cells, within = [], True
        for measured, expected, spread, bound in (
            (stds[:, case], p.std, p.std_spread, STD_BOUND),
            (gradients[:, case], p.activation_grad, p.grad_spread, GRADIENT_BOUND),
        ):
            error = np.log(measured).mean(axis=0) - np.log(expected)
            standard_error = spread / math.sqrt(options.seeds)
            worst = int(np.argmax(np.abs(error)))
            within &= bool(np.all(np.abs(error) < bound + 3 * standard_error))
            cells += [f"{error[worst]:+.3f}", f"{standard_error[worst]:.3f}"]
        failed += not within
        table.add_row(name, f"{sigma_w2:g}", f"{bias_variance:g}", *cells, "" if within else "OUT")
    console = Console(width=110)
    console.print(table)
    console.print(
        f"{len(cases) - failed} of {len(cases)} within {STD_BOUND:g} and {GRADIENT_BOUND:g} plus "
        "three standard errors"
    )


def networks(
    cases: list[tuple[str, float, float]], width: int, depth: int, seed: int
) -> tuple[Floats, Floats]:
    """Std of outputs and RMS gradient relative to the last layer's, each [cases, depth]."""
    rng = np.random.default_rng(seed)
    weights = [
        rng.standard_normal((width, width), dtype=np.float32) / np.float32(math.sqrt(width))
        for _ in range(depth)
    ]
    sigma_w = np.sqrt([case[1] for case in cases]).astype(np.float32)
    sigma_b = np.sqrt([case[2] for case in cases]).astype(np.float32)
    phis = [ACTIVATIONS[case[0]] for case in cases]

    x = rng.standard_normal(width)
    h = np.tile((x / np.sqrt(np.mean(x**2)))[:, None], len(cases)).astype(np.float32)
    stds, slopes = np.empty((len(cases), depth)), []
    for layer, w in enumerate(weights):
        bias = rng.standard_normal((width, 1), dtype=np.float32)
        z = (w @ h * sigma_w + bias * sigma_b).astype(np.float64)
        outputs = [phi.value(column) for phi, column in zip(phis, z.T, strict=True)]
        stds[:, layer] = np.std(outputs, axis=1)
        slopes.append(
            np.array([phi.slope(column) for phi, column in zip(phis, z.T, strict=True)]).T
        )
        h = np.array(outputs).T.astype(np.float32)

    gradient = rng.standard_normal((width, len(cases)), dtype=np.float32)
    rms = np.empty((len(cases), depth))
    for layer in range(depth - 1, -1, -1):
        rms[:, layer] = np.sqrt(np.mean(np.square(gradient, dtype=np.float64), axis=0))
        back = (slopes[layer] * gradient).astype(np.float32)
        gradient = (weights[layer].T @ back * sigma_w).astype(np.float32)
    return stds, rms / rms[:, -1:]


if __name__ == "__main__":
    main()
