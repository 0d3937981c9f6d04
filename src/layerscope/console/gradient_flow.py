"""Where the gradient goes on its way back, in words: told of healthy networks as well."""

LEVEL = 1.25
"""A factor a layer within which the gradient counts as level."""


def flow_in_words(factor: float, where: str = "") -> str:
    """Say what becomes of a gradient that each layer multiplies by `factor` on its way back.

    Args:
        factor: of its RMS, at least 0.
        where: put in brackets, such as the layers between which it was measured.

    >>> flow_in_words(2.3)
    'the gradient grows toward the input, by a factor of 2.3 a layer; it does not vanish'
    >>> flow_in_words(0.5, "03_tanh to 01_tanh")
    'the gradient fades toward the input, by a factor of 0.50 a layer (03_tanh to 01_tanh)'
    >>> flow_in_words(1.02)
    'the gradient stays level toward the input, at a factor of 1.02 a layer'
    >>> flow_in_words(0.0)
    'no gradient reaches the first layer'
    """
    bracket = f" ({where})" if where else ""
    if factor == 0:
        return f"no gradient reaches the first layer{bracket}"
    changes, told, after = "stays level", f"at a factor of {factor:.2f}", ""
    if factor > LEVEL:
        changes, told, after = "grows", f"by a factor of {factor:.2g}", "; it does not vanish"
    elif factor < 1 / LEVEL:
        changes, told = "fades", f"by a factor of {factor:.2f}"
    return f"the gradient {changes} toward the input, {told} a layer{bracket}{after}"
