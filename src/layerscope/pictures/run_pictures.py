"""All figures of a run as PNGs, for TensorBoard's Images tab."""

from __future__ import annotations

from layerscope.diagnose.figures import Figures
from layerscope.pictures.heatmap import heatmap_figure
from layerscope.pictures.phase_diagram import phase_figure
from layerscope.pictures.picture import to_png
from layerscope.pictures.profile import Profile, profile_figure
from layerscope.theory import Expected, unexpected

HEATMAPS, PROFILE, PHASE = "layers/heatmaps", "layers/profile", "theory/phase"
"""Tags of the images."""


def run_figures(figures: Figures, expected: Expected | None = None) -> dict[str, bytes]:
    """Return the PNG of each figure that there is something for, by tag.

    `layers/heatmaps`, every layer over the run; `layers/profile`, the hidden layers in the first
    and the last step, the first beside theory if it is step 0; `theory/phase`, where the network
    lies in its phase diagram, if theory knows. Hidden layers are the activation functions: with a
    prediction, its first `depth`. Matplotlib is imported here, which takes a second.

    Args:
        figures: of the run; of a long one some 400 steps do, the first and the last among them.
            Updates are measured now and then: steps with them are wanted.
        expected: what theory says of step 0.
    """
    drawn: dict[str, bytes] = {}
    if len(figures.steps):
        drawn[HEATMAPS] = to_png(heatmap_figure(figures))
    depth = expected.depth if expected is not None and expected.depth else None
    functions = [i for i, facts in enumerate(figures.layers) if facts.nonlinearity is not None]
    hidden = functions[:depth]
    if len(figures.steps) and hidden:
        drawn[PROFILE] = _profile(figures, hidden, expected)
    if expected is not None and expected.phase is not None:
        phase = expected.phase
        run = "this run" if phase.uniform else "this run's last hidden layer"
        place = (run, phase.sigma_w2, phase.bias_variance)
        drawn[PHASE] = to_png(phase_figure(phase.activation, [place]))
    return drawn


def _profile(figures: Figures, hidden: list[int], expected: Expected | None) -> bytes:
    first = _at(figures, 0, hidden)
    last = _at(figures, -1, hidden) if len(figures.steps) > 1 else None
    off = []
    if first.step > 0:  # what theory says is of the initialisation alone
        expected = None
    elif expected is not None:
        found = unexpected(expected, first.std, first.activation_grad_rms)
        off = [each for each in found if each["layer"] is not None]
    return to_png(profile_figure(expected, first, last, off))


def _at(figures: Figures, row: int, hidden: list[int]) -> Profile:
    return Profile(
        int(figures.steps[row]),
        figures["activation_std"][row, hidden].tolist(),
        figures["activation_grad_rms"][row, hidden].tolist(),
    )
