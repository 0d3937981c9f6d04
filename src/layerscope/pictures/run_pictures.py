"""All pictures of a run as PNGs, for TensorBoard's Images tab."""

from layerscope.diagnose.measured.figures import Figures
from layerscope.pictures.heatmap import heatmap_picture
from layerscope.pictures.phase_diagram import phase_picture
from layerscope.pictures.picture import to_png
from layerscope.pictures.profile import DepthProfile, profile_picture
from layerscope.theory import PredictionSummary, departures_in_words

HEATMAPS, PROFILE, PHASE = "layers/heatmaps", "layers/profile", "theory/phase"
"""Tags of the images."""


def run_pictures(figures: Figures, prediction: PredictionSummary | None = None) -> dict[str, bytes]:
    """Return the PNG of each picture that there is something for, by tag.

    `layers/heatmaps`, every layer over the run; `layers/profile`, the hidden layers in the first
    and the last step, the first beside theory if it is step 0; `theory/phase`, where the network
    lies in its phase diagram, if theory knows. Hidden layers are the activation functions: with a
    prediction, its first `depth`. Matplotlib is imported here, which takes a second.

    Args:
        figures: of the run; of a long one some 400 steps do, the first and the last among them.
            Updates are measured now and then: steps with them are wanted.
    """
    drawn: dict[str, bytes] = {}
    if len(figures.steps):
        drawn[HEATMAPS] = to_png(heatmap_picture(figures))
    depth = prediction.depth if prediction is not None and prediction.depth else None
    functions = [i for i, facts in enumerate(figures.layers) if facts.nonlinearity is not None]
    hidden = functions[:depth]
    if len(figures.steps) and hidden:
        drawn[PROFILE] = _profile(figures, hidden, prediction)
    if prediction is not None and prediction.phase is not None:
        phase = prediction.phase
        run = "this run" if phase.uniform else "this run's last hidden layer"
        place = (run, phase.sigma_w2, phase.bias_variance)
        drawn[PHASE] = to_png(phase_picture(phase.activation, [place]))
    return drawn


def _profile(figures: Figures, hidden: list[int], prediction: PredictionSummary | None) -> bytes:
    first = _at(figures, 0, hidden)
    last = _at(figures, -1, hidden) if len(figures.steps) > 1 else None
    off = []
    if first.step > 0:  # what theory says is of the initialisation alone
        prediction = None
    elif prediction is not None:
        found = departures_in_words(prediction, first.std, first.activation_grad_rms)
        off = [each for each in found if each["layer"] is not None]
    return to_png(profile_picture(prediction, first, last, off))


def _at(figures: Figures, row: int, hidden: list[int]) -> DepthProfile:
    return DepthProfile(
        int(figures.steps[row]),
        figures["activation_std"][row, hidden].tolist(),
        figures["activation_grad_rms"][row, hidden].tolist(),
    )
