import re
from math import sqrt

import pytest
import torch

from layerscope.lab.init import orthogonal, variance_scaling

FAN_IN, FAN_OUT = 300, 500


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("distribution", ["normal", "uniform"])
@pytest.mark.parametrize(
    ("scale", "mode", "std"),
    [
        (0.04, "constant", 0.2),
        (2.0, "fan_in", sqrt(2 / 300)),
        (2.0, "fan_out", sqrt(2 / 500)),
        (1.0, "fan_avg", sqrt(2 / (300 + 500))),
    ],
)
def test_the_standard_deviation_is_the_formula(scale, mode, std, distribution):
    initializer = variance_scaling(scale, mode, distribution)
    weight = initializer(FAN_IN, FAN_OUT, seeded())
    assert weight.shape == (FAN_IN, FAN_OUT)
    assert weight.dtype == torch.float32
    assert initializer.variance(FAN_IN, FAN_OUT) == pytest.approx(std**2)
    # 150,000 draws: the estimate's own standard error is 0.2 %.
    assert weight.std().item() == pytest.approx(std, rel=0.01)
    assert weight.mean().item() == pytest.approx(0, abs=0.01 * std)


def test_normal_weights_are_the_generators_times_the_standard_deviation():
    weight = variance_scaling(2.0, "fan_in", "normal")(10, 100, seeded())
    assert torch.equal(weight, torch.randn(10, 100, generator=seeded()) * (2.0 / 10) ** 0.5)


def test_uniform_weights_fill_plus_and_minus_sqrt_3_standard_deviations():
    weight = variance_scaling(1.0, "fan_in", "uniform")(FAN_IN, FAN_OUT, seeded())
    bound = sqrt(3 / FAN_IN)
    assert weight.abs().max().item() <= bound
    assert weight.max().item() == pytest.approx(bound, rel=1e-3)
    assert weight.min().item() == pytest.approx(-bound, rel=1e-3)


@pytest.mark.parametrize(("fan_in", "fan_out"), [(30, 100), (100, 30), (50, 50)])
def test_orthogonal_columns_or_rows_if_fewer_are_orthonormal(fan_in, fan_out):
    weight = orthogonal()(fan_in, fan_out, seeded()).double()
    assert weight.shape == (fan_in, fan_out)
    product = weight.T @ weight if fan_in >= fan_out else weight @ weight.T
    # Rows or columns of length 1: their squares add up to the number of them.
    squares = orthogonal().variance(fan_in, fan_out) * fan_in * fan_out
    assert squares == pytest.approx(min(fan_in, fan_out))
    torch.testing.assert_close(product, torch.eye(min(fan_in, fan_out)).double(), atol=1e-5, rtol=0)


def test_orthogonal_matrices_lean_to_no_sign():
    corners = torch.stack([orthogonal()(3, 3, seeded(seed))[0, 0] for seed in range(300)])
    # Uniform in [-1, 1] (Archimedes): a mean over 300 has a standard error of 0.033.
    assert abs(corners.mean().item()) < 0.15
    assert corners.std().item() == pytest.approx(sqrt(1 / 3), rel=0.1)


@pytest.mark.parametrize("draw", [variance_scaling(1.0, "fan_in", "uniform"), orthogonal()])
def test_weights_follow_from_the_generator_alone(draw):
    before = torch.get_rng_state()
    assert torch.equal(draw(5, 7, seeded(1)), draw(5, 7, seeded(1)))
    assert not torch.equal(draw(5, 7, seeded(1)), draw(5, 7, seeded(2)))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((-1.0, "fan_in", "normal"), "scale must be a finite number of at least 0, got -1.0"),
        (
            (1.0, "fan_sum", "normal"),
            "mode must be one of constant, fan_in, fan_out, fan_avg, got 'fan_sum'; "
            "did you mean fan_out?",
        ),
        ((1.0, "fan_in", "cauchy"), "distribution must be one of normal, uniform, got 'cauchy'"),
    ],
)
def test_a_bad_argument_is_refused_in_one_sentence(arguments, sentence):
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        variance_scaling(*arguments)
