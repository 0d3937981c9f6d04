"""`layerscope.watch`: the instrument in a plain PyTorch loop."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from os import PathLike
from typing import Any

import torch
from torch import Tensor, nn
from torch.amp import GradScaler
from torch.optim import Optimizer
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from layerscope.diagnose import Finding
from layerscope.session.finished_steps import FinishedSteps
from layerscope.session.settings import Settings

_log = logging.getLogger("layerscope")


class Watch:
    """What `watch` gives: call `step` at the end of every training step.

    Attributes:
        failure: if the instrument itself failed, at which step and why; the loop goes on.
    """

    def __init__(
        self,
        model: nn.Module,
        directory: str,
        settings: Settings,
        start: int,
        scaler: GradScaler | None,
    ) -> None:
        self.failure: str | None = None
        self._scaler = scaler
        self._scale: Tensor | None = None
        self._at = start
        self._scope: FinishedSteps | None = FinishedSteps(model, directory, settings, start=start)
        self._seen = self._scope
        self._own = set(model.parameters())
        self._stepped: set[nn.Parameter] = set()
        self._handles = [
            register_optimizer_step_pre_hook(self._before),
            register_optimizer_step_post_hook(self._after),
        ]
        self._begin()

    @property
    def findings(self) -> list[Finding]:
        """What has been found so far, the worst first; some steps may still wait to be judged."""
        return self._seen.verdict.judge.findings

    @property
    def diagnosis(self) -> dict[str, Any] | None:
        """The content of diagnosis.json, after the end of the `with` block."""
        return self._seen.diagnosis

    @property
    def refused(self) -> Finding | None:
        """The worst finding, if it is at least as bad as the setting `fail_on`."""
        return self._seen.verdict.refused

    def step(self, loss: Tensor | float | None = None) -> bool:
        """End a training step: call it after the optimizer's step, before gradients are cleared.

        Args:
            loss: the step's, for the record.

        Returns:
            Whether to go on: False once there is a finding as bad as the setting `stop_on`.
        """

        def end(scope: FinishedSteps) -> None:
            if loss is not None:
                scope.note_loss(torch.as_tensor(loss) * (1 if self._scale is None else self._scale))
            left_out = self._scaler is not None and not self._stepped
            if not self._stepped:  # weights that are changed by hand, or no torch optimizer
                self._measure(scope, {p for p in self._own if p.grad is not None})
            scope.finish(self._at, self._stepped.__contains__, self._scale, left_out)

        self._guarded(end)
        self._at += 1
        self._stepped = set()
        self._begin()
        return self._scope is None or self._scope.verdict.stop is None

    def close(self, interrupted: bool = False) -> None:
        """Take the hooks off, write the diagnosis and close the files.

        Args:
            interrupted: whether an exception ends the loop: the step in whose middle it came is
                recorded as far as it went.
        """
        self._guarded(lambda scope: scope.close(interrupted))
        self._end()

    def _begin(self) -> None:
        def begin(scope: FinishedSteps) -> None:
            scope.begin(self._at)
            if self._scaler is not None:  # as it is now: it may change before the step ends
                self._scale = torch.tensor(self._scaler.get_scale())
            if scope.is_counting:
                scope.measure_weights(self._at, lambda parameter: parameter.requires_grad)

        self._guarded(begin)

    def _before(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if not (args or kwargs.get("closure")):  # a closure makes its gradients yet
            self._guarded(lambda scope: self._take(scope, optimizer))

    def _after(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if args or kwargs.get("closure"):
            self._guarded(lambda scope: self._take(scope, optimizer))

    def _take(self, scope: FinishedSteps, optimizer: Optimizer) -> None:
        given = {p for group in optimizer.param_groups for p in group["params"]}
        if mine := (given & self._own) - self._stepped:
            scope.note_optimizer(optimizer)
            self._measure(scope, mine)
        elif not given & self._own:  # of another network in the same loop, as a GAN's
            scope.note_other_optimizer(optimizer)

    def _measure(self, scope: FinishedSteps, parameters: set[nn.Parameter]) -> None:
        scope.measure_gradients(parameters.__contains__)
        self._stepped |= parameters

    def _guarded(self, work: Callable[[FinishedSteps], None]) -> None:
        """The instrument's own failure ends the watching, loudly and once, and nothing else."""
        scope = self._scope
        if scope is None:
            return
        try:
            work(scope)
        except Exception as error:
            self.failure = f"watching stopped at step {self._at}: {type(error).__name__}: {error}"
            _log.error("watch: %s; the loop goes on.", self.failure, exc_info=error)
            scope.give_up()
            self._end()

    def _end(self) -> None:
        self._scope = None
        for handle in self._handles:
            handle.remove()


@contextmanager
def watch(
    model: nn.Module,
    log_dir: str | PathLike[str],
    *,
    start: int = 0,
    scaler: GradScaler | None = None,
    **settings: Any,
) -> Iterator[Watch]:
    """Watch a model in a plain loop: `with layerscope.watch(model, "logs/run") as scope:`.

    After each optimizer step, and before the gradients are cleared, call `scope.step()`, with the
    loss if it is to be recorded; this is the step axis. Forward passes in training mode of the
    model are measured, whatever is called between two steps; weight gradients when an optimizer of
    torch's takes its step with them (after clipping, where the loop clips), or else in
    `scope.step()`. In evaluation mode nothing is measured.

    Args:
        model: any module; it is not changed.
        log_dir: as for `LayerMonitor`: event files, `keyframes`, `diagnosis.json`.
        start: the first step, where a loop goes on with an earlier one.
        scaler: the loop's gradient scaler, whose factor is then taken out of the activation
            gradients; a step that it leaves out is recorded as such. It waits for the device once
            a step, as `scaler.step` does.
        settings: those of `layerscope.session.settings.Settings`, by name.

    Raises:
        TypeError: an unknown setting.
        ValueError: a setting is out of its bounds, or no layer matches.
    """
    watched = Watch(model, str(log_dir), Settings.of(settings), start, scaler)
    try:
        yield watched
    except BaseException:
        watched.close(interrupted=True)
        raise
    watched.close()
