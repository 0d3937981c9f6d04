import dataclasses
import math

import numpy as np
import pytest
import torch

from layerscope.measure import Tally
from layerscope.measure.cpu.team import PART
from layerscope.measure.row_options import RowOptions
from tests.measure.cases import FINITE
from tests.measure.reference import bin_of, held

cases = pytest.mark.parametrize("name", FINITE)


def measured(tensor, **options):
    tally = Tally(RowOptions(1, **options))
    assert tally.add(0, tensor) is not None
    return tally


@cases
def test_moments_are_those_of_float64_numpy(name):
    tensor = FINITE[name]
    x = tensor.double().numpy()
    moments = held(measured(tensor)).moments
    assert moments.count == moments.finite == x.size
    assert moments.zeros == (x == 0).sum()
    assert (moments.minimum, moments.maximum) == (x.min(), x.max())
    assert moments.mean == pytest.approx(x.mean(), rel=1e-5, abs=1e-9 * np.abs(x).max())
    assert moments.mean_abs == pytest.approx(np.abs(x).mean(), rel=1e-5)
    assert moments.rms == pytest.approx(math.hypot(x.std(), x.mean()), rel=1e-5)
    if x.size > 1:
        assert moments.variance == pytest.approx(x.var(ddof=1), rel=1e-5)


@cases
def test_counts_are_those_of_the_bins_one_element_at_a_time(name):
    tensor = FINITE[name]
    histogram = held(measured(tensor))
    bins, counts = np.unique(bin_of(tensor.double().numpy()), return_counts=True)
    assert histogram.bins.tolist() == bins.tolist()
    assert histogram.counts.tolist() == counts.tolist()


def test_a_large_tensors_blocks_with_nan_or_subnormals_count_as_one_element_at_a_time():
    x = torch.randn(40_005, generator=torch.Generator().manual_seed(0))
    x[100] = -0.0
    x[3_000], x[9_000], x[20_000] = torch.nan, -torch.inf, 1e-40
    tally = measured(x)
    tally.add(0, x[:20_000])
    histogram = held(tally)
    finite = torch.cat([x, x[:20_000]])
    finite = finite[finite.isfinite()].numpy()
    bins, counts = np.unique(bin_of(finite), return_counts=True)
    assert histogram.bins.tolist() == bins.tolist()
    assert histogram.counts.tolist() == counts.tolist()
    moments = histogram.moments
    assert (moments.nan, moments.negative_inf, moments.zeros) == (2, 2, 2)
    assert moments.mean == pytest.approx(finite.mean(dtype=np.float64), rel=1e-9)


# Within a single bin, a 128th of the value, what is shown is flat between the extremes.
@pytest.mark.parametrize("name", sorted(FINITE.keys() - {"mean of 1e4, std of 1"}))
def test_what_is_shown_differs_from_numpy_by_at_most_two_percent(name):
    tensor = FINITE[name]
    x = tensor.double().numpy().ravel()
    shown = measured(tensor).read(1).get().linear[0].astype(np.float64)
    assert shown[:, 2].sum() == x.size
    if x.min() == x.max():
        edges = np.append(shown[:, 0], shown[-1, 1])
    elif np.abs(x).max() > 1e38:
        return  # the axis of a chart is float32
    else:
        edges = np.linspace(x.min(), x.max(), 31)
        near = {"abs": 1e-6 * np.abs(edges).max() + 2e-45}
        assert shown[:, 0] == pytest.approx(edges[:-1], **near)
        assert shown[:, 1] == pytest.approx(edges[1:], **near)
    expected = np.histogram(x, edges)[0]
    variation = np.abs(shown[:, 2] - expected).sum() / 2 / x.size
    assert variation <= 0.02


@pytest.mark.parametrize("name", ["normal", "gradients over 20 decades", "relu of a normal"])
def test_the_logarithmic_view_counts_zeros_apart_and_the_rest_by_magnitude(name):
    x = FINITE[name].double().numpy()
    shown = (
        measured(FINITE[name], logarithmic=[True]).read(1).get().logarithmic[0].astype(np.float64)
    )
    assert shown[:, 2].sum() == x.size
    assert shown[0, 2] == (x == 0).sum()
    magnitudes = np.log10(np.abs(x[x != 0]))
    edges = np.append(shown[1:, 0], shown[-1, 1])
    edges[[0, -1]] += [-1e-5, 1e-5]  # float32 edges
    variation = np.abs(shown[1:, 2] - np.histogram(magnitudes, edges)[0]).sum() / 2 / x.size
    assert variation <= 0.02


