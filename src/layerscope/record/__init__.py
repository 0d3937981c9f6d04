"""A model's step becomes an Observation: hooks on, hooks off, micro-batches merged."""

from layerscope.record.asked import QUANTITIES, Asked
from layerscope.record.layers import Layer, choose_layers
from layerscope.record.observation import Channel, Observation
from layerscope.record.recorder import Recorder
from layerscope.record.schedule import every_n_steps, is_keyframe, log_spaced

__all__ = [
    "QUANTITIES",
    "Asked",
    "Channel",
    "Layer",
    "Observation",
    "Recorder",
    "choose_layers",
    "every_n_steps",
    "is_keyframe",
    "log_spaced",
]
