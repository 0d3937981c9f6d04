"""Findings for the tests of what shows them."""

from layerscope.diagnose import Finding


def finding(**changed):
    """A plain one."""
    given = {
        "rule": "saturated",
        "severity": "warning",
        "layer": "01_tanh",
        "step": 3,
        "layers": 2,
        "last_step": 12,
        "value": 0.752,
        "worst": 0.9,
        "threshold": 0.2,
        "source": "the course",
        "explanation": "75 % of the outputs of 01_tanh are saturated",
        "remedy": "init=kaiming",
    }
    return Finding(**given | changed)