def test_nan_and_infinities_are_counted_beside_the_bins():
    values = [math.nan, math.inf, math.inf, -math.inf, 1.0, -2.0, 0.0]
    for dtype in (torch.float32, torch.float64, torch.float16, torch.bfloat16):
        histogram = held(measured(torch.tensor(values, dtype=dtype)))
        moments = histogram.moments
        assert (moments.nan, moments.positive_inf, moments.negative_inf) == (1, 2, 1)
        assert (moments.count, moments.finite, moments.zeros) == (7, 3, 1)
        assert (moments.mean, moments.minimum, moments.maximum) == (pytest.approx(-1 / 3), -2, 1)
        assert histogram.counts.sum() == 3


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_tensor_with_nothing_finite_shows_no_buckets(value):
    reading = measured(torch.full((100,), value)).read(1).get()
    assert (reading.linear == 0).all()
    moments = reading.moments_of(0)
    assert (moments.count, moments.finite, moments.mean) == (100, 0, 0.0)
    assert math.isnan(moments.minimum)
    assert math.isnan(moments.std)


def test_one_nan_among_many_does_not_touch_the_rest():
    x = FINITE["normal"].clone()
    x[12345] = math.nan
    moments = held(measured(x)).moments
    rest = x.double().numpy()
    assert moments.nan == 1
    assert moments.std == pytest.approx(np.nanstd(rest, ddof=1), rel=1e-9)


def test_an_empty_tensor_counts_nothing():
    moments = held(measured(torch.empty(0, 5))).moments
    assert (moments.count, moments.finite) == (0, 0)


@pytest.mark.parametrize("dtype", [torch.int64, torch.int8, torch.bool, torch.complex64])
def test_what_is_not_of_floating_point_is_passed_over(dtype):
    tally = Tally(RowOptions(1))
    assert tally.add(0, torch.ones(3, dtype=dtype)) is None
    assert held(tally).moments.count == 0


def test_elements_outside_the_interval_are_counted_as_torch_compares_them():
    x = FINITE["saturated tanh"]
    for dtype in (torch.float32, torch.float64):
        tensor = x.to(dtype)
        moments = held(measured(tensor, intervals=[(-0.97, 0.97)])).moments
        assert moments.outside == int((tensor.abs() > 0.97).sum())
    edge = torch.tensor([0.97, -0.97, math.inf, math.nan, 0.9700001])
    assert held(measured(edge, intervals=[(-0.97, 0.97)])).moments.outside == 2


def test_a_bounded_activation_keeps_its_axis_until_a_value_leaves_it():
    axis = {"axes": [(-1.0, 1.0)]}
    shown = measured(torch.tensor([0.1, 0.2]), **axis).read(1).get().linear[0]
    assert (shown[0, 0], shown[-1, 1]) == (-1, 1)
    shown = measured(torch.tensor([0.1, 2.0]), **axis).read(1).get().linear[0]
    assert (shown[0, 0], shown[-1, 1], shown[:, 2].sum()) == (-1, 2, 2)


def test_reading_empties_the_rows_and_leaves_nothing_behind():
    tally = Tally(RowOptions(2, logarithmic=[True, True]))
    for _ in range(2):
        for row, name in enumerate(("normal", "subnormals")):
            tally.add(row, FINITE[name])
        first = tally.read(2).get()
        assert first.moments[:, 0].tolist() == [FINITE["normal"].numel()] * 2
    assert tally.read(2).get().moments[:, 0].tolist() == [0, 0]
    assert held(tally).bins.size == 0


def test_the_same_numbers_come_out_at_every_reading():
    readings = []
    tally = Tally(RowOptions(1, logarithmic=[True]))
    for _ in range(2):
        tally.add(0, FINITE["gradients over 20 decades"])
        readings.append(tally.read(1).get())
    assert (readings[0].moments == readings[1].moments).all()
    assert (readings[0].linear == readings[1].linear).all()
    assert (readings[0].logarithmic == readings[1].logarithmic).all()


def test_measuring_needs_no_gradient_and_changes_nothing():
    x = torch.randn(10, requires_grad=True)
    version = x._version
    Tally(RowOptions(1)).add(0, x)
    assert x._version == version
    assert x.grad is None


def test_bad_arguments_are_refused_in_one_sentence():
    with pytest.raises(ValueError, match="rows must be at least 0, got -1"):
        Tally(RowOptions(-1))
    with pytest.raises(ValueError, match="max_elements must be at least 1, got 0"):
        Tally(RowOptions(2, max_elements=0))
    with pytest.raises(ValueError, match="axes must have one entry per row, 2, got 1"):
        Tally(RowOptions(2, axes=[None]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
def test_several_threads_count_as_one(dtype):
    x = torch.cat([FINITE["normal"] + 3, FINITE["relu of a normal"], FINITE["subnormals"]])
    x[::1001], x[5::1007] = math.nan, math.inf
    x = x.to(dtype)
    assert x.numel() >= 4 * PART
    threads = torch.get_num_threads()
    found = []
    try:
        for count in (1, 4, 4):  # the second time, the threads' tables must be empty again
            torch.set_num_threads(count)
            found.append(held(measured(x, intervals=[(-1.0, 1.0)])))
    finally:
        torch.set_num_threads(threads)
    one, *several = found
    for histogram in several:
        assert histogram.bins.tolist() == one.bins.tolist()
        assert histogram.counts.tolist() == one.counts.tolist()
        a, b = dataclasses.asdict(histogram.moments), dataclasses.asdict(one.moments)
        assert a == pytest.approx(b, rel=1e-9)
