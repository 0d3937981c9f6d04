"""How a network is watched: the arguments that LayerMonitor and `watch` share."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from numbers import Integral, Real
from typing import Any

from layerscope.arguments import at_least, at_most, did_you_mean, one_of
from layerscope.diagnose import SEVERITIES, Thresholds, without
from layerscope.measure.row_options import EXACT
from layerscope.record import RecorderOptions
from layerscope.record.network.layers import Choice, check_choice
from layerscope.record.schedule import Schedule
from layerscope.record.schedule import every_n_steps as every
from layerscope.sinks.finding_receiver import OnFinding, check_on_finding
from layerscope.sinks.named import made
from layerscope.sinks.sink import Sink

NEVER = "never"

_WHOLE_NUMBERS = {  # and the least of each
    "every_n_steps": 1,
    "scalars_every_n_steps": 1,
    "updates_every_n_steps": 0,
    "max_elements": 1,
    "dead_window": 1,
    "classes": 2,
}
_LARGEST = 2**63 - 1
"""What the kernels take for a whole number."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a network is watched.

    Args:
        layers: which modules: a regular expression that their paths match somewhere, a module
            class, or several. Default None: all modules that compute.
        quantities: what gets a histogram at every measured step, among activation,
            activation_grad, weight_grad, weight and update. Weights have one at the keyframes in
            any case. Default: the first three.
        biases: True also records biases, their gradients and updates. Default False.
        per_call: True keeps the calls of a module that is called several times in a step apart.
            Default False: they are added up.
        every_n_steps: measure every n-th step, at least 1; the keyframes are measured in any case.
            Default 1.
        schedule: a function step -> bool instead of every_n_steps, such as `record.log_spaced(8)`.
            Default None.
        scalars_every_n_steps: write the scalars too every n-th step, at least 1. Default 10.
        updates_every_n_steps: measure the true update, from a copy of the weights, every n-th
            step and at the keyframes; at least 0, which never measures it. Default 10.
        max_elements: of a tensor on the CPU with more elements, at least 1, a random sample of
            this size makes the histogram, and the descriptions in TensorBoard say so; its moments
            and non-finite counts stay exact. Default None: all elements.
        max_megabytes: what the event files may grow to, in 10**6 bytes, at least 1. If the run's
            steps would pass it, later steps are thinned first, and a warning and the descriptions
            in TensorBoard say so. Default 500.
        budget: the share of the training time that measuring may take, above 0 and at most 1, such
            as 0.05. The monitor times itself, measures fewer steps where it would take more, and
            says so. Default None: no limit.
        saturation_threshold: a tanh output beyond it, in absolute value, is saturated; above 0 and
            below 1. For other bounded functions it is the same share of the way to the ends.
            Default 0.97.
        dead_window: samples in a row on which a unit was not active before it counts as dead, at
            least 1. Default 8192.
        thresholds: what the findings are judged by. Default `Thresholds()`.
        switched_off: names of rules that do not judge. Default: none.
        classes: how many classes the loss, a mean cross-entropy in nats, chooses from, at least 2;
            the loss at the start is then judged against uniform guessing. Default None: unknown.
        fail_on: "warning" or "critical": a run with a finding that is as bad has failed. Default
            "never".
        stop_on: "warning" or "critical": training ends at the first finding that is as bad.
            Default "never".
        images: draw the run at its end, if it has 50 steps or more, for TensorBoard's Images tab:
            heat-maps of layers by steps, profiles over depth, the phase diagram. As drawing takes
            seconds, a run of less than a minute is drawn only where this is True. Default None.
        summary: print the findings, their causes first, at the end of the run. Default True.
        sinks: where steps and findings go besides TensorBoard's files: a list of
            `layerscope.sinks.WandbSink(...)`, `CsvSink(...)` and so on, of your own, or of names
            such as "csv" (docs/sinks.md). Default None: nowhere; in Lightning, to W&B and MLflow
            where the trainer has a logger for them.
        on_finding: a function that is called with each `Finding` when it is made, and again when
            it becomes more severe; or a web address to which it is posted as JSON. What fails
            there is told once, and stops nothing. Default None.
        flush_seconds: how long an event may wait before it is on the disk, in seconds, at least 0.
            Default 10.

    Raises:
        ModuleNotFoundError: the library of a sink that is named is not installed.
        ValueError: an argument is out of its bounds.
    """

    layers: Choice = None
    quantities: Sequence[str] = ("activation", "activation_grad", "weight_grad")
    biases: bool = False
    per_call: bool = False
    every_n_steps: int = 1
    schedule: Schedule | None = None
    scalars_every_n_steps: int = 10
    updates_every_n_steps: int = 10
    max_elements: int | None = None
    max_megabytes: float = 500.0
    budget: float | None = None
    saturation_threshold: float = 0.97
    dead_window: int = 8192
    thresholds: Thresholds = field(default_factory=Thresholds)
    switched_off: Sequence[str] = ()
    classes: int | None = None
    fail_on: str = NEVER
    stop_on: str = NEVER
    images: bool | None = None
    summary: bool = True
    sinks: Sequence[Sink | str] | None = None
    on_finding: OnFinding | None = None
    flush_seconds: float = 10.0

    def __post_init__(self) -> None:
        for name, least in _WHOLE_NUMBERS.items():
            number = getattr(self, name)
            if not (number is None and name in ("max_elements", "classes")):
                at_least(least, **{name: number})
                at_most(_LARGEST, **{name: int(number)})
        for name in ("max_megabytes", "flush_seconds", "saturation_threshold", "budget"):
            number = getattr(self, name)
            if number is None and name == "budget":
                continue
            if isinstance(number, bool) or not isinstance(number, Real):
                raise ValueError(f"{name} must be a number, got {number!r}")
            if isinstance(number, Integral) and int(number) > _LARGEST:
                raise ValueError(f"{name} must be at most {_LARGEST}, got {number}")
        if self.images is not None and not isinstance(self.images, bool):
            raise ValueError(f"images must be True, False or None, got {self.images!r}")
        for name in ("biases", "per_call", "summary"):
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"{name} must be True or False, got {getattr(self, name)!r}")
        for name in ("quantities", "switched_off"):
            names = getattr(self, name)
            is_list = isinstance(names, Sequence) and not isinstance(names, str)
            if not is_list or not all(isinstance(each, str) for each in names):
                raise ValueError(f"{name} must be a list of names, got {names!r}")
        if not self.max_megabytes >= 1:
            raise ValueError(f"max_megabytes must be at least 1, got {self.max_megabytes}")
        if not self.flush_seconds >= 0:
            raise ValueError(f"flush_seconds must be at least 0, got {self.flush_seconds}")
        if self.budget is not None and not 0 < self.budget <= 1:
            raise ValueError(f"budget must be above 0 and at most 1, got {self.budget}")
        if "update" in self.quantities and not self.updates_every_n_steps:
            raise ValueError(
                "updates_every_n_steps must be at least 1 where quantities has update, got 0"
            )
        if self.schedule is not None and not _takes_a_step(self.schedule):
            raise ValueError(f"schedule must be a function of the step, got {self.schedule!r}")
        if self.schedule is not None and self.every_n_steps != 1:
            raise ValueError(f"every_n_steps must be 1 beside a schedule, got {self.every_n_steps}")
        if not isinstance(self.thresholds, Thresholds):
            raise ValueError(
                f"thresholds must be layerscope.diagnose.Thresholds, got {self.thresholds!r}"
            )
        if self.on_finding is not None:
            check_on_finding(self.on_finding)
        made(self.sinks)
        check_choice(self.layers)
        without(*self.switched_off)
        for name in ("fail_on", "stop_on"):
            one_of((*SEVERITIES[1:], NEVER), **{name: getattr(self, name)})
        _ = self.options, self.wanted  # these refuse what is wrong with their part

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Settings:
        """Settings by name; TypeError for an unknown one."""
        names = [field.name for field in fields(cls)]
        for name in given:
            if name not in names:
                meant = did_you_mean(name, names) or f"; there are {', '.join(names)}"
                raise TypeError(f"there is no setting {name!r}{meant}")
        return cls(**given)

    @property
    def options(self) -> RecorderOptions:
        """What the recorder is asked for."""
        return RecorderOptions(
            tuple(dict.fromkeys((*self.quantities, "weight"))),
            self.biases,
            self.per_call,
            self.saturation_threshold,
            self.dead_window,
            EXACT if self.max_elements is None else self.max_elements,
        )

    @property
    def wanted(self) -> Schedule:
        """Which steps are to be measured, keyframes apart."""
        return self.schedule or every(self.every_n_steps)


def _takes_a_step(schedule: object) -> bool:
    """Whether it can be called with one argument, as far as Python can tell without doing it."""
    if not callable(schedule):
        return False
    try:
        inspect.signature(schedule).bind(0)
    except TypeError:
        return False
    except ValueError:  # of some built-in functions
        pass
    return True
