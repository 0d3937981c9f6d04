"""LayerMonitor: the one place where Lightning meets the instrument."""

import logging
from dataclasses import replace
from os import PathLike
from typing import Any, Unpack

import lightning.pytorch as pl
from lightning.pytorch.strategies import DeepSpeedStrategy, FSDPStrategy, Strategy

from layerscope.diagnose import Finding
from layerscope.integrations.lightning.checkpointed_state import CheckpointedState
from layerscope.integrations.lightning.fit_folder import FitFolder
from layerscope.integrations.lightning.fit_hooks import FitHooks, never_stops_training
from layerscope.integrations.lightning.logger_sinks import sinks_of
from layerscope.integrations.lightning.watched_fit import HOOKS_LEFT_OUT, WatchedFit
from layerscope.record import Layer, choose_layers
from layerscope.session.announced_steps import AnnouncedSteps
from layerscope.session.door import Door
from layerscope.session.local_folder import local_folder
from layerscope.session.own_failure import told_failure
from layerscope.session.setting_keywords import (
    SettingKeywords,
    with_setting_keywords,
    with_settings_described,
)
from layerscope.session.settings import Settings
from layerscope.theory import PredictionSummary

_log = logging.getLogger("layerscope")

_DOOR = Door("LayerMonitor", "no optimizer that the trainer knows has taken a step")

_SHARDING: tuple[type[Strategy], ...] = (FSDPStrategy, DeepSpeedStrategy)


class LayerMonitor(FitHooks):
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

    # Lightning's name for its state in a checkpoint: several monitors go side by side. No property,
    # since Lightning asks for it six times a step.
    state_key: str = ""

    @with_setting_keywords
    def __init__(
        self, log_dir: str | PathLike[str] | None = None, **settings: Unpack[SettingKeywords]
    ) -> None:
        self._log_dir = None if log_dir is None else str(local_folder(log_dir))
        self.settings = Settings.of(settings)
        layers = repr(self.settings.layers)
        self.state_key = self._generate_state_key(log_dir=self._log_dir, layers=layers)
        self.diagnosis: dict[str, Any] | None = None
        self.failure: str | None = None
        self.prediction: PredictionSummary | None = None
        self._folder: FitFolder | None = None  # from the start of fit on
        self._refused: Finding | None = None
        self._state = CheckpointedState()
        self._leads = True

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
        # Before the logger writes to it; but of shards a checkpoint comes later, when there are
        # layers to put it into, and only then it is known whether the run goes on with another.
        if not trainer.strategy.restore_checkpoint_after_setup:
            self._claim_folder(trainer)

    def _claim_folder(self, trainer: pl.Trainer) -> None:
        self._state.resumes |= trainer.global_step > 0
        monitors = (each for each in trainer.callbacks if isinstance(each, LayerMonitor))  # type: ignore[attr-defined]
        self._leads = next(monitors) is self
        self._folder = FitFolder(
            trainer, self._log_dir, resumes=self._state.resumes, leads=self._leads, door=_DOOR
        )

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Know that the run goes on with an earlier one, whether that was watched or not.

        The state of a monitor of the same layers that wrote to another folder is its own.
        """
        self._state.resumes = True
        layers = repr(self.settings.layers)
        self._state.give_of(checkpoint.get("callbacks", {}), self.state_key, layers)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Choose the layers, open the files and put the hooks on."""
        if self._folder is None:
            self._claim_folder(trainer)
        self._open(trainer, pl_module)

    @never_stops_training
    def _open(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert self._folder is not None
        self._state.begin()
        self.failure = self._refused = None
        session = AnnouncedSteps(
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
            resumes=self._state.resumes,
            prediction=self.prediction,
        )
        self._fit = WatchedFit(trainer, pl_module, session, self, self._give_up)
        self._state.restore(session)

    @never_stops_training
    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take the hooks off, write the diagnosis and close the files."""
        self._finish()

    @never_stops_training
    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """The same, and record the step in whose middle it came; Lightning calls nothing else."""
        self._finish(interrupted=True)

    def __getstate__(self) -> dict[str, Any]:
        """Copied and pickled as a monitor with the same settings that watches nothing."""
        kept = {name: each for name, each in vars(self).items() if name not in HOOKS_LEFT_OUT}
        return kept | dict.fromkeys(("_fit", "_folder"))

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run goes on from: findings, running medians, how long units are silent."""
        return self._state.of(None if self._fit is None else self._fit.session)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Keep what `state_dict` gave until training starts."""
        self._state.give(state_dict)

    def _finish(self, interrupted: bool = False) -> None:
        fit, self._fit = self._fit, None
        try:
            if fit is not None:
                fit.release()
                self._end(fit.session, interrupted)
        finally:
            self._forget_folder()

    def _end(self, session: AnnouncedSteps, interrupted: bool) -> None:
        try:
            session.settle()  # here a sink may fail, which is no matter of the checkpoint's
            self._state.leave(session)
        finally:
            session.close(interrupted)
            self.diagnosis, self._refused = session.diagnosis, session.verdict.refused

    def _forget_folder(self) -> None:
        self._state.resumes = False
        if self._folder is not None:
            self._folder.release()
            self._folder = None

    def _give_up(self, step: int, error: Exception) -> None:
        fit, self._fit = self._fit, None
        why, trace = told_failure(error, None if fit is None else fit.module)
        self.failure = f"monitoring stopped at step {step}: {why}"
        _log.error("LayerMonitor: %s; training goes on", self.failure, exc_info=trace)
        if fit is not None:
            fit.release(failed=True)
            fit.session.give_up()
            self._forget_folder()


LayerMonitor.__doc__ = with_settings_described(LayerMonitor.__doc__)
