"""LayerScope: what every layer of a network does at every training step, and what is wrong.

`LayerMonitor` is a Lightning callback for any module, `watch` the same for a plain PyTorch loop;
`EventLogger` is a fast Lightning logger.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from layerscope.integrations.lightning.logger import EventLogger
    from layerscope.integrations.lightning.monitor import LayerMonitor
    from layerscope.integrations.watch import watch

__all__ = ["EventLogger", "LayerMonitor", "watch"]

_HOMES = {
    "EventLogger": "layerscope.integrations.lightning.logger",
    "LayerMonitor": "layerscope.integrations.lightning.monitor",
    "watch": "layerscope.integrations.watch",
}


def __getattr__(name: str) -> Any:
    # On first use: importing Lightning takes seconds, and the rooms below do without it.
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
