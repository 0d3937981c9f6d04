"""What a run leaves behind: its event files while it goes on, its diagnosis at the end."""

import json
import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from layerscope.console.summary import summary
from layerscope.console.terminal import terminal
from layerscope.diagnose.findings.other_findings import not_measured_finding
from layerscope.events.event_file import EventFile
from layerscope.live_objects import live_objects
from layerscope.measure.reading import Reading
from layerscope.record import Recorder
from layerscope.record.surroundings import Surroundings
from layerscope.record.unreached import IN_EVALUATION_MODE
from layerscope.session.cadence import Cadence
from layerscope.session.diagnosis_file import diagnosis_of, write_diagnosis
from layerscope.session.door import Door
from layerscope.session.pipeline import Pipeline
from layerscope.session.run_verdict import RunVerdict
from layerscope.session.settings import Settings
from layerscope.sinks.finding_receiver import FindingReceiver
from layerscope.sinks.named import made
from layerscope.sinks.step_block import BlockSink, RunEnd
from layerscope.sinks.step_by_step import StepByStep
from layerscope.sinks.tensorboard import TensorBoardSink

_log = logging.getLogger("layerscope")


class RunOutput:
    """Opens a run's files, and ends them with what is known at the end.

    Args:
        events: its event file, where somebody else writes to it too.
        resumed_at: the step at which it goes on with what the folder holds; None: it is new.
    """

    def __init__(
        self,
        directory: str,
        events: EventFile | None,
        recorder: Recorder,
        surroundings: Surroundings,
        cadence: Cadence,
        verdict: RunVerdict,
        settings: Settings,
        door: Door,
        resumed_at: int | None = None,
    ) -> None:
        self._directory = directory
        self._recorder, self._surroundings = recorder, surroundings
        self._verdict = verdict
        self._settings = settings
        self._first: dict[str, Any] | None = None  # of diagnosis.json, once a checkpoint has it
        board = TensorBoardSink(
            directory,
            events,
            _note(cadence, settings),
            settings.flush_seconds,
            resumed_at,
            door.loss_tag,
        )
        others = made(settings.sinks)
        if settings.on_finding is not None:
            others.append(FindingReceiver(settings.on_finding))
        path = Path(directory)
        # The others first: they keep what goes wrong, and are closed whatever happens to the board.
        self._sinks: list[BlockSink] = [
            *(StepByStep(each, path, resumed_at, door.name) for each in others),
            board,
        ]
        self.pipeline = Pipeline(
            recorder, surroundings, cadence, verdict, self._sinks, settings, door
        )

    def state(self) -> dict[str, Any]:
        """What a resumed run goes on from, as plain types: what was seen of the targets, and the
        first step of diagnosis.json.
        """
        first = self.pipeline.first
        if self._first is None and first is not None:
            told = diagnosis_of(
                [first.observation],
                self._recorder.hooked.layers,
                self._settings.thresholds,
                prediction=self._verdict.prediction,
            )
            # As the file has it: a checkpoint holds plain types only, which no Quantity is.
            self._first = json.loads(json.dumps(told["steps"][0]))
        return {"first": self._first, "labels": self.pipeline.look_figures.state()}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` gave."""
        self._first = state["first"]
        self.pipeline.look_figures.load_state(state["labels"])

    def close(self, trained: Reading | None, state: str) -> dict[str, Any] | None:
        """Write what waits, the diagnosis and the pictures, close the files, and print the summary
        if it is wanted.

        Args:
            trained: of all channels, with the weights as they are now; None if that is not known.
            state: how the training has ended; see `diagnosis_of`.

        Returns:
            The content of diagnosis.json; None if no step was recorded.
        """
        try:
            self.pipeline.end()
            diagnosis = self._write_end(trained, state)
        finally:
            for sink in self._sinks:
                sink.close()
        findings = self._verdict.judge.findings
        if self._settings.summary and (diagnosis is not None or findings):
            try:
                # Without a step there may be the finding that no optimizer has taken one.
                steps = 0 if diagnosis is None else diagnosis["steps"][-1]["step"] + 1
                limits = self._settings.thresholds
                told = summary(
                    *(findings, self._directory, steps, limits.patience, limits.lasting),
                    failed=state == "unknown",
                )
                terminal().print(told)
            except (OSError, ValueError) as error:  # closed, or a pipe that nobody reads: not ours
                _log.warning("the summary of %s could not be printed: %s", self._directory, error)
        return diagnosis

    def _write_end(self, trained: Reading | None, state: str) -> dict[str, Any] | None:
        first, last = self.pipeline.first, self.pipeline.last
        if first is None or last is None:
            return None
        verdict, settings = self._verdict, self._settings
        missing = self._recorder.not_measured()
        # A layer in evaluation mode is for the rule of that name to tell of.
        unseen = {name: why for name, why in missing.items() if why != IN_EVALUATION_MODE}
        late = [not_measured_finding(unseen)] if unseen else []
        for finding in late:
            verdict.judge.add(finding)
        if state == "finished":
            verdict.end(rate_asked(self._surroundings.optimizers))
        if any(finding.rule == "learning_rate_gone" for finding in verdict.judge.findings):
            verdict.judge.schedulers = schedulers_of(self._surroundings.optimizers)
        if trained is not None:
            plan = self._recorder.plan
            now = last.observation.with_rows_from(plan.without_weights, plan.channels, trained)
            last = last._replace(observation=now)
        diagnosis = diagnosis_of(
            [first.observation, last.observation],
            self._recorder.hooked.layers,
            settings.thresholds,
            verdict.judge.findings,
            missing,
            verdict.prediction,
            settings.classes,
            settings.switched_off,
            self.pipeline.last_look,
            state,
        )
        if self._first is not None:
            diagnosis["steps"][0] = self._first
        write_diagnosis(self._directory, diagnosis)
        pictures = verdict.pictures(last.wall_time - first.wall_time)
        end = RunEnd(last, verdict.judge.findings, late, pictures)
        for sink in self._sinks:
            sink.write_end(end)
        return diagnosis


def _note(cadence: Cadence, settings: Settings) -> str:
    """What the description of every histogram has to say of steps and elements left out."""
    sampled = ""
    if settings.max_elements is not None:
        sampled = (
            f"Of a tensor with more than {settings.max_elements} elements this is a random sample."
        )
    return f"{cadence.note} {sampled}".strip()


_NUMBERS = (
    *("T_max", "T_0", "step_size", "gamma", "milestones", "total_steps", "total_iters"),
    *("factor", "patience", "power", "eta_min"),
)
"""What a scheduler was made with that says how fast it falls."""


def schedulers_of(optimizers: Iterable[Optimizer]) -> str:
    """Such as "StepLR(step_size=1, gamma=0.1)"; of several, each; "" without any. It takes what
    `live_objects` does.
    """
    of = list(optimizers)
    (living,) = live_objects(LRScheduler) if of else ([],)
    own = [each for each in living if any(getattr(each, "optimizer", None) is it for it in of)]
    return ", ".join(dict.fromkeys(map(_named, own)))


def rate_asked(optimizers: Sequence[Optimizer]) -> float:
    """The rate that a schedule of the one optimizer rises to, of its first group; NaN without."""
    if len(optimizers) != 1:
        return math.nan
    group = optimizers[0].param_groups[0]
    return float(group.get("max_lr", group.get("initial_lr", math.nan)))


def _named(scheduler: Any) -> str:
    about = [
        f"{name}={value if isinstance(value, int | float) else sorted(value)}"
        for name in _NUMBERS
        if isinstance(value := vars(scheduler).get(name), (int, float, dict, list))
    ]
    functions = (getattr(each, "__name__", "") for each in vars(scheduler).get("lr_lambdas", ()))
    about += [name for name in dict.fromkeys(functions) if name.isidentifier()]
    return f"{type(scheduler).__name__}({', '.join(about)})"
