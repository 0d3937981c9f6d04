"""Numbers in sentences read as one would say them."""

import pytest

from layerscope.diagnose.findings.plain_numbers import with_plain_numbers


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("2.67e+03 times", "2670 times"),
        ("2.5e+02", "250"),
        ("1e+05 and 1e+06", "100000 and 1e6"),
        ("3.4e+38 times what it was", "infinitely many times what it was"),
        ("1.1e-05 of the gradient is left", "1.1e-05 of the gradient is left"),
        ("by 10^-0.3 times (limit 10^-1)", "by 0.5 times (limit 0.1)"),
        ("10^-5.9, 10^2.1, 10^0", "0.0000013, 130, 1"),
        ("in 10^13", "in 10^13"),
        ("by 10^-inf of", "by zero of"),
        ("with 95 % certainty", "with 95% certainty"),
        ("a layer x1e+03, or 01_b10^2", "a layer x1e+03, or 01_b10^2"),
    ],
)
def test_a_number_is_written_as_one_would_say_it(written, said):
    assert with_plain_numbers(written) == said
