"""A round in the terminal: charts, an answer, the truth and the reason; patient by patient."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from textwrap import wrap

from rich.console import Console

from layerscope.diagnose.rule_page import page_of
from layerscope.ward.patients import HEALTHY, Patient, diseases
from layerscope.ward.text_charts import text_charts

NEAR = 2
"""Steps by which an answer may be off."""

POINTS = 3
"""Of a patient: the disease, the layer, the step."""

HOW = "DISEASE LAYER STEP, such as saturated 3 12, or healthy"


@dataclass(frozen=True)
class Answer:
    """A diagnosis.

    Attributes:
        disease: a name of `diseases()`.
        layer: as in `Patient.layers`; "" of a healthy one.
        step: since when.
    """

    disease: str
    layer: str = ""
    step: int = 0


def answer_of(text: str, layers: Sequence[str]) -> Answer:
    """Read what was typed: `saturated 3 12`, `saturated 03_tanh 12` or `healthy`.

    Raises:
        ValueError: it is no such answer; a sentence.
    """
    parts = text.replace(",", " ").split()
    if not parts:
        raise ValueError(f"an answer must be {HOW}, got nothing")
    disease = parts[0].lower().replace("-", "_")
    if disease not in diseases():
        near = get_close_matches(disease, diseases(), n=1, cutoff=0.5)
        meant = f"; the nearest is {near[0]}" if near else ""
        raise ValueError(f"disease must be one of {', '.join(diseases())}, got {parts[0]}{meant}")
    if disease == HEALTHY:
        if len(parts) > 1:
            raise ValueError(f"healthy must stand alone, got {text.strip()}")
        return Answer(HEALTHY)
    if len(parts) != 3:
        raise ValueError(f"an answer must be {HOW}, got {text.strip()}")
    return Answer(disease, _layer(parts[1], layers), _step(parts[2]))


def _layer(text: str, layers: Sequence[str]) -> str:
    if text.lower() in layers:
        return text.lower()
    if not text.isdecimal() or not 1 <= int(text) <= len(layers):
        raise ValueError(f"layer must be 1 to {len(layers)} or a name in the charts, got {text}")
    return layers[int(text) - 1]


def _step(text: str) -> int:
    if not text.isdecimal():
        raise ValueError(f"step must be a whole number of at least 0, got {text}")
    return int(text)


def points(answer: Answer, patient: Patient) -> int:
    """0 to POINTS: one each for disease, layer and step; a healthy net has all in its name.

    Who calls a sick net healthy, or a healthy one sick, has none. What the rules find besides, in
    the same layer since the same step, is as right.
    """
    if HEALTHY in (answer.disease, patient.disease):
        return POINTS * (answer.disease == patient.disease)
    return (
        (answer.disease in (patient.disease, *patient.also))
        + (answer.layer == patient.layer)
        + (abs(answer.step - patient.step) <= NEAR)
    )


def truth(patient: Patient) -> str:
    """What was planted, in a sentence."""
    if patient.disease == HEALTHY:
        return "healthy: nothing was planted"
    return f"{patient.disease} in {patient.layer} since step {patient.step}"


def reasons(patient: Patient) -> list[str]:
    """Why: what the rules say of this net, and what `layerscope explain` says of the disease."""
    if patient.disease == HEALTHY:
        return ["No rule found anything in it."]
    page = page_of(patient.disease)
    told = [f"LayerScope: {patient.found}."] if patient.found else []
    if patient.also:
        told.append(f"It also finds: {', '.join(patient.also)}.")
    told += [page.says, " ".join(page.why.split()), *(f"To do: {item}" for item in page.to_do)]
    return [each.replace("`", "") for each in told]


Ask = Callable[[], str]
"""Gives the next line that was typed; raises EOFError at the end."""


def ward_round(
    patients: Sequence[Patient], ask: Ask, console: Console, levels: str, asks_again: bool
) -> int:
    """Go from patient to patient.

    Args:
        patients: in the order in which they are seen.
        ask: for an answer; a KeyboardInterrupt or the end of the input ends the round.
        levels: characters of the charts.
        asks_again: whether somebody is there to answer again.

    Returns:
        The points so far.

    Raises:
        ValueError: an answer is none, and nobody is there to type it again.
    """

    def say(line: str = "") -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    total, seen = 0, 0
    say(f"{len(patients)} patients: most are sick. Name the disease, the layer and the step in")
    say("which it began. Of several layers, the one nearest to the input is meant; of a")
    say("gradient that vanishes or explodes, the one that does it. Answer with")
    say(f"{HOW}.")
    say("\n".join(wrap(f"Diseases: {', '.join(diseases())}.", 78)))
    try:
        for number, patient in enumerate(patients, 1):
            say(f"\nPatient {number} of {len(patients)}")
            for line in text_charts(patient, levels):
                say(line)
            answer = _answer(patient, ask, say, number, asks_again)
            got = points(answer, patient)
            total, seen = total + got, number
            say(f"\n{got} of {POINTS} points. It was {truth(patient)}.")
            for reason in reasons(patient):
                say("\n".join(wrap(reason, 78)))
    except (EOFError, KeyboardInterrupt):
        say()
    say(f"\n{total} of {POINTS * seen} points, after {seen} of {len(patients)} patients.")
    return total


def _answer(
    patient: Patient, ask: Ask, say: Callable[[str], None], number: int, asks_again: bool
) -> Answer:
    while True:
        try:
            return answer_of(ask(), patient.layers)
        except ValueError as error:
            if not asks_again:
                raise ValueError(f"answer {number}: {error}") from error
            say(str(error))
