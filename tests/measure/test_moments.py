import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from layerscope.measure.moments import MOMENTS, MomentColumn, Moments, merged
from layerscope.measure.reading import Reading, finite_of


def test_columns_are_the_fields_of_moments_in_their_order():
    assert [column.name.lower() for column in MomentColumn] == [
        field.name for field in dataclasses.fields(Moments)
    ]
    assert [*MomentColumn] == [*range(MOMENTS)]


def test_a_reading_s_row_is_told_by_its_columns():
    moments = Moments(9, 1, 2, 1, 1, 3, 0.5, 2.0, 4.0, -1.0, 1.5)
    row = np.array([dataclasses.astuple(moments)])
    assert Reading(row, np.empty(0), np.empty(0)).moments_of(0) == moments
    assert finite_of(row).tolist() == [moments.finite] == [5]


def part_of(values):
    """Finite values, their mean and squared deviations."""
    x = np.array(values)
    return (
        (len(x), float(x.mean()), float(((x - x.mean()) ** 2).sum())) if len(x) else (0, 0.0, 0.0)
    )


numbers = st.lists(st.floats(-1e6, 1e6), max_size=20)


@given(numbers, numbers)
def test_two_parts_merge_to_what_both_together_have(one, other):
    mean, deviations = merged(*part_of(one), *part_of(other))
    scale = max(map(abs, [*one, *other]), default=0.0)
    _, mean_of_all, deviations_of_all = part_of(one + other)
    assert mean == pytest.approx(mean_of_all, rel=1e-12, abs=1e-12 * scale)
    assert deviations == pytest.approx(deviations_of_all, rel=1e-9, abs=1e-12 * scale**2)


def test_an_empty_part_changes_nothing_however_far_the_other_is():
    part = (3, 1e300, 1e-300)
    assert merged(*part, 0, 0.0, 0.0) == part[1:]
    assert merged(0, 0.0, 0.0, *part) == part[1:]
    assert merged(0, 0.0, 0.0, 0, 0.0, 0.0) == (0.0, 0.0)


def test_many_rows_merge_at_once_as_each_does_alone():
    ones, others = [(0, 0.0, 0.0), (2, 1.0, 4.0)], [(5, 3.0, 2.0), (7, -3.0, 1.0)]
    columns = (*torch.tensor(ones).double().T, *torch.tensor(others).double().T)
    together = torch.stack(merged(*columns), 1).tolist()
    alone = [merged(*one, *other) for one, other in zip(ones, others, strict=True)]
    assert together == [list(pair) for pair in alone]


def test_a_mean_whose_square_overflows_has_a_root_mean_square():
    assert Moments(count=2, mean=-1e200).rms == 1e200
