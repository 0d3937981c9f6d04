"""What was planted in a network of modules is found in its twin that calls functions."""

import pytest

from tests.diagnose.planted import PLANTED
from tests.integrations.doors import program_of, through_watch
from tests.integrations.functional_twin import twin_of

RULES = ("saturated", "dead_units", "vanishing_gradient")
FAST = ("saturated tanh, from step 12", "dead ReLU, middle", "fading gradient, late")
ELSEWHERE = {
    # The first sigmoid stands apart from its linear layer here, so that its own slope shows, too.
    "fading gradient, sigmoids": "00_functional/sigmoid",
    "dead channels": "06_blocks.1/relu",
    "saturated softmax of attention": "10_blocks.1/softmax",
}
TWINS = [
    pytest.param(name, marks=() if name in FAST else pytest.mark.slow)
    for name, planted in PLANTED.items()
    if planted.rule in RULES
]


@pytest.mark.parametrize("name", TWINS)
def test_the_rule_names_the_same_layer_and_step_in_the_twin(monkeypatch, tmp_path, name):
    planted = PLANTED[name]
    program = program_of(planted.run, monkeypatch)
    twin_of(program.network)
    settings = {"images": False, "updates_every_n_steps": 1, "dead_window": 1024}
    told = through_watch(program, tmp_path, summary=False, **settings)
    found = [f for f in told["findings"] if f["rule"] == planted.rule]
    number, _, function = planted.layer.partition("_")
    expected = {
        ELSEWHERE.get(name, f"{number}_functional/{function}"),
        f"{number}_linear",  # a layer of its own here, on which the gradient fades as well
    }
    assert [f["step"] for f in found] == [planted.step]
    assert found[0]["layer"] in expected
    assert found[0]["severity"] != "note"
