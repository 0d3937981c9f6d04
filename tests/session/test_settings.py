import numpy as np
import pytest
from torch import nn

from layerscope import LayerMonitor, watch
from layerscope.session.settings import Settings


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ({"every_n_steps": 1.5}, r"every_n_steps must be a whole number, got 1\.5"),
        ({"every_n_steps": "2"}, "every_n_steps must be a whole number, got '2'"),
        ({"every_n_steps": True}, "every_n_steps must be a whole number, got True"),
        ({"updates_every_n_steps": -1}, "updates_every_n_steps must be at least 0, got -1"),
        ({"max_elements": 2.5}, r"max_elements must be a whole number, got 2\.5"),
        ({"dead_window": 0}, "dead_window must be at least 1, got 0"),
        ({"classes": 1}, "classes must be at least 2, got 1"),
        ({"budget": "0.1"}, r"budget must be a number, got '0\.1'"),
        ({"budget": 0}, "budget must be above 0 and at most 1, got 0"),
        ({"biases": "no"}, "biases must be True or False, got 'no'"),
        ({"quantities": "activation"}, "quantities must be a list of names, got 'activation'"),
        ({"quantities": None}, "quantities must be a list of names, got None"),
        (
            {"quantities": ["update"], "updates_every_n_steps": 0},
            "updates_every_n_steps must be at",
        ),
        ({"flush_seconds": None}, "flush_seconds must be a number, got None"),
        ({"flush_seconds": -1}, "flush_seconds must be at least 0, got -1"),
        ({"max_megabytes": float("nan")}, "max_megabytes must be at least 1, got nan"),
        ({"saturation_threshold": None}, "saturation_threshold must be a number, got None"),
        ({"saturation_threshold": 1}, "saturation_threshold must be above 0 and below 1, got 1"),
        ({"switched_off": "biased"}, "switched_off must be a list of names, got 'biased'"),
        ({"images": 1}, "images must be True, False or None, got 1"),
        ({"summary": "no"}, "summary must be True or False, got 'no'"),
        ({"schedule": 5}, "schedule must be a function of the step, got 5"),
        ({"schedule": bool, "every_n_steps": 2}, "every_n_steps must be 1 beside a schedule"),
        ({"thresholds": {"lasting": 3}}, "thresholds must be layerscope.diagnose.Thresholds"),
        (
            {"switched_off": ["nope"]},
            "there is no rule named 'nope'; `layerscope explain` lists them",
        ),
        ({"layers": 5}, "layers must be a regular expression or module classes, got 5"),
        ({"layers": []}, r"layers must be a regular expression or module classes, got \[\]"),
        ({"layers": "("}, r"layers must be a regular expression, got '\('"),
        ({"fail_on": "note"}, "fail_on must be one of warning, critical, never, got 'note'"),
        ({"stop_on": "x"}, "stop_on must be one of warning, critical, never, got 'x'"),
        ({"fail_on": np.array(["a", "b"])}, "fail_on must be one of warning, critical, never, got"),
        ({"quantities": b"x"}, "quantities must be a list of names, got b'x'"),
        ({"switched_off": [1]}, r"switched_off must be a list of names, got \[1\]"),
        ({"max_elements": 10**30}, "max_elements must be at most 9223372036854775807, got 1000"),
        ({"max_megabytes": 10**400}, "max_megabytes must be at most 9223372036854775807, got 10"),
        ({"schedule": lambda step, more: True}, "schedule must be a function of the step, got <fu"),
    ],
)
def test_a_bad_setting_is_refused_in_one_sentence_at_construction(tmp_path, setting, sentence):
    for door in (LayerMonitor, lambda **given: watch(nn.Linear(1, 1), tmp_path, **given)):
        with pytest.raises(ValueError, match=sentence) as refused:
            door(**setting)
        assert not str(refused.value).endswith(".")
    assert not list(tmp_path.iterdir())


def test_an_unknown_setting_is_refused_with_the_names_that_there_are(tmp_path):
    with pytest.raises(TypeError, match="there is no setting 'colour'; there are layers, quant"):
        LayerMonitor(colour="x")
    with pytest.raises(TypeError, match=r"there is no setting 'layer'; did you mean layers\?"):
        watch(nn.Linear(1, 1), tmp_path, layer="x")


def test_weights_are_always_asked_for_and_once():
    assert Settings(quantities=["weight", "update"]).options.quantities == ("weight", "update")
    assert Settings(quantities=["activation"]).options.quantities == ("activation", "weight")


def test_numbers_of_numpy_are_numbers():
    settings = Settings(every_n_steps=np.int64(3), budget=np.float32(0.5))
    assert (settings.every_n_steps, settings.budget) == (3, 0.5)
