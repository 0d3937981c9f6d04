"""What tells at each step whether an optimizer has been given other parameters."""

from torch.optim import Optimizer

Groups = list[tuple[int, int]]


def groups_of(optimizer: Optimizer) -> Groups:
    """Of each group how many parameters it has, and the `id` of the last: something else where the
    optimizer was given others. A microsecond a group.
    """
    return [
        (len(group["params"]), id(group["params"][-1]) if group["params"] else 0)
        for group in getattr(optimizer, "param_groups", ())
    ]
