"""A model's step becomes an Observation: hooks on, hooks off, micro-batches merged."""

from layerscope.record.channel import Channel
from layerscope.record.network.layers import Layer, choose_layers
from layerscope.record.observation import Observation
from layerscope.record.recorder import Recorder
from layerscope.record.recorder_options import RecorderOptions
from layerscope.record.schedule import every_n_steps, is_keyframe, log_spaced

__all__ = [
    "Channel",
    "Layer",
    "Observation",
    "Recorder",
    "RecorderOptions",
    "choose_layers",
    "every_n_steps",
    "is_keyframe",
    "log_spaced",
]
