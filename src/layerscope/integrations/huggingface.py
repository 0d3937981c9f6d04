"""`LayerScopeCallback`: the instrument in a Hugging Face Trainer."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any, Unpack

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle, unserializable_hook
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from layerscope.diagnose import Findings
from layerscope.integrations.watcher import Watcher
from layerscope.session.door import Door
from layerscope.session.passing_hook import PassingHook
from layerscope.session.setting_keywords import SettingKeywords
from layerscope.session.settings import Settings

_DOOR = Door("LayerScopeCallback", "the Trainer took no step", loss_tag="train/loss")


class LayerScopeCallback(TrainerCallback):
    """Watches the model of a Trainer: `Trainer(..., callbacks=[LayerScopeCallback()])`.

    As `watch` does: a record for each step of the optimizer, gradients as the optimizer gets them,
    which the Trainer has clipped. Micro-batches add up, evaluation is left out, and under fp16 the
    gradient scaler's factor is taken out. The loss is that which backward starts from, added up
    over micro-batches; where the model does not return it, as with `label_smoothing_factor`, it is
    unknown.

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
        self._scaler: Any = None
        self._loss: Tensor | None = None  # of the step that goes on
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
        self._scaler = getattr(optimizer, "scaler", None)
        self._loss = None
        self._handle = model.register_forward_hook(PassingHook(self._note_loss))
        self.watcher = Watcher(
            model, folder, self._settings, state.global_step, self._scaler, _DOOR
        ).start()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **others: Any
    ) -> None:
        """The optimizer has taken its step, or the scaler has left it out."""
        if self.watcher is not None:
            loss, self._loss = self._loss, None
            if not self.watcher.step(loss):
                control.should_training_stop = True

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **others: Any
    ) -> None:
        """Take the hooks off, write the diagnosis and close the files."""
        if self._handle is not None:
            self._handle.remove()
            self._handle = None
        if self.watcher is not None:
            self.watcher.close()

    def _note_loss(self, module: nn.Module, inputs: Any, output: Any) -> None:
        loss = output.get("loss") if isinstance(output, dict) else None
        if isinstance(loss, Tensor) and loss.requires_grad:
            told = loss.detach()
            add = unserializable_hook(lambda gradient: self._add(told, gradient))  # type: ignore[no-untyped-call]
            loss.register_hook(add)  # type: ignore[no-untyped-call]

    def _add(self, loss: Tensor, gradient: Tensor) -> None:
        """The gradient of what backward starts from is the factor that the Trainer has put to the
        model's loss: one over the micro-batches, and the scaler's.
        """
        factor = gradient if self._scaler is None else gradient / self._scaler.get_scale()
        part = (loss * factor).sum().detach()
        self._loss = part if self._loss is None else self._loss + part
