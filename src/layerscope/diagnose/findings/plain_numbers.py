"""The numbers of a sentence, as one would say them."""

import re

_SCIENTIFIC = re.compile(r"(?<![\w.])(\d(?:\.\d+)?)e\+0*(\d+)(?!\w)")
_POWER = re.compile(r"(?<![\w.])10\^(-?\d+(?:\.\d+)?|-inf)(?!\w)")
_SPACED_PERCENT = re.compile(r"(?<=\d) %")

_LONGEST = 6
"""Digits before the point, or places after it: zeros beyond would have to be counted."""

_INFINITE = 38
"""The exponent of the largest number of 32 bits, which a figure that overflowed is kept as."""


def with_plain_numbers(sentence: str) -> str:
    """The sentence with no e-notation above 1, no small power of ten and no space before "%".

    >>> with_plain_numbers("2.67e+03 times, 9.44e+08 times, 3.4e+38 times its size (limit 95 %)")
    '2670 times, 9.44e8 times, infinitely many times its size (limit 95%)'
    >>> with_plain_numbers("by 10^-0.3 (limit 10^-1, usual 10^-3), one in 10^13, 10^-inf")
    'by 0.5 (limit 0.1, usual 0.001), one in 10^13, zero'
    """
    sentence = re.sub(rf"\d\.\d+e\+{_INFINITE} times", "infinitely many times", sentence)
    sentence = _SCIENTIFIC.sub(_written_out, sentence)
    return _SPACED_PERCENT.sub("%", _POWER.sub(_of_ten, sentence))


def _written_out(number: re.Match[str]) -> str:
    mantissa, exponent = number[1], int(number[2])
    return f"{float(number[0]):.0f}" if exponent < _LONGEST else f"{mantissa}e{exponent}"


def _of_ten(power: re.Match[str]) -> str:
    exponent = float(power[1])
    if exponent == -float("inf"):
        return "zero"
    if not -_LONGEST <= exponent < _LONGEST:
        return power[0]
    number = float(f"{10**exponent:.2g}")
    return f"{number:.{_LONGEST + 1}f}".rstrip("0").rstrip(".")
