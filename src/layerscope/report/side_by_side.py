"""Which runs are shown beside each other, layer by layer."""

import math
from collections.abc import Sequence
from typing import Any

from layerscope.comparison.group import Group
from layerscope.report.group_styles import Style

SIDES = ("a", "b", "c", "d")
"""Places for runs beside each other."""


def selections(
    groups: Sequence[Group], group_styles: Sequence[Style], detailed: set[str]
) -> list[dict[str, Any]]:
    """What a reader may want to see together: a label and the names of up to four runs.

    The first, which the page begins with, is a healthy run beside the sickest one. Then, for each
    setting that varies, the runs that differ from the best in that setting alone. Without two
    runs, the one there is, or none.

    Args:
        detailed: names of the runs whose layers are in the page.
    """
    known = [group for group in groups if group.typical.name in detailed]
    healthy, sick = _extremes(known, groups, group_styles)
    told = [_selection("healthy beside sick", [each for each in (healthy, sick) if each])]
    best = known[0] if known else None
    for key in groups[0].choices:
        alike = [each for each in known if best and _differ(each, best) <= {key}]
        if len(alike) > 1:
            told.append(_selection(f"by {key}", alike[: len(SIDES)]))
    runs = [set(each["runs"]) for each in told]
    return [each for i, each in enumerate(told) if runs[i] not in runs[:i]]


def _selection(label: str, groups: Sequence[Group]) -> dict[str, Any]:
    return {"label": label, "runs": [group.typical.name for group in groups]}


def _differ(group: Group, other: Group) -> set[str]:
    return {key for key, value in group.choices.items() if value != other.choices[key]}


def _extremes(
    known: Sequence[Group], groups: Sequence[Group], group_styles: Sequence[Style]
) -> tuple[Group | None, Group | None]:
    """A healthy group and the sickest; the second is None if there is only one to show.

    The healthy one differs from the other in the coloured setting alone, if there is such a group.
    """
    if not known:
        return None, None
    facets = {group.label: style.facet for group, style in zip(groups, group_styles, strict=True)}
    by_health = sorted(known, key=_distance)  # of equals, the order of rank
    sick = by_health[-1]
    healthy = next(each for each in by_health if facets[each.label] == facets[sick.label])
    if healthy is sick:
        healthy = by_health[0]
    return healthy, sick if healthy is not sick else None


def _distance(group: Group) -> float:
    distance = group.median("signal_distance")
    return math.inf if math.isnan(distance) else distance
