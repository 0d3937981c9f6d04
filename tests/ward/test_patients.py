"""Who lies in the ward."""

import numpy as np
import pytest

from layerscope.ward.patients import CHARTS, HEALTHY, all_patients, diseases, ward


def test_a_ward_has_twenty_sick_nets_and_four_healthy_ones_and_is_the_same_for_a_seed():
    nets = ward(7)
    assert [each.disease == HEALTHY for each in nets].count(True) == 4
    assert len({id(each) for each in nets}) == 24
    assert nets == ward(7)
    assert nets != ward(8)
    assert {each.disease for seed in range(9) for each in ward(seed)} == {*diseases()}


@pytest.mark.parametrize(
    ("number", "sentence"),
    [(0, "patients must be at least 1, got 0"), (37, "patients must be at most 36, got 37")],
)
def test_a_ward_of_another_size_is_refused_in_a_sentence(number, sentence):
    with pytest.raises(ValueError, match=f"^{sentence}$"):
        ward(0, number)
    assert len(ward(0, 36)) == 36


def test_the_rules_find_what_was_planted_where_it_was_planted():
    for each in all_patients():
        assert bool(each.found) == (each.disease != HEALTHY), each.disease
        assert (each.layer in each.layers) == (each.disease != HEALTHY)


def test_every_chart_has_a_value_for_each_step_and_layer():
    for each in all_patients():
        shape = (len(each.loss), len(each.layers))
        assert {np.shape(each.charts[name]) for name in CHARTS} == {shape}
        assert each.shares.shape == (len(each.kept_steps), len(each.layers), 30)
        assert each.kept_steps[-1] < len(each.loss)
