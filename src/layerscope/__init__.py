"""LayerScope: what every layer of a network does at every training step, and what is wrong."""

from layerscope.logger import EventLogger
from layerscope.monitor import LayerMonitor

__all__ = ["EventLogger", "LayerMonitor"]
