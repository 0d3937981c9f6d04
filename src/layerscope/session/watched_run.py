"""The run of one network that is watched: opened, resumed, ended or given up."""

import logging
import math
from collections.abc import Mapping
from contextlib import nullcontext
from os import PathLike
from typing import Any

import numpy as np
from torch import nn

from layerscope.events.event_file import EventFile
from layerscope.measure.reading import Reading
from layerscope.measure.unit_merge import load_state, state_of
from layerscope.session.cadence import Cadence
from layerscope.session.door import Door
from layerscope.session.network_hooks import NetworkHooks
from layerscope.session.open_runs import closed, opened
from layerscope.session.ranks import Ranks
from layerscope.session.run_output import RunOutput
from layerscope.session.run_verdict import RunVerdict
from layerscope.session.settings import Settings
from layerscope.sinks.tensorboard import bytes_per_step
from layerscope.theory import PredictionSummary

_log = logging.getLogger("layerscope")

IN_OUR_OWN_WAY = np.errstate(all="ignore")
"""NaN and infinities are results here, whatever the user has told numpy by `np.seterr`."""


class WatchedRun:
    """Holds what watches a network, what is found, and the run's files; what a step is, `Session`
    says.

    Args:
        events: the run's event file, where somebody else writes to it too.
        steps: how many the run will have, infinity if unknown: for `max_megabytes`, and for a
            warm-up that would not end.
        resumes: whether the folder holds what the run did before: what that says of the first step
            and of later ones was abandoned.

    Attributes:
        diagnosis: the content of diagnosis.json, after `close`.

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
        self._door = door
        self._settings = settings
        self._network = network
        self._hooks = hooks = NetworkHooks(network, settings, door)
        self._recorder = recorder = hooks.recorder
        self._surroundings = hooks.surroundings
        self._surroundings.planned_steps = steps
        self._ranks = Ranks()
        recorder.is_merged = self._ranks.number > 1
        self._cadence = Cadence(settings, door, bytes_per_step(recorder.plan.channels), steps)
        self.verdict = RunVerdict(settings, recorder.hooked.layers, prediction, door)
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
        self._failed = False
        self.attach()

    def attach(self) -> None:
        """Put the hooks on; does nothing if they are on."""
        self._hooks.attach()

    def detach(self) -> None:
        """Take the hooks off: what runs now is not what the optimizer learns from."""
        self._hooks.detach()

    @IN_OUR_OWN_WAY
    def close(self, interrupted: bool = False) -> None:
        """Take the hooks off, write the diagnosis, close the files; a second call does nothing."""
        self.detach()
        self._hooks.end()
        trained = self._trained_weights(interrupted)
        self._recorder.release()
        self._ranks.close()
        self._write_out(trained, "interrupted" if interrupted else "finished")

    @IN_OUR_OWN_WAY
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
                "%s: the weights at the end of training are not recorded: %s",
                self._door.name,
                error,
            )
            return None

    def _write_out(self, trained: Reading | None, state: str) -> None:
        output, self._output = self._output, None
        closed(self)
        if output is None:
            return
        if output.pipeline.first is None and not self._failed:
            if self._recorder.state.reached:
                _log.warning("%s: no step was recorded: %s", self._door.name, self._door.no_step)
            elif state == "finished":
                _log.warning("%s: nothing was recorded: no layer was called", self._door.name)
        self.diagnosis = output.close(trained, state)

    @IN_OUR_OWN_WAY
    def give_up(self) -> None:
        """Take the hooks off and write what there is, if it can be: the instrument has failed.

        In a distributed training the other ranks hear of it when they merge their next step.
        """
        self.detach()
        self._hooks.end()
        self._recorder.release()
        self._failed = True
        self._ranks.tell_failure()
        try:
            # The training goes on, and nobody will see how it ends.
            self._write_out(self._trained_weights(interrupted=True), "unknown")
        except Exception:  # told already, and perhaps the very same
            _log.debug("%s: while giving up", self._door.name, exc_info=True)

    @IN_OUR_OWN_WAY
    def state(self) -> dict[str, Any]:
        """What a resumed run goes on from, as plain types: for a checkpoint.

        All steps so far are on the disk then: a checkpoint is never ahead of the events.
        """
        with nullcontext() if self._output is None else self._output.pipeline.settled():
            return self._state()

    def _state(self) -> dict[str, Any]:
        hooked = self._recorder.hooked
        state = {
            "functions": [list(each) for each in hooked.functions()],
            "outputs": [list(each) for each in hooked.found()],
            "judge": self.verdict.judge.state(),
            "units": state_of(self._recorder.plan.units.blocks),
            "surroundings": self._surroundings.state(),
        }
        return state if self._output is None else state | {"output": self._output.state()}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` gave; from what is malformed, or of another version, nothing is
        taken, and a warning says so.
        """
        fresh = self._state()
        try:
            self._meet(state)
            fresh["units"] = state_of(self._recorder.plan.units.blocks)  # of as many rows
            self._load(state)
        except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            self._load(fresh)
            _log.warning(
                "%s: its state in the checkpoint is malformed, or of another version (%s): "
                "findings start over",
                self._door.name,
                error,
            )

    def _meet(self, state: Mapping[str, Any]) -> None:
        """Give rows to what the run has found in its first steps: functions that are no modules,
        and outputs beside the one that was planned for. Else what is remembered fits no rows.
        """
        self._hooks.function_layers.meet_others(state["functions"])
        self._recorder.settle(state["outputs"])

    def _load(self, state: Mapping[str, Any]) -> None:
        self.verdict.judge.load_state(state["judge"])
        load_state(self._recorder.plan.units.blocks, state["units"])
        self._surroundings.load_state(state["surroundings"])
        if self._output is not None and "output" in state:
            self._output.load_state(state["output"])
