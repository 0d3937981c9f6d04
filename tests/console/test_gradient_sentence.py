import pytest

from layerscope.console.health_table import gradient_sentence
from tests.console.test_health_table import diagnosis, expected, layer


def profile(*gradients, predicted=None):
    layers = [layer(f"{n:02d}_tanh", gradient) for n, gradient in enumerate(gradients, 1)]
    for entry, relative in zip(layers, predicted or (), strict=False):
        entry["predicted"] = expected(gradient=relative)
    return diagnosis((0, [*layers, layer("09_logits", 1.0)]), (9, []))


@pytest.mark.parametrize(
    ("gradients", "sentence"),
    [
        (
            (4e-3, 2e-3, 1e-3),
            "Step 0: the gradient grows toward the input, by a factor of 2 a layer "
            "(03_tanh to 01_tanh); it does not vanish.",
        ),
        (
            (1e-3, 2e-3, 4e-3),
            "Step 0: the gradient fades toward the input, by a factor of 0.50 a layer "
            "(03_tanh to 01_tanh).",
        ),
        ((0.0, 1e-3), "Step 0: no gradient reaches the first layer (02_tanh to 01_tanh)."),
    ],
)
def test_it_says_which_way_the_gradient_goes(gradients, sentence):
    assert gradient_sentence(profile(*gradients)) == sentence


def test_theory_stands_beside_what_was_measured():
    told = gradient_sentence(profile(9e-3, 3e-3, 1e-3, predicted=(4.0, 2.0, 1.0)))
    assert "by a factor of 3 a layer (03_tanh to 01_tanh; theory expects 2)" in told


@pytest.mark.parametrize("gradients", [(1e-3,), (None, 1e-3), (1e-3, None), (1e-3, 0.0)])
def test_without_two_gradients_there_is_nothing_to_say(gradients):
    assert gradient_sentence(profile(*gradients)) is None
