"""`Watcher`: a session in a loop that is not Lightning's, opened and closed."""

from __future__ import annotations

import atexit
import logging
import math
import sys
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import NoReturn, Self

from torch import Tensor, nn
from torch.amp import GradScaler

from layerscope.diagnose.rules.not_optimized import NEVER_STEPPED, never_stepped
from layerscope.diagnose.rules.weights_overwritten import own_weights_loaded
from layerscope.integrations.loop_steps import LoopSteps
from layerscope.integrations.outcome import Outcome
from layerscope.record import choose_layers
from layerscope.record.parameters.own_weights import OwnWeights
from layerscope.session.claimed_folder import ClaimedFolder, claim
from layerscope.session.door import Door
from layerscope.session.finished_steps import FinishedSteps
from layerscope.session.local_folder import local_folder
from layerscope.session.own_failure import told_failure
from layerscope.session.ranks import told_by_rank_0
from layerscope.session.settings import Settings

_log = logging.getLogger("layerscope")

_OPEN: set[Watcher] = set()


class Watcher(Outcome):
    """What `watch` gives: call `step` at the end of every training step.

    A context manager; opened by hand, `start` and `close` do the same. What is still open when
    the interpreter exits is closed then.
    """

    def __init__(
        self,
        model: nn.Module,
        log_dir: str | PathLike[str],
        settings: Settings,
        start: int,
        scaler: GradScaler | None,
        door: Door,
        *,
        named: bool = True,
        steps: float = math.inf,
    ) -> None:
        choose_layers(model, settings.layers)  # refuses now what cannot be watched
        self._model = model
        self._folder = local_folder(log_dir)
        self._claimed: ClaimedFolder | None = None
        self._settings = settings
        self._steps = loop = LoopSteps(start, scaler, door)
        self._own_weights = OwnWeights(model, lambda: loop.at)
        self._door = door
        self._named, self._planned = named, steps
        self._was_closed = self._told_of_late_steps = False

    def start(self) -> Self:
        """Put the hooks on and open the files; call it before the first forward pass.

        Returns:
            Itself. A second call does nothing.

        Raises:
            RuntimeError: it was closed.
            ValueError: no layer is left to watch, the network is sharded by FSDP1, or log_dir
                cannot be written to or is another run's; on all ranks alike.
        """
        if self._session is not None:
            return self
        if self._opened is not None:
            raise RuntimeError(f"{self._door.name}: it was closed; a new one is needed to go on")
        for earlier in list(_OPEN):
            if earlier._model is self._model:  # a notebook's cell that ran twice
                _log.warning(
                    "%s: the earlier watch of %s was still open; it is closed",
                    self._door.name,
                    earlier._folder,
                )
                earlier.close()
        resumes = self._steps.at > 0

        def claimed() -> str:
            try:
                self._claimed = claim(self._folder, self._door, resumes=resumes, named=self._named)
            except OSError as error:
                raise ValueError(
                    f"log_dir must be a folder to write to, got {self._folder}: {error.strerror}"
                ) from error
            return str(self._claimed.path)

        self._folder = Path(told_by_rank_0(claimed))
        _OPEN.add(self)
        try:
            self._session = self._opened = FinishedSteps(
                *(self._model, self._folder, self._settings, self._door),
                start=self._steps.at,
                steps=self._planned,
                resumes=resumes,
            )
        except BaseException:
            self._end()
            raise
        self._steps.attach(self._model, self._guarded)
        self._own_weights.attach()
        atexit.register(self._close_at_exit)
        self._guarded(self._steps.begin)
        return self

    def step(self, loss: Tensor | float | None = None) -> bool:
        """End a training step: call it after the optimizer's step, and a gradient scaler's update.

        Called after each micro-batch it ends a step only once an optimizer has taken one; it may
        come after the gradients are cleared.

        Args:
            loss: the step's, for the record: a number, or a tensor, of which the mean is taken; of
                micro-batches the mean of theirs. None: what `note_loss` was told; of a loop that
                tells none in its first step, what backward starts from, of micro-batches the sum.

        Returns:
            Whether to go on: False once there is a finding as bad as the setting `stop_on`.

        Raises:
            RuntimeError: `start` was not called, nor a `with` block entered.
        """
        if self._opened is None:
            raise RuntimeError(
                f"{self._door.name}: step() needs start() before it, or a `with` block around it"
            )
        # As a notebook's cell that runs again does.
        if self._was_closed and not self._told_of_late_steps:
            self._told_of_late_steps = True
            _log.warning("%s: step() was called after close(): it records nothing", self._door.name)
        self.note_loss(loss)
        ended = False

        def end(session: FinishedSteps) -> None:
            nonlocal ended
            ended = self._steps.end(session, loss)

        self._guarded(end)
        if ended:
            self._guarded(self._steps.begin)
        return self._session is None or self._session.verdict.stop is None

    def note_loss(self, loss: Tensor | float | None) -> None:
        """Tell the loss of the step that goes on, where `step` is called by somebody who does not
        know it. Of several the mean is recorded.
        """
        self._steps.note_loss(loss)

    def note_scaled_loss(self, loss: Tensor | None) -> None:
        """Tell the loss that backward started from, with the gradient scaler's factor in it."""
        self._steps.note_scaled_loss(loss)

    def see_loss(self, loss: Tensor) -> None:
        """Look at the graph of a loss of the step that goes on, where `step` will not be told it.

        Args:
            loss: with its graph, before its backward pass or in it.
        """
        self._guarded(lambda session: session.see_loss(loss))

    def close(self, interrupted: bool = False) -> None:
        """Take the hooks off, write the diagnosis and close the files. Twice is as once.

        Args:
            interrupted: whether an exception ends the loop: its step is recorded up to there.
        """

        def end(session: FinishedSteps) -> None:
            if self._steps.unanswered >= NEVER_STEPPED:
                session.verdict.judge.add(never_stepped(self._steps.unanswered))
            if self._own_weights.loaded is not None:
                session.verdict.judge.add(own_weights_loaded(self._own_weights.loaded))
            session.close(interrupted)

        self._own_weights.detach()
        self._guarded(end)
        self._end()
        self._was_closed = True

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(
            "a Watcher holds the open files of one process and cannot be copied or pickled: "
            "copy or save the network, which is free of it"
        )

    def _close_at_exit(self) -> None:
        self.close(interrupted=hasattr(sys, "last_value"))  # whether an exception ends the program

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, *raised: object) -> None:
        """Close, whatever happened."""
        self.close(interrupted=kind is not None)

    def _guarded(self, work: Callable[[FinishedSteps], None]) -> None:
        """The instrument's own failure ends the watching, loudly and once, and nothing else."""
        session = self._session
        if session is None:
            return
        try:
            work(session)
        except Exception as error:
            why, trace = told_failure(error, self._model)
            self.failure = f"watching stopped at step {self._steps.at}: {why}"
            _log.error("%s: %s; the loop goes on", self._door.name, self.failure, exc_info=trace)
            session.give_up()
            self._end(failed=True)

    def _end(self, *, failed: bool = False) -> None:
        self._session = None
        _OPEN.discard(self)
        self._own_weights.detach()
        if self._claimed is not None:
            self._claimed.release()
        atexit.unregister(self._close_at_exit)
        self._steps.detach(failed=failed)
