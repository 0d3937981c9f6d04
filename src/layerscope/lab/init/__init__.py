"""Initialisation: how weights are drawn, and in which order a network's parameters are set."""

from layerscope.lab.init.initializer import Initializer
from layerscope.lab.init.orthogonal import orthogonal
from layerscope.lab.init.scheme import InitScheme
from layerscope.lab.init.variance_scaling import variance_scaling

__all__ = ["InitScheme", "Initializer", "orthogonal", "variance_scaling"]
