"""What a policy's loss is made of: log-probabilities of actions, and beside them a baseline."""

import math
from collections.abc import Sequence
from typing import Any

from layerscope.record.graph_nodes import WHOLE, behind, inputs_of, kind_of, shape_of, through

_NODES = 20_000
"""Of a graph, looked at once in a run; a larger one is not judged."""

_NEAR = 16

_RATIO = ("Neg", "Sub", "Exp", "Clamp", "Sum", "Select")
"""What is done to a chosen log-probability: a ratio of two policies is the exponential of one, and
[:, 0] leaves the axis of one behind."""

_LOGS = ("LogSoftmax", "Logsumexp", "Log", "LogSigmoid")


def chosen_in(nodes: Sequence[Any]) -> list[Any]:
    """What gave the log-probabilities of actions, which are multiplied with rewards.

    Of single steps, each with a reward of its own, there are several: one alone may be a
    cross-entropy of one sample, with a factor.
    """
    found: list[Any] = []
    singles: list[Any] = []
    kinds = [kind_of(node) for node in nodes]
    gathered = "Stack" in kinds or "Cat" in kinds  # of single steps
    for product, kind in zip(nodes, kinds, strict=True):
        operands = inputs_of(product) if kind == "Mul" else []
        if len(operands) != 1:
            continue
        chosen = through(operands[0], (*WHOLE, *_RATIO))
        # A factor of a whole loss comes after its mean, or its sum.
        is_single = not (gathered or math.prod(shape_of(product)) > 1)
        if is_single and math.prod(shape_of(chosen)) > 1:
            continue
        if kind_of(chosen) in ("Gather", "Index"):
            logs = (kind_of(node) for node in behind(chosen, (), most=_NEAR))
            if any(each in _LOGS for each in logs):
                (singles if is_single else found).append(chosen)
        elif _is_of_normal(chosen):
            (singles if is_single else found).append(chosen)
    return found + singles if len(singles) > 1 else found


def _is_of_normal(node: Any) -> bool:
    """Whether it gave log-densities of torch's normal distribution: -(x - mean)^2 / (2 var), less
    the logarithm of a deviation that is learned.
    """
    terms = inputs_of(node) if kind_of(node) == "Sub" else [node]
    if len(terms) == 2 and kind_of(through(terms[1], WHOLE)) != "Log":
        return False
    negative = inputs_of(terms[0])[:1] if kind_of(terms[0]) == "Div" else []
    square = [
        kind_of(each) for node in negative if kind_of(node) == "Neg" for each in inputs_of(node)
    ]
    return square == ["Pow"]


def baseline_of(loss: Any, chosen: Sequence[Any]) -> frozenset[int]:
    """Ids of the parameters that the loss depends on, and no log-probability of an action does.

    Args:
        loss: the node that made it.
        chosen: the nodes that gave the log-probabilities of what was chosen.
    """
    every, policy = _parameters_behind([loss]), _parameters_behind(chosen)
    return frozenset() if every is None or policy is None else every - policy


def _parameters_behind(nodes: Sequence[Any]) -> frozenset[int] | None:
    """None of a graph that is too large."""
    seen, waiting = set(nodes), list(nodes)
    parameters: set[int] = set()
    while waiting:
        node = waiting.pop()
        if (parameter := getattr(node, "variable", None)) is not None:
            parameters.add(id(parameter))
        for before in inputs_of(node):
            if before not in seen:
                seen.add(before)
                waiting.append(before)
        if len(seen) > _NODES:
            return None
    return frozenset(parameters)
