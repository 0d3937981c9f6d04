"""A training script watched as it is, without a line of it changed."""

from layerscope.integrations.script.script_watch import ScriptWatch

__all__ = ["ScriptWatch"]
