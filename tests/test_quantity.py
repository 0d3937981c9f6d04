"""One name for each quantity, with what a reader of its chart needs."""

import pytest

from layerscope.quantity import SELECTABLE, Quantity


@pytest.mark.parametrize("quantity", Quantity)
def test_every_quantity_says_what_it_is(quantity):
    assert quantity.label
    assert quantity.unit
    assert quantity.reading_aid.endswith(".")


def test_a_quantity_is_the_first_part_of_its_tag():
    assert f"{Quantity.WEIGHT_GRAD}/01_tanh" == "weight_grad/01_tanh"
    assert Quantity.ACTIVATION_GRAD.log10 == "activation_grad_log10"
    assert Quantity.BIAS_GRAD.rms == "bias_grad_rms"


def test_gradients_and_updates_are_of_any_scale():
    assert {quantity for quantity in Quantity if quantity.is_of_any_scale} == {
        *("activation_grad", "weight_grad", "bias_grad", "update", "bias_update")
    }


def test_a_parameter_has_a_gradient_and_an_update():
    assert (Quantity.WEIGHT.gradient, Quantity.WEIGHT.update) == ("weight_grad", "update")
    assert (Quantity.BIAS.gradient, Quantity.BIAS.update) == ("bias_grad", "bias_update")


def test_what_a_user_may_name_leaves_out_the_biases():
    assert set(Quantity) - set(SELECTABLE) == {"bias", "bias_grad", "bias_update"}
