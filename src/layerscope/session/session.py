"""One network watched, whoever trains it: the steps that are due, observed and passed on."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from os import PathLike
from typing import Any

import numpy as np
from torch import Tensor, nn
from torch.optim import Optimizer

from layerscope.events.event_file import EventFile
from layerscope.measure.reading import Reading
from layerscope.record import Recorder, choose_layers
from layerscope.record.changes import Change, Changes
from layerscope.record.function_layers import FunctionLayers
from layerscope.record.functions import Functions
from layerscope.record.observation import LOSS, LOSS_OF_RANK_0
from layerscope.record.shards import put_shards_back
from layerscope.record.stand_aside import StandAside
from layerscope.record.surroundings import Surroundings
from layerscope.session.cadence import Cadence
from layerscope.session.door import Door
from layerscope.session.not_watched import (
    refuse_flat_parameters,
    refuse_tensor_parallelism,
    tell_change,
    tell_evaluation,
    tell_lost,
)
from layerscope.session.open_runs import closed, opened
from layerscope.session.ranks import Ranks
from layerscope.session.run_output import RunOutput
from layerscope.session.run_verdict import RunVerdict
from layerscope.session.settings import Settings
from layerscope.session.stopwatch import Stopwatch
from layerscope.sinks.tensorboard import bytes_per_step
from layerscope.theory import PredictionSummary

_log = logging.getLogger("layerscope")

_IN_OUR_OWN_WAY = np.errstate(all="ignore")
"""NaN and infinities are results here, whatever the user has told numpy by `np.seterr`."""


class Session:
    """Watches a network, step by step, from `begin` on; how a step ends is the subclasses' part.

    `AnnouncedSteps` is told before and after each update, as Lightning can; `FinishedSteps` once,
    after it.

    Args:
        network: what is trained.
        directory: the run's folder.
        settings: how to watch.
        door: through which the user came in, for messages.
        events: the run's event file, where somebody else writes to it too.
        steps: how many the run will have, infinity if unknown: for `max_megabytes`.
        start: its first step.
        resumes: whether the folder holds what the run did before: what that says of the first step
            and of later ones was abandoned.
        prediction: what theory says of the network at step 0.

    Attributes:
        directory: as given.
        diagnosis: the content of diagnosis.json, after `close`.
        verdict: what has been found so far.
        changes: how often the network was found to be made of something else than before.
        must_stop: whether the training must end now; on all ranks in the same step.

    Raises:
        ValueError: no layer matches, or the network is one of FSDP1's.
    """

    def __init__(
        self,
        network: nn.Module,
        directory: str | PathLike[str],
        settings: Settings,
        door: Door,
        events: EventFile | None = None,
        steps: float = math.inf,
        start: int = 0,
        resumes: bool = False,
        prediction: PredictionSummary | None = None,
    ) -> None:
        self.directory = str(directory)
        self.diagnosis: dict[str, Any] | None = None
        self.must_stop = False
        self.changes = 0
        self._door = door
        self._network = network
        refuse_flat_parameters(network)
        put_shards_back(network)
        layers = choose_layers(network, settings.layers)
        refuse_tensor_parallelism(network, layers)
        self._changes = Changes(network, settings.layers, layers)
        self._recorder = recorder = Recorder(layers, settings.options, network)
        self._surroundings = Surroundings(network, layers, recorder.state)
        self._stand_aside = StandAside(network)
        self._function_layers = FunctionLayers(network, recorder, settings.layers)
        self._functions = Functions(
            network,
            self._function_layers,
            recorder.state,
            self._surroundings.reach,
            self._surroundings.attention,
        )
        self._ranks = Ranks()
        recorder.is_merged = self._ranks.number > 1
        self._cadence = Cadence(settings, door, bytes_per_step(recorder.plan.channels), steps)
        self._stopwatch = Stopwatch(settings.budget)
        self.verdict = RunVerdict(settings, layers, prediction, door)
        self._output: RunOutput | None = None
        if self._ranks.rank == 0:
            self._output = RunOutput(
                self.directory,
                events,
                recorder,
                self._surroundings,
                self._cadence,
                self.verdict,
                settings,
                door,
                start if resumes else None,
            )
            opened(self)
        self._step = start
        self._has_loss = self._with_weights = self._updating = False
        self._told_evaluation = False
        self._about: dict[str, Any] = {}
        self._failed = False
        self.attach()

    def attach(self) -> None:
        """Put the hooks on; does nothing if they are on."""
        self._recorder.attach()
        self._surroundings.attach()
        self._functions.attach()
        self._stand_aside.attach()

    def detach(self) -> None:
        """Take the hooks off: what runs now is not what the optimizer learns from."""
        self._stand_aside.detach()
        self._functions.detach()
        self._recorder.detach()
        self._surroundings.detach()

    # A training step.

    @property
    def is_counting(self) -> bool:
        """Whether the step that goes on is measured."""
        return self._recorder.state.counting

    def begin(self, step: int) -> None:
        """A micro-batch of a step begins.

        Args:
            step: the x of its record.
        """
        state = self._recorder.state
        self._step = step
        self._with_weights = self._updating = False
        is_due = self._cadence.is_due(step)
        looks = is_due and self._cadence.look_is_due(step)
        if (looks or self._changes.suspected) and (change := self._changes.look()) is not None:
            self._follow(change, step)
        state.counting = is_due
        self._surroundings.begin(looks)
        stream = self._surroundings.stream
        call = stream.call if stream.is_on else None
        self._functions.begin(looks, self._cadence.functions_are_searched(step), call)
        state.clock = time.perf_counter if self._stopwatch.begin(is_due) else None

    def _follow(self, change: Change, step: int) -> None:
        """The network has changed before this step: go on with what it is made of now."""
        self._stand_aside.put_back()  # for whoever owns the hooks to take them off
        if self._output is not None:
            self._output.pipeline.drain()
        self._recorder.replace(change.layers)
        self._surroundings.replace(change.layers)
        self._functions.search_again()
        self.changes += 1
        not_measured = self._recorder.state.not_measured
        for name in change.gone:
            not_measured[name] = f"it was taken out of the network before step {step}"
        for path in change.came:
            not_measured[path] = f"it came into the network after the start, before step {step}"
        tell_change(change, step, self._door)

    def note_loss(self, loss: Tensor) -> None:
        """Add a micro-batch's loss, with the gradient scaler's factor in it if there is one."""
        if self._recorder.state.counting:
            self._recorder.carry(LOSS, loss)
            if self._ranks.number > 1 and self._ranks.rank == 0:
                self._recorder.carry(LOSS_OF_RANK_0, loss)
            self._has_loss = True

    def note_other_optimizer(self, optimizer: Optimizer) -> None:
        """An optimizer takes a step that has none of the network's parameters."""
        self._changes.note_optimizer(optimizer)  # it may have what was put into this one
        self._surroundings.note_other_optimizer(optimizer)

    def note_optimizer(self, optimizer: Optimizer, index: int = 0) -> None:
        """Note which optimizer takes the step, and its learning rate."""
        self._changes.note_optimizer(optimizer)
        self._surroundings.note_optimizer(optimizer)
        groups = optimizer.param_groups  # none, where configure_optimizers returns None
        rate = groups[0].get("lr", math.nan) if groups else math.nan
        self._about = {"optimizer": index, "learning_rate": float(rate)}

    def measure_weights(self, step: int, may_change: Callable[[nn.Parameter], bool]) -> None:
        """Measure the weights that a step starts from, and copy them, if it is due.

        Args:
            step: the x of the record.
            may_change: which parameters the step is going to change.
        """
        self._updating = self._cadence.update_is_due(step)
        self._with_weights = self._cadence.weights_are_due(step)
        if self._with_weights:
            self._recorder.measure_weights()
        if self._updating:
            self._recorder.begin_update(may_change)

    def _raise_failure(self) -> None:
        """Raise what a hook ran into, if one did."""
        if self._recorder.state.failure is not None:
            raise self._recorder.state.failure

    @_IN_OUR_OWN_WAY
    def _record(
        self,
        step: int,
        *,
        left_out: bool = False,
        incomplete: bool = False,
    ) -> None:
        """Observe a step, and pass it on.

        Args:
            step: the x of the record.
            left_out: whether a gradient scaler has left it out.
            incomplete: whether training has ended in the middle of it; it is then passed on if
                anything was measured.
        """
        recorder, ranks, stopwatch = self._recorder, self._ranks, self._stopwatch
        self._stand_aside.put_back()  # a look may replace the hooks
        if ranks.number > 1:
            stopwatch.interval, self.must_stop = ranks.merge(
                recorder,
                self._function_layers,
                stopwatch.interval,
                self.verdict.stop is not None,
                self._with_weights,
            )
        monitor_ms, step_ms = stopwatch.news()
        observation = recorder.observe(
            step,
            self._with_weights,
            ranks=ranks.number,
            has_loss=self._has_loss,
            left_out=left_out,
            incomplete=incomplete,
            look=self._surroundings.take(recorder.plan.parameters),
            monitor_ms=monitor_ms,
            step_ms=step_ms,
            **self._about,
        )
        self._has_loss = False
        if recorder.lost:
            tell_lost(recorder, step, self._door)
        if recorder.unreached.in_evaluation_mode and not self._told_evaluation:
            self._told_evaluation = True
            tell_evaluation(recorder, self._door)
        self._cadence.keep_to(stopwatch.interval, step)
        if self._output is None or (incomplete and observation.is_empty):
            return
        self._output.pipeline.take(observation)
        if ranks.number == 1:
            self.must_stop = self.verdict.stop is not None

    def _unfinished_step(self) -> int | None:
        """The step that is being measured, if one is."""
        return self._step if self._recorder.state.counting else None

    # The end.

    @_IN_OUR_OWN_WAY
    def close(self, interrupted: bool = False) -> None:
        """Take the hooks off, write the diagnosis and close the files; a second call does nothing.

        Args:
            interrupted: whether an exception has ended the training: the step in whose middle it
                came is recorded as far as it went, and judged. Not where processes train together:
                the others are not there to merge it.
        """
        if interrupted and self._output is not None and self._ranks.number == 1:
            step = self._unfinished_step()
            if step is not None and self._recorder.state.failure is None:
                self._record(step, incomplete=True)
        self.detach()
        trained = self._trained_weights(interrupted)
        self._recorder.release()
        self._ranks.close()
        self._write_out(trained)

    @_IN_OUR_OWN_WAY
    def settle(self) -> None:
        """Write to the disk what waits: somebody reads the run while it goes on."""
        if self._output is not None:
            self._output.pipeline.flush()

    def _trained_weights(self, interrupted: bool) -> Reading | None:
        """A reading with the weights that the run ends with; None if nobody writes it, or if other
        processes have parts of them and do not end with this one.
        """
        if interrupted if self._recorder.is_sharded else self._output is None:
            return None
        try:
            return self._ranks.trained_weights(self._recorder)
        except RuntimeError as error:
            if not self._recorder.is_sharded:
                raise
            _log.warning(
                "%s: the weights that training has ended with are not told: %s",
                self._door.name,
                error,
            )
            return None

    def _write_out(self, trained: Reading | None) -> None:
        output, self._output = self._output, None
        closed(self)
        if output is None:
            return
        if output.pipeline.first is None and self._recorder.state.reached and not self._failed:
            _log.warning("%s: no step was recorded: %s", self._door.name, self._door.no_step)
        self.diagnosis = output.close(trained)

    # Failure.

    @_IN_OUR_OWN_WAY
    def give_up(self) -> None:
        """Take the hooks off and write what there is, if it can be: the instrument has failed.

        In a distributed training the other ranks hear of it when they merge their next step.
        """
        self.detach()
        self._recorder.release()
        self._failed = True
        self._ranks.tell_failure()
        try:
            self._write_out(self._trained_weights(interrupted=True))
        except Exception:  # told already, and perhaps the very same
            _log.debug("%s: while giving up", self._door.name, exc_info=True)

    # A checkpoint.

    @_IN_OUR_OWN_WAY
    def state(self) -> dict[str, Any]:
        """What a resumed run goes on from, as plain types: for a checkpoint.

        All steps so far are on the disk then: a checkpoint is never ahead of the events.
        """
        with nullcontext() if self._output is None else self._output.pipeline.settled():
            return self._state()

    def _state(self) -> dict[str, Any]:
        state = {"judge": self.verdict.judge.state(), "units": self._recorder.plan.units.state()}
        return state if self._output is None else state | {"output": self._output.state()}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` gave."""
        self.verdict.judge.load_state(state["judge"])
        self._recorder.plan.units.load_state(state["units"])
        if self._output is not None and "output" in state:
            self._output.load_state(state["output"])
