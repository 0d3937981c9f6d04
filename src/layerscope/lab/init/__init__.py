"""Initialisation: how weights are drawn, and in which order a network's parameters are set.

PyTorch is imported where weights are drawn, not here: a scheme can be asked for its variances
without it.
"""

from layerscope.lab.init.initializer import Initializer
from layerscope.lab.init.lsuv import LSUV
from layerscope.lab.init.orthogonal import orthogonal
from layerscope.lab.init.scheme import InitScheme
from layerscope.lab.init.variance_scaling import critical_gain, critical_scaling, variance_scaling

__all__ = [
    "LSUV",
    "InitScheme",
    "Initializer",
    "critical_gain",
    "critical_scaling",
    "orthogonal",
    "variance_scaling",
]
