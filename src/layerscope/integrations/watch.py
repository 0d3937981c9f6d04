"""`layerscope.watch`: the instrument in a plain PyTorch loop."""

from numbers import Integral
from os import PathLike
from typing import Unpack

from torch import nn
from torch.amp import GradScaler

from layerscope.integrations.watcher import Watcher
from layerscope.session.door import Door
from layerscope.session.setting_keywords import (
    SettingKeywords,
    with_setting_keywords,
    with_settings_described,
)
from layerscope.session.settings import Settings

_DOOR = Door("watch", "step() was never called, or no optimizer took a step", loss_tag="train/loss")


@with_setting_keywords
def watch(
    model: nn.Module,
    log_dir: str | PathLike[str],
    *,
    start: int = 0,
    scaler: GradScaler | None = None,
    **settings: Unpack[SettingKeywords],
) -> Watcher:
    """Watch a model in a plain loop: `with layerscope.watch(model, "logs/run") as watcher:`.

    After each optimizer step call `watcher.step()`, with the loss if it is to be recorded; this is
    the step axis. Forward passes in training mode of the
    model are measured, whatever is called between two steps; weight gradients when an optimizer of
    torch's takes its step with them (after clipping, where the loop clips), and those of parameters
    that no optimizer has in `watcher.step()`. In evaluation mode nothing is measured.

    Without a `with` block: `watcher = watch(...)`, `watcher.start()`, and `watcher.close()` at the
    end.

    Args:
        model: any module; it is not changed.
        log_dir: as for `LayerMonitor`: event files, `keyframes`, `diagnosis.json`. A relative path
            starts at the working folder of this moment. Of one run: where this process has written
            one already, the next free name is taken (run_2), and told.
        start: the first step, where a loop goes on with an earlier one; the folder's run is then
            continued.
        scaler: the loop's gradient scaler, whose factor is taken out of the activation gradients;
            a step that it leaves out is recorded as such. It waits for the device once a step, as
            `scaler.step` does. One that calls `optimizer.step` is found by itself, with the first
            step that it takes: steps that it leaves out before are recorded as a part of that one.
        settings: those of `layerscope.session.settings.Settings`, by name.

    Returns:
        A context manager, which is not started yet.

    Raises:
        TypeError: an unknown setting.
        ValueError: an argument is of another type or out of its bounds, no layer matches, or
            log_dir is not on this machine.
    """
    _check(model, start, scaler)
    return Watcher(model, log_dir, Settings.of(settings), int(start), scaler, _DOOR)


watch.__doc__ = with_settings_described(watch.__doc__)


def _check(model: object, start: object, scaler: object) -> None:
    """Refuse what is not what its type says."""
    if not isinstance(model, nn.Module):
        got = f"a {type(model).__name__}"
        if model is None or isinstance(model, type):
            got = "None" if model is None else f"the class {model.__name__}"
        raise ValueError(f"model must be a torch.nn.Module, got {got}")
    if isinstance(start, bool) or not isinstance(start, Integral) or not 0 <= int(start) < 2**63:
        raise ValueError(f"start must be a whole number from 0 to {2**63 - 1}, got {start!r}")
    scales = callable(getattr(scaler, "get_scale", None)) and not isinstance(scaler, type)
    if scaler is not None and not scales:
        raise ValueError(f"scaler must be a torch.amp.GradScaler, got {scaler!r}")
