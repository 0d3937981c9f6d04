"""LayerScope: what every layer of a network does at every training step, and what is wrong.

`LayerMonitor` is a Lightning callback for any module, `LayerScopeCallback` one for Hugging Face's
Trainer, `watch` the same for a plain PyTorch loop; `EventLogger` is a fast Lightning logger; `read`
gives what a run has written, `show` shows it in a notebook.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from layerscope.unnoticed_import import unnoticed

if TYPE_CHECKING:
    from layerscope.integrations.huggingface import LayerScopeCallback
    from layerscope.integrations.lightning.logger import EventLogger
    from layerscope.integrations.lightning.monitor import LayerMonitor
    from layerscope.integrations.watch import watch
    from layerscope.run import read
    from layerscope.run_view import show

__all__ = ["EventLogger", "LayerMonitor", "LayerScopeCallback", "read", "show", "watch"]

_HOMES = {
    "EventLogger": "layerscope.integrations.lightning.logger",
    "LayerMonitor": "layerscope.integrations.lightning.monitor",
    "LayerScopeCallback": "layerscope.integrations.huggingface",
    "read": "layerscope.run",
    "show": "layerscope.run_view",
    "watch": "layerscope.integrations.watch",
}


def __getattr__(name: str) -> Any:
    # On first use: importing Lightning takes seconds, and not everybody has it.
    if name == "__version__":
        from importlib.metadata import version

        return version("layerscope")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        with unnoticed():
            return getattr(import_module(_HOMES[name]), name)
    except ModuleNotFoundError as error:
        from layerscope.extras import needs

        if (sentence := needs(name, error)) is None:
            raise
        raise ModuleNotFoundError(sentence, name=error.name) from None


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
