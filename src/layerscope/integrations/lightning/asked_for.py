"""LayerMonitor in any Trainer, where an environment variable asks for it: nothing to edit.

Lightning calls `callbacks_factory` for each Trainer that is made where LayerScope is installed: the
entry point `lightning.pytorch.callbacks_factory` in pyproject.toml.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lightning.pytorch import Callback

VARIABLE = "LAYERSCOPE"
"""1 asks for a monitor, and a path for one with this `log_dir`; 0, empty or unset for none."""


def callbacks_factory() -> list[Callback]:
    """A LayerMonitor if `LAYERSCOPE` asks for one, else nothing, which costs a microsecond.

    In a Trainer that has a LayerMonitor already, the one that was asked for does nothing.
    """
    asked = os.environ.get(VARIABLE, "")
    if asked in ("", "0"):
        return []
    from layerscope.integrations.lightning.monitor_asked_for import MonitorAskedFor

    return [MonitorAskedFor(None if asked == "1" else asked)]
