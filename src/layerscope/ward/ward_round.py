"""A round in the terminal: charts, an answer, the truth and the reason; patient by patient."""

from collections.abc import Callable, Sequence
from textwrap import wrap

from rich.console import Console

from layerscope.ward.answer import HOW, POINTS, Answer, answer_of, points, reasons, truth
from layerscope.ward.patients import Patient, diseases
from layerscope.ward.text_charts import text_charts

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
