"""The ward as a page: one file that needs no network."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from jinja2.utils import htmlsafe_json_dumps

from layerscope.page.template import scripts, styles, template
from layerscope.ward.patients import CHARTS, Patient, chart_of, diseases
from layerscope.ward.ward_round import NEAR, POINTS, reasons, truth


def page(patients: Sequence[Patient]) -> str:
    """The page's HTML: these patients in their order, their truths and reasons among the data."""
    told = {
        "near": NEAR,
        "points": POINTS,
        "diseases": diseases(),
        "patients": [_of(patient) for patient in patients],
    }
    return template(__package__, "ward.html").render(
        number=len(patients),
        near=NEAR,
        css=styles(__package__, "page.css", "ward.css"),
        script=scripts(__package__, "charts.js", "ward.js"),
        data=htmlsafe_json_dumps(told, separators=(",", ":")),
    )


def _of(patient: Patient) -> dict[str, Any]:
    charts = [asdict(chart_of(patient, name)) | {"values": patient.charts[name]} for name in CHARTS]
    return {
        **asdict(patient),
        "charts": charts,
        "kept": list(patient.kept_steps),
        "truth": truth(patient),
        "reasons": reasons(patient),
    }
