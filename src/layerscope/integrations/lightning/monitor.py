"""LayerMonitor: the one place where Lightning meets the instrument."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from dataclasses import replace
from os import PathLike
from typing import Any, Concatenate, ParamSpec, Unpack

import lightning.pytorch as pl
from lightning.pytorch.strategies import (
    DeepSpeedStrategy,
    FSDPStrategy,
    Strategy,
)
from lightning.pytorch.utilities.model_helpers import is_overridden
from torch import Tensor
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from layerscope.diagnose import Finding
from layerscope.integrations.lightning.fit_folder import FitFolder
from layerscope.integrations.lightning.logger_sinks import sinks_of
from layerscope.record import Layer, choose_layers
from layerscope.session.announced_steps import AnnouncedSteps
from layerscope.session.door import Door
from layerscope.session.local_folder import local_folder
from layerscope.session.setting_keywords import (
    SettingKeywords,
    with_setting_keywords,
    with_settings_described,
)
from layerscope.session.settings import Settings
from layerscope.theory import PredictionSummary

_log = logging.getLogger("layerscope")

_DOOR = Door("LayerMonitor", "no optimizer that the trainer knows has taken a step")

_P = ParamSpec("_P")

_Hook = Callable[Concatenate["LayerMonitor", pl.Trainer, _P], None]

_SHARDING: tuple[type[Strategy], ...] = (FSDPStrategy, DeepSpeedStrategy)


def _never_stops_training(hook: _Hook[_P]) -> _Hook[_P]:
    """A callback hook whose failure ends the monitoring, loudly and once, and nothing else."""

    @functools.wraps(hook)
    def guarded(
        self: LayerMonitor, trainer: pl.Trainer, /, *args: _P.args, **kw: _P.kwargs
    ) -> None:
        try:
            hook(self, trainer, *args, **kw)
        except Exception as error:
            self._give_up(trainer.global_step, error)

    return guarded


class LayerMonitor(pl.Callback):
    """Logs what every layer does at every step, for TensorBoard and for diagnosis.json, and judges
    it.

    A pure observer: training yields the same weights with it or without it, bit for bit. In each
    optimizer step it measures every layer's activations (in the forward pass, where they lie),
    activation gradients (on the way back, of the unscaled loss) and weight gradients (before
    clipping, unscaled), adds up micro-batches, merges ranks, and writes one event record; the x is
    Lightning's `global_step` k before the step, as for `self.log`. With several optimizers there is
    a record for each step of each, with the gradients of its own parameters. Weights are measured
    before the step, updates across it. Hooks are on only while training: not in sanity checking,
    validation or prediction, nor after fit or an exception.

    In `log_dir` it writes an event file (the `EventLogger`'s own, if that is the trainer's logger),
    the sibling run `keyframes`, which TensorBoard shows whole, and `diagnosis.json`; in a
    distributed training rank 0 does. `sinks.step_scalars` lists the scalars. In diagnosis.json the
    weights of the last step are the trained ones. Under `fast_dev_run` it leaves no file behind.

    Args:
        log_dir: where to write, a folder on this machine. A relative path starts at the working
            folder of this moment. Default None: the trainer's `log_dir`. Of one run: where another
            monitor of the trainer writes there, or this process has written a run there already,
            the next free name is taken (run_2), and told.
        settings: those of `layerscope.session.settings.Settings`, by name.

    Attributes:
        settings: as given.
        diagnosis: the content of diagnosis.json, after fit or an exception; None before.
        failure: if the monitor itself failed, at which step and why: it then took its hooks off,
            logged one error, and training went on to the same weights. None otherwise.
        prediction: what theory expects of the network at step 0; whoever knows sets it before fit.

    Raises:
        TypeError: an unknown setting.
        ValueError: a setting is out of its bounds; at the start of fit, no layer matches, the
            trainer's strategy is FSDP1's or DeepSpeed's, `log_dir` is not on this machine, is being
            written by another process, or holds a run that is not resumed.
    """

    @with_setting_keywords
    def __init__(
        self, log_dir: str | PathLike[str] | None = None, **settings: Unpack[SettingKeywords]
    ) -> None:
        self._log_dir = None if log_dir is None else str(local_folder(log_dir))
        self.settings = Settings.of(settings)
        layers = repr(self.settings.layers)
        self._state_key = self._generate_state_key(log_dir=self._log_dir, layers=layers)
        self.diagnosis: dict[str, Any] | None = None
        self.failure: str | None = None
        self.prediction: PredictionSummary | None = None
        self._folder: FitFolder | None = None  # from the start of fit on
        self._resumes = False
        self._scope: AnnouncedSteps | None = None
        self._refused: Finding | None = None
        self._restored: dict[str, Any] | None = None
        self._left: dict[str, Any] = {}  # the state at the end of fit, for a checkpoint after it
        self._handles: list[RemovableHandle] = []
        self._leads = self._alone = True
        self._clips = False

    @property
    def state_key(self) -> str:
        """Lightning's name for its state in a checkpoint: several monitors go side by side."""
        return self._state_key  # Lightning asks for it six times a step

    def layers_of(self, module: pl.LightningModule) -> tuple[Layer, ...]:
        """The layers of a module that it watches; ValueError if there are none."""
        return choose_layers(module, self.settings.layers)

    @property
    def refused(self) -> Finding | None:
        """The worst finding of the run, if it is at least as bad as the setting `fail_on`."""
        return self._refused

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Refuse what cannot be watched, before anything runs."""
        if stage != "fit":
            return
        if isinstance(trainer.strategy, _SHARDING):
            raise ValueError(
                "the strategy must be DDPStrategy, or ModelParallelStrategy with fully_shard in "
                f"configure_model, got {type(trainer.strategy).__name__}"
            )

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Refuse what cannot be watched, now that the module has its layers; claim the folder."""
        self.layers_of(pl_module)
        # Of shards the state comes later, when there are layers to put it into.
        self._resumes |= trainer.global_step > 0 or trainer.ckpt_path is not None
        monitors = (each for each in trainer.callbacks if isinstance(each, LayerMonitor))  # type: ignore[attr-defined]
        # Before the logger has written to it.
        self._leads = next(monitors) is self
        self._folder = FitFolder(
            trainer,
            self._log_dir,
            resumes=self._resumes,
            leads=self._leads,
            door=_DOOR,
        )

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Know that the run goes on with an earlier one, whether that was watched or not.

        The state of a monitor of the same layers that wrote to another folder is its own.
        """
        self._resumes = True
        states = checkpoint.get("callbacks", {})
        if self.state_key not in states:
            end = f"'layers': {repr(self.settings.layers)!r}}}"
            alike = [key for key in states if key.startswith("LayerMonitor{") and key.endswith(end)]
            if len(alike) == 1:
                self.load_state_dict(states[alike[0]])

    @_never_stops_training
    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Choose the layers, open the files and put the hooks on."""
        assert self._folder is not None
        self._left = {}
        self.failure = self._refused = None
        self._scope = scope = AnnouncedSteps(
            pl_module,
            self._folder.path,
            replace(
                self.settings,
                # A summary names the files, and a dry run leaves none.
                summary=self.settings.summary and not self._folder.is_dry,
                sinks=sinks_of(trainer, self.settings.sinks, leads=self._leads),
            ),
            _DOOR,
            events=self._folder.events_of(trainer),
            steps=trainer.estimated_stepping_batches,
            start=trainer.global_step,
            resumes=self._resumes,
            prediction=self.prediction,
        )
        if self._restored is not None:
            scope.load_state(self._restored)
            self._restored = None
        self._alone = len(trainer.optimizers) == 1
        self._clips = is_overridden("configure_gradient_clipping", pl_module)
        for optimizer in trainer.optimizers:
            if isinstance(optimizer, Optimizer):  # others end their step with the batch
                self._handles.append(
                    optimizer.register_step_post_hook(functools.partial(self._stepped, trainer))
                )

    @_never_stops_training
    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Count in this batch, if its step is due."""
        if self._scope is not None:
            self._scope.begin(trainer.global_step)

    @_never_stops_training
    def on_before_backward(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, loss: Tensor
    ) -> None:
        """Note the loss, divided by the number of micro-batches and scaled as it is."""
        if self._scope is not None:
            self._scope.note_loss(loss)

    @_never_stops_training
    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Optimizer
    ) -> None:
        """Measure what the optimizer is about to receive, and the weights it starts from."""
        scope = self._scope
        if scope is None or not scope.is_counting:
            return
        optimizer = getattr(optimizer, "optimizer", optimizer)
        number = 0
        if not self._alone:
            bare = [getattr(each, "optimizer", each) for each in trainer.optimizers]
            number = next((i for i, each in enumerate(bare) if each is optimizer), 0)
        scaler = getattr(trainer.precision_plugin, "scaler", None)
        scope.before_update(
            trainer.global_step,
            optimizer,
            index=number,
            alone=self._alone,
            scale=None if scaler is None else scaler._scale,  # get_scale() waits for the device
            clips=self._clips or bool(trainer.gradient_clip_val),
        )

    def _stepped(self, trainer: pl.Trainer, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        """The optimizer has taken its step."""
        try:
            if self._scope is not None:
                self._scope.after_update(optimizer)
                module = trainer.lightning_module
                if not module.automatic_optimization:  # the batch may go on with another optimizer
                    self._scope.begin(trainer.global_step + 1)
        except Exception as error:
            self._give_up(trainer.global_step, error)

    @_never_stops_training
    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Look whether all went well, and whether training must stop."""
        if self._scope is None:
            return
        self._scope.end()
        if self._scope.must_stop and not trainer.should_stop:
            trainer.should_stop = True
            if (finding := self._scope.verdict.stop) is not None:
                _log.warning("LayerMonitor: training stops: %s", finding.explanation)

    @_never_stops_training
    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take the hooks off: validation is not what the optimizer learns from."""
        if self._scope is not None:
            self._scope.detach()

    @_never_stops_training
    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Put the hooks on again."""
        if self._scope is not None:
            self._scope.attach()

    @_never_stops_training
    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take the hooks off, write the diagnosis and close the files."""
        self._finish()

    @_never_stops_training
    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """The same, and record the step in whose middle it came; Lightning calls nothing else."""
        self._finish(interrupted=True)

    def __getstate__(self) -> dict[str, Any]:
        """Copied and pickled as a monitor with the same settings that watches nothing."""
        watching = ("_scope", "_folder", "_claimed", "_dry_run")
        return self.__dict__ | dict.fromkeys(watching) | {"_handles": []}

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run goes on from: findings, running medians, how long units are silent."""
        return self._left if self._scope is None else self._state_of(self._scope)

    def _state_of(self, scope: AnnouncedSteps) -> dict[str, Any]:
        try:
            return scope.state()
        except Exception as error:  # a checkpoint is worth more
            _log.exception("LayerMonitor: a checkpoint goes without its state: %s", error)
            return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Keep what `state_dict` gave until training starts."""
        self._restored = state_dict or None

    def _finish(self, interrupted: bool = False) -> None:
        scope, self._scope = self._scope, None
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        try:
            if scope is not None:
                self._end(scope, interrupted)
        finally:
            self._forget_folder()

    def _end(self, scope: AnnouncedSteps, interrupted: bool) -> None:
        try:
            scope.settle()  # here a sink may fail, which is no matter of the checkpoint's
            self._left = self._state_of(scope)
        finally:
            scope.close(interrupted)
            self.diagnosis, self._refused = scope.diagnosis, scope.verdict.refused

    def _forget_folder(self) -> None:
        self._resumes = False
        if self._folder is not None:
            self._folder.release()
            self._folder = None

    def _give_up(self, step: int, error: Exception) -> None:
        self.failure = f"monitoring stopped at step {step}: {type(error).__name__}: {error}"
        _log.error("LayerMonitor: %s; training goes on", self.failure, exc_info=error)
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        scope, self._scope = self._scope, None
        if scope is not None:
            scope.give_up()
            self._forget_folder()


LayerMonitor.__doc__ = with_settings_described(LayerMonitor.__doc__)
