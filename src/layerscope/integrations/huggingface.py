"""`LayerScopeCallback`: the instrument in a Hugging Face Trainer."""

import math
from os import PathLike
from pathlib import Path
from typing import Any, Unpack

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from layerscope.diagnose import Findings
from layerscope.integrations.backward_start import BackwardStart
from layerscope.integrations.watcher import Watcher
from layerscope.record.hooks.quiet_hook import PassingHook
from layerscope.session.door import Door
from layerscope.session.setting_keywords import SettingKeywords
from layerscope.session.settings import Settings

_DOOR = Door("LayerScopeCallback", "the Trainer took no step", loss_tag="train/loss")


class LayerScopeCallback(TrainerCallback):
    """Watches the model of a Trainer: `Trainer(..., callbacks=[LayerScopeCallback()])`.

    As `watch` does: a record for each step of the optimizer, gradients as the optimizer gets them,
    which the Trainer has clipped. Micro-batches add up, evaluation is left out, and under fp16 the
    gradient scaler's factor is taken out. The loss is that which backward starts from, added up
    over micro-batches.

    Args:
        log_dir: the run's folder. Default: `layerscope` in the Trainer's `output_dir`.
        settings: those of `layerscope.session.settings.Settings`, by name.

    Attributes:
        watcher: from the start of training on; None before.

    Raises:
        TypeError: an unknown setting.
        ValueError: a setting is out of its bounds.
    """

    def __init__(
        self, log_dir: str | PathLike[str] | None = None, **settings: Unpack[SettingKeywords]
    ) -> None:
        self._log_dir = log_dir
        self._settings = Settings.of(settings)
        self._loss: BackwardStart | None = None
        self._handle: RemovableHandle | None = None
        self.watcher: Watcher | None = None

    @property
    def findings(self) -> Findings:
        """What has been found so far, causes first."""
        return Findings() if self.watcher is None else self.watcher.findings

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        *,
        model: nn.Module,
        optimizer: Any = None,
        **others: Any,
    ) -> None:
        """Put the hooks on, and open the files."""
        folder = self._log_dir or Path(args.output_dir or ".", "layerscope")
        # Accelerate's wrapper of the optimizer has the scaler, None where there is none.
        scaler = getattr(optimizer, "scaler", None)
        self._loss = BackwardStart(model, self._see_loss)
        self._handle = model.register_forward_hook(PassingHook(self._loss.see_output))
        about = model, folder, self._settings, state.global_step, scaler, _DOOR
        self.watcher = Watcher(*about, steps=state.max_steps or math.inf).start()

    def _see_loss(self, loss: Tensor) -> None:
        if self.watcher is not None:
            self.watcher.see_loss(loss)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **others: Any
    ) -> None:
        """The optimizer has taken its step, or the scaler has left it out."""
        if self.watcher is not None and self._loss is not None:
            self.watcher.note_scaled_loss(self._loss.take())
            if not self.watcher.step():
                control.should_training_stop = True

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **others: Any
    ) -> None:
        """Take the hooks off, write the diagnosis and close the files."""
        if self._handle is not None:
            self._handle.remove()
            self._handle = None
        if self._loss is not None:
            self._loss.end()
        if self.watcher is not None:
            self.watcher.close()
