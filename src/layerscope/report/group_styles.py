"""How groups are told apart: one setting by colour, the others by a chart of their own."""

from collections.abc import Sequence
from dataclasses import dataclass

from layerscope.comparison.group import Group

COLOURS = 8
"""As many colours as people with any colour vision tell apart; report.css has them."""

_FACETS = 6
_FIRST_CHOICE = "init"


@dataclass(frozen=True, slots=True)
class Style:
    """Attributes:
    colour: position in the palette.
    name: what the colour stands for.
    facet: title of the chart that the group is drawn in; "" where there is only one.
    """

    colour: int
    name: str
    facet: str


def styles_of(groups: Sequence[Group]) -> list[Style]:
    """Give each group a style, so that groups of one colour share a setting wherever possible.

    Where no setting has few enough values, colours go round by rank, in one chart.
    """
    keys = list(groups[0].choices)
    values = {key: list(dict.fromkeys(g.choices[key] for g in groups)) for key in keys}
    fit = [key for key in keys if len(values[key]) <= COLOURS]
    coloured = (
        _FIRST_CHOICE
        if _FIRST_CHOICE in fit
        else max(fit, key=lambda key: len(values[key]), default="")
    )
    others = [key for key in keys if key != coloured]
    facets = [", ".join(f"{key}={group.choices[key]}" for key in others) for group in groups]
    if len(groups) <= COLOURS and (not coloured or len(groups) == len(set(facets))):
        return [Style(i, group.label, "") for i, group in enumerate(groups)]
    if not coloured or len(set(facets)) > _FACETS:
        return [Style(i % COLOURS, group.label, "") for i, group in enumerate(groups)]
    return [
        Style(
            values[coloured].index(group.choices[coloured]),
            f"{coloured}={group.choices[coloured]}" if others else group.label,
            facet,
        )
        for group, facet in zip(groups, facets, strict=True)
    ]
