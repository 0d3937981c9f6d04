"""An architecture and an init become a Prediction: mean-field signal propagation, no training.

Pure: NumPy and SciPy, nothing of PyTorch, and nothing of the other rooms. The formulas with their
sources, and the theory's limits, are in docs/theory.md.
"""

from layerscope.theory.activations import ACTIVATIONS, Activation, activation_named
from layerscope.theory.architecture import Inputs, Layer, mlp
from layerscope.theory.critical import NoCriticalPoint, critical
from layerscope.theory.departure import departures
from layerscope.theory.departures_in_words import departures_in_words
from layerscope.theory.diagram import phase_diagram
from layerscope.theory.moments import moments, saturated_share
from layerscope.theory.pairs import pair_moments
from layerscope.theory.phase import Phase, phase_of
from layerscope.theory.prediction import Prediction, predict
from layerscope.theory.prediction_summary import PhaseSummary, PredictionSummary

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "Inputs",
    "Layer",
    "NoCriticalPoint",
    "Phase",
    "PhaseSummary",
    "Prediction",
    "PredictionSummary",
    "activation_named",
    "critical",
    "departures",
    "departures_in_words",
    "mlp",
    "moments",
    "pair_moments",
    "phase_diagram",
    "phase_of",
    "predict",
    "saturated_share",
]
