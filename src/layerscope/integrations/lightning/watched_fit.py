"""One fit of a trainer, as its session has to be told of it."""

import logging
from collections.abc import Callable
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.utilities.model_helpers import is_overridden
from torch.optim import Optimizer

from layerscope.record.hooks.handles import remove_all, silence
from layerscope.session.announced_steps import AnnouncedSteps

_log = logging.getLogger("layerscope")

HOOKS_LEFT_OUT = ("on_before_zero_grad", "on_after_backward")
"""Of the six hooks that Lightning calls at every step, each within a profiler's context, those that
the monitor has no use for."""


class WatchedFit:
    """Tells a session which optimizer steps, with which scale, and when it has stepped.

    Args:
        monitor: the trainer's callback that has its session watch.
        give_up: is told the step and what was raised, where an optimizer's own hook fails.
    """

    def __init__(
        self,
        trainer: pl.Trainer,
        module: pl.LightningModule,
        session: AnnouncedSteps,
        monitor: pl.Callback,
        give_up: Callable[[int, Exception], None],
    ) -> None:
        self.session = session
        self._trainer = trainer
        self._give_up = give_up
        self._monitor = monitor
        self._leave_hooks_out()
        self.module = module
        self._precision = trainer.precision_plugin
        self._alone = len(trainer.optimizers) == 1
        after = ("configure_gradient_clipping", "on_before_optimizer_step")  # they may change them
        self._clips = any(is_overridden(name, module) for name in after)
        self._handles = [
            optimizer.register_step_post_hook(self._stepped)
            for optimizer in trainer.optimizers
            if isinstance(optimizer, Optimizer)  # others end their step with the batch
        ]

    def _leave_hooks_out(self) -> None:
        """Lightning passes over what cannot be called. Nobody else calls what is its callback."""
        if any(each is self._monitor for each in self._trainer.callbacks):  # type: ignore[attr-defined]
            for name in HOOKS_LEFT_OUT:
                if getattr(type(self._monitor), name) is getattr(pl.Callback, name):
                    setattr(self._monitor, name, None)

    def before_step(self, optimizer: Optimizer) -> None:
        """Measure what the optimizer is about to receive, and the weights it starts from."""
        if not self.session.is_counting:
            return
        trainer = self._trainer
        optimizer = getattr(optimizer, "optimizer", optimizer)
        step, number = self.session.step, 0  # `global_step` goes through nine properties
        if not self._alone:  # another one may have made it the next
            step = trainer.global_step
            bare = [getattr(each, "optimizer", each) for each in trainer.optimizers]
            number = next((i for i, each in enumerate(bare) if each is optimizer), 0)
        scaler = getattr(self._precision, "scaler", None)
        self.session.before_update(
            step,
            optimizer,
            index=number,
            alone=self._alone,
            scale=None if scaler is None else scaler._scale,  # get_scale() waits for the device
            clips=self._clips or bool(trainer.gradient_clip_val),
        )

    def _stepped(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        """The optimizer has taken its step."""
        trainer = self._trainer
        try:
            self.session.after_update(optimizer)
            # Without automatic optimization the batch may go on with another optimizer.
            if not self.module.automatic_optimization:
                self.session.begin(trainer.global_step + 1)
        except Exception as error:
            self._give_up(trainer.global_step, error)

    def end_batch(self) -> None:
        """Look whether all went well, and whether training must stop."""
        session, trainer = self.session, self._trainer
        session.end()
        if session.must_stop and not trainer.should_stop:
            trainer.should_stop = True
            if (finding := session.verdict.stop) is not None:
                _log.warning("LayerMonitor: training stops: %s", finding.explanation)

    def release(self, *, failed: bool = False) -> None:
        """Take the optimizers' hooks off, and have the monitor's on again; `failed`: if one of the
        optimizers' has failed, they are silenced.
        """
        for name in HOOKS_LEFT_OUT:
            vars(self._monitor).pop(name, None)
        if failed:
            silence(self._handles)
        else:
            remove_all(self._handles)
