"""`layerscope.watch`: the instrument in a plain PyTorch loop."""

from __future__ import annotations

import atexit
import logging
from collections.abc import Callable
from html import escape
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, Self, Unpack

import torch
from torch import Tensor, nn
from torch.amp import GradScaler

from layerscope.diagnose import Finding, Findings
from layerscope.record import choose_layers
from layerscope.session.claimed_folder import ClaimedFolder, claim
from layerscope.session.door import Door
from layerscope.session.finished_steps import FinishedSteps
from layerscope.session.local_folder import local_folder
from layerscope.session.optimizers_of_a_loop import OptimizersOfALoop
from layerscope.session.setting_keywords import (
    SettingKeywords,
    with_setting_keywords,
    with_settings_described,
)
from layerscope.session.settings import Settings
from layerscope.session.told_loss import ToldLoss

_log = logging.getLogger("layerscope")

_DOOR = Door("watch", "step() was never called", loss_tag="train/loss")

_OPEN: set[Watcher] = set()


class Watcher:
    """What `watch` gives: call `step` at the end of every training step.

    A context manager; opened by hand, `start` and `close` do the same. What is still open when
    the interpreter exits is closed then.

    Attributes:
        failure: if the instrument itself failed, at which step and why; the loop goes on. None
            otherwise.
    """

    def __init__(
        self,
        model: nn.Module,
        log_dir: str | PathLike[str],
        settings: Settings,
        start: int,
        scaler: GradScaler | None,
        *,
        door: Door = _DOOR,
        named: bool = True,
    ) -> None:
        choose_layers(model, settings.layers)  # refuses now what cannot be watched
        self.failure: str | None = None
        self._model = model
        self._folder = local_folder(log_dir)
        self._claimed: ClaimedFolder | None = None
        self._settings = settings
        self._scaler = scaler
        self._scale: Tensor | None = None
        self._at = start
        self._scope: FinishedSteps | None = None
        self._seen: FinishedSteps | None = None
        self._optimizers: OptimizersOfALoop | None = None
        self._door = door
        self._named = named
        self._loss = ToldLoss(door)
        self._losses: list[Tensor] = []  # of the step that goes on

    def start(self) -> Self:
        """Put the hooks on and open the files; call it before the first forward pass.

        Returns:
            Itself. A second call does nothing.

        Raises:
            ValueError: no layer is left to watch, the network is sharded, or log_dir cannot be
                written to or is another run's.
        """
        if self._seen is not None:
            return self
        for earlier in list(_OPEN):
            if earlier._model is self._model:  # a notebook's cell that ran twice
                _log.warning(
                    "%s: the earlier watch of %s was still open; it is closed",
                    self._door.name,
                    earlier._folder,
                )
                earlier.close()
        resumes = self._at > 0
        try:
            self._claimed = claim(self._folder, self._door, resumes=resumes, named=self._named)
        except OSError as error:
            raise ValueError(
                f"log_dir must be a folder to write to, got {self._folder}: {error.strerror}"
            ) from error
        self._folder = self._claimed.path
        _OPEN.add(self)
        try:
            self._scope = self._seen = FinishedSteps(
                self._model,
                self._folder,
                self._settings,
                self._door,
                start=self._at,
                resumes=resumes,
            )
        except BaseException:
            self._end()
            raise
        self._optimizers = OptimizersOfALoop(self._model, self._guarded)
        atexit.register(self.close)
        self._begin()
        return self

    def step(self, loss: Tensor | float | None = None) -> bool:
        """End a training step: call it after the optimizer's step, and a gradient scaler's update.

        Called after each micro-batch it ends a step only once an optimizer has taken one; it may
        come after the gradients are cleared.

        Args:
            loss: the step's, for the record: a number, or a tensor, of which the mean is taken; of
                micro-batches the mean of theirs. None: see `note_loss`.

        Returns:
            Whether to go on: False once there is a finding as bad as the setting `stop_on`.

        Raises:
            RuntimeError: `start` was not called, nor a `with` block entered.
        """
        if self._seen is None:
            raise RuntimeError("watch: step() needs start() before it, or a `with` block around it")
        self.note_loss(loss)
        ended = False

        def end(scope: FinishedSteps) -> None:
            nonlocal ended
            optimizers = self._optimizers
            assert optimizers is not None
            left_out = not optimizers.any_came and self._has_backed_off()
            if not (optimizers.any_came or left_out) and optimizers.is_awaited:
                return  # a micro-batch
            ended = True
            if self._losses:
                mean = sum(self._losses[1:], self._losses[0]) / len(self._losses)
                scope.note_loss(mean * (1 if self._scale is None else self._scale))
            optimizers.end(scope)
            scope.finish(self._at, optimizers.had_gradient, self._scale, left_out)

        self._guarded(end)
        if ended:
            self._losses.clear()
            self._at += 1
            self._begin()
        return self._scope is None or self._scope.verdict.stop is None

    def note_loss(self, loss: Tensor | float | None) -> None:
        """Tell the loss of the step that goes on, where `step` is called by somebody who does not
        know it. Of several the mean is recorded.

        Args:
            loss: as for `step`.
        """
        if self._scope is not None and (number := self._loss.scalar(loss)) is not None:
            self._losses.append(number)

    def _has_backed_off(self) -> bool:
        """Whether the gradient scaler has lowered its factor, as after each step it leaves out."""
        scaler, scale = self._scaler, self._scale
        return scaler is not None and scale is not None and scaler.get_scale() < float(scale)

    def close(self, interrupted: bool = False) -> None:
        """Take the hooks off, write the diagnosis and close the files. Twice is as once.

        Args:
            interrupted: whether an exception ends the loop: the step in whose middle it came is
                recorded as far as it went.
        """
        self._guarded(lambda scope: scope.close(interrupted))
        self._end()

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close, whatever happened."""
        self.close(interrupted=error is not None)

    def _repr_html_(self) -> str:
        """For notebooks: whether it watches, where the files land, and what has been found."""
        if self._seen is None:
            told = "not started"
        elif self.failure is not None:
            told = self.failure
        else:
            told = f"{'closed' if self._scope is None else 'open'}, {self._at} steps"
        folder = f"<code>{escape(str(self._folder))}</code>"
        return f"<p>{folder}: {escape(told)}</p>{self.findings._repr_html_()}"

    @property
    def folder(self) -> Path:
        """Where the files land; after `start` it has the name that was free."""
        return self._folder

    @property
    def findings(self) -> Findings:
        """What has been found so far, causes first; some steps may still wait to be judged."""
        return Findings() if self._seen is None else self._seen.verdict.judge.findings

    @property
    def diagnosis(self) -> dict[str, Any] | None:
        """The content of diagnosis.json, after `close`; None before."""
        return None if self._seen is None else self._seen.diagnosis

    @property
    def refused(self) -> Finding | None:
        """The worst finding, if it is at least as bad as the setting `fail_on`."""
        return None if self._seen is None else self._seen.verdict.refused

    def _begin(self) -> None:
        def begin(scope: FinishedSteps) -> None:
            scope.begin(self._at)
            if self._scaler is not None:  # as it is now: it may change before the step ends
                self._scale = torch.tensor(self._scaler.get_scale())
            assert self._optimizers is not None
            self._optimizers.begin(scope, self._at)

        self._guarded(begin)

    def _guarded(self, work: Callable[[FinishedSteps], None]) -> None:
        """The instrument's own failure ends the watching, loudly and once, and nothing else."""
        scope = self._scope
        if scope is None:
            return
        try:
            work(scope)
        except Exception as error:
            self.failure = f"watching stopped at step {self._at}: {type(error).__name__}: {error}"
            _log.error("%s: %s; the loop goes on", self._door.name, self.failure, exc_info=error)
            scope.give_up()
            self._end()

    def _end(self) -> None:
        self._scope = None
        _OPEN.discard(self)
        if self._claimed is not None:
            self._claimed.release()
        atexit.unregister(self.close)
        if self._optimizers is not None:
            self._optimizers.remove()


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

    After each optimizer step, and before the gradients are cleared, call `watcher.step()`, with the
    loss if it is to be recorded; this is the step axis. Forward passes in training mode of the
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
        scaler: the loop's gradient scaler, whose factor is then taken out of the activation
            gradients; a step that it leaves out is recorded as such. It waits for the device once
            a step, as `scaler.step` does.
        settings: those of `layerscope.session.settings.Settings`, by name.

    Returns:
        A context manager, which is not started yet.

    Raises:
        TypeError: an unknown setting.
        ValueError: a setting is out of its bounds, no layer matches, or log_dir is not on this
            machine.
    """
    return Watcher(model, log_dir, Settings.of(settings), start, scaler)


watch.__doc__ = with_settings_described(watch.__doc__)
