"""What a rule says of some steps: which layers are ill, how badly, and what to write about it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from layerscope.diagnose.measured.figures import Flags, Steps, Values
from layerscope.diagnose.measured.layer_facts import LayerFacts

Severities = npt.NDArray[np.int8]
Numbers = npt.NDArray[np.integer | np.bool_]

Limits = tuple[float, float, float]

A_TENTH = (
    "optimizer.lr=... a tenth of what it is, and a tenth again if that is not enough; or a warm-up "
    "of it"
)
"""The remedy of steps that are too large: what they should be at most is not seen."""


@dataclass(frozen=True, slots=True)
class Advice:
    """The words of a finding.

    Attributes:
        explanation: one sentence as a format string, with {layer}, {value}, {threshold}, {step}.
        remedy: what to type or to change, a format string with {value}; or a function of the layer
            that is named.
        limits: what was compared with, where that depends on the cause; else those of the symptoms.
    """

    explanation: str
    remedy: str | Callable[[LayerFacts], str]
    limits: Limits | None = None

    def remedy_for(self, facts: LayerFacts, value: float) -> str:
        """What to change about this layer, in which the value was measured."""
        if isinstance(self.remedy, str):
            return self.remedy.format(value=value)
        return self.remedy(facts)


class Case(NamedTuple):
    """One of several things that a rule may tell of a step.

    Attributes:
        so: in which steps, bool [steps].
        explanation, remedy: its words, as those of `Advice`.
        limit: what the value was compared with, or the limits of note, warning and critical; None:
            the rule's.
        value: what is told, [steps] or one number for all; None: the rule's values.
        severity: 1 note, 2 warning, 3 critical, or [steps] of these; 0 where nothing is told.
    """

    so: Flags
    explanation: str
    remedy: str
    limit: float | Limits | None = None
    value: Values | float | None = None
    severity: Numbers | int = 2

    @property
    def advice(self) -> Advice:
        """Its words."""
        limits = (self.limit,) * 3 if isinstance(self.limit, float) else self.limit
        return Advice(self.explanation, self.remedy, limits)


class Symptoms(NamedTuple):  # thirteen are made of each block: a tuple takes a third of the time
    """A rule's judgement of some steps; `above` and `below` make the usual ones.

    Attributes:
        values: what is judged, [steps, layers]; NaN where there is nothing to judge, which neither
            confirms a symptom nor ends it.
        severity: int8 [steps, layers], 0 none, 1 note, 2 warning, 3 critical; None: all 0, and
            then nothing else matters.
        limits: the thresholds of note, warning and critical; NaN for one that there is not.
        advice: the words; several where a rule knows several causes.
        source: where the thresholds come from, in a few words.
        lasting: measured steps in a row that a layer must show it before there is a finding.
        cause: int8 [steps, layers], which of `advice` applies; None: the first.
        since: int64 [steps, layers], the step when it began, where a rule knows better than that
            it began with the first step that shows it.
        falling: whether small values are the bad ones.
        place: what is named where it is no layer: "inputs", "output", "loss" or "optimizer"; then
            there is one column.
    """

    values: Values
    severity: Severities | None = None
    limits: Limits = (math.nan, math.nan, math.nan)
    advice: tuple[Advice, ...] = ()
    source: str = ""
    lasting: int = 1
    cause: npt.NDArray[np.int8] | None = None
    since: Steps | None = None
    falling: bool = False
    place: str = ""

    @classmethod
    def of_layers(
        cls,
        values: Values,
        severity: Numbers | None = None,
        *advice: Advice,
        cause: Numbers | None = None,
        **told: Any,
    ) -> Symptoms:
        """The arguments are the attributes; what is so counts as 1, and what is not as 0."""
        ill = None if severity is None or not severity.any() else severity.astype(np.int8)
        causes = None if cause is None else cause.astype(np.int8)
        return cls(values, ill, advice=advice, cause=causes, **told)

    @classmethod
    def of_run(
        cls,
        place: str,
        values: Values,
        severity: Numbers | None = None,
        *advice: Advice,
        cause: Numbers | None = None,
        since: Steps | None = None,
        **told: Any,
    ) -> Symptoms:
        """Judges steps, not layers: values, severity, cause and since are [steps]. Others of the
        arguments are those of `of_layers`.
        """
        column = (slice(None), np.newaxis)
        return cls.of_layers(
            values[column],
            None if severity is None else severity[column],
            *advice,
            cause=None if cause is None else cause[column],
            since=None if since is None else since[column],
            place=place,
            **told,
        )

    @classmethod
    def of_cases(cls, place: str, values: Values, *cases: Case, **told: Any) -> Symptoms:
        """Judges steps, each by the first of the cases that is so there: its severity, its value
        and its words. Others of the arguments are those of `of_run`.

        Args:
            values: [steps], where no case is so, or one that tells no value of its own.
        """
        so = [case.so for case in cases]
        if not any(each.any() for each in so):  # the usual
            return cls.of_run(place, values)
        told_values = [values if case.value is None else case.value for case in cases]
        return cls.of_run(
            place,
            np.select(so, told_values, values),
            np.select(so, [case.severity for case in cases], 0),
            *(case.advice for case in cases),
            cause=np.select(so, range(len(cases)), 0),
            **told,
        )

    @classmethod
    def of_run_above(
        cls,
        place: str,
        values: Values,
        *advice: Advice,
        note: float = math.nan,
        warning: float = math.nan,
        critical: float = math.nan,
        **told: Any,
    ) -> Symptoms:
        """Steps are ill where values exceed the limits that are given: above 0 where they are 1 of
        what is so and 0 of what is not. Others of the arguments are those of `of_run`.
        """
        limits = (note, warning, critical)
        return cls.of_run(place, values, graded(values, limits), *advice, limits=limits, **told)

    @classmethod
    def above(
        cls,
        values: Values,
        *,
        note: float = math.nan,
        warning: float = math.nan,
        critical: float = math.nan,
        explanation: str,
        remedy: str | Callable[[LayerFacts], str],
        source: str = "",
        lasting: int = 1,
        falling: bool = False,
    ) -> Symptoms:
        """Layers are ill where values exceed the limits that are given, or fall short of them."""
        limits = (note, warning, critical)
        severity = graded(values, limits, falling=falling)
        advice = (Advice(explanation, remedy),)
        return cls(values, severity, limits, advice, source, lasting, falling=falling)

    @classmethod
    def below(cls, values: Values, **told: Any) -> Symptoms:
        """Layers are ill where values fall short of limits; the arguments are those of `above`."""
        return cls.above(values, falling=True, **told)


def graded(values: Values, limits: Limits, *, falling: bool = False) -> Severities | None:
    """The severity of each value: the highest whose limit it is beyond; None if all are 0.

    A limit that is NaN is none, and a value that is NaN is beyond nothing.
    """
    severity: Severities | None = None
    for level, limit in enumerate(limits, 1):
        if limit != limit:
            continue
        beyond = values < limit if falling else values > limit
        if not beyond.any():
            continue
        if severity is None:
            severity = np.zeros(values.shape, np.int8)
        severity[beyond] = level
    return severity
