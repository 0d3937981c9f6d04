import pytest

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
        ({"quantities": ["update"], "updates_every_n_steps": 0}, "updates_every_n_steps=0 never"),
        ({"schedule": 5}, "schedule must be a function of the step, got 5"),
        ({"schedule": bool, "every_n_steps": 2}, "every_n_steps must be 1 beside a schedule"),
        ({"thresholds": {"lasting": 3}}, "thresholds must be layerscope.diagnose.Thresholds"),
        ({"switched_off": ["nope"]}, "there is no rule named 'nope'; the rules are "),
        ({"layers": 5}, "layers must be a regular expression or module classes, got 5"),
        ({"layers": "("}, r"layers must be a regular expression, got '\('"),
        ({"fail_on": "note"}, "fail_on must be one of warning, critical, never, got 'note'"),
        ({"stop_on": "x"}, "stop_on must be one of warning, critical, never, got 'x'"),
    ],
)
def test_a_bad_setting_is_refused_in_one_sentence_at_construction(setting, sentence):
    with pytest.raises(ValueError, match=sentence):
        LayerMonitor(**setting)


def test_an_unknown_setting_is_refused_with_the_names_that_there_are(tmp_path):
    with pytest.raises(TypeError, match="there is no setting 'layer'; there are layers, quant"):
        LayerMonitor(layer="x")
    with (
        pytest.raises(TypeError, match="there is no setting 'layer'; there are"),
        watch(None, tmp_path, layer="x"),
    ):
        pass


def test_weights_are_always_asked_for_and_once():
    assert Settings(quantities=["weight", "update"]).asked.quantities == ("weight", "update")
    assert Settings(quantities=["activation"]).asked.quantities == ("activation", "weight")
