"""Where the units of a tensor lie in its memory."""

from collections.abc import Sequence

from torch import Tensor


def units_and_inner(shape: Sequence[int], size: int, axis: int) -> tuple[int, int]:
    """How many units a tensor has, and how many of their neighbouring elements belong to one.

    >>> units_and_inner((32, 16, 100), 51_200, -1), units_and_inner((32, 16, 7, 7), 25_088, 1)
    ((100, 1), (16, 49))

    Raises:
        ValueError: axis is neither -1 nor 1.
    """
    if axis == -1:
        return shape[-1], 1
    if axis == 1:
        return shape[1], size // max(shape[0] * shape[1], 1)
    raise ValueError(f"axis must be -1 or 1, got {axis}")


def in_order(tensor: Tensor, axis: int) -> tuple[Tensor, int]:
    """A tensor as contiguous memory, and where its units are in it.

    What is in the order of torch.channels_last is features as it lies: it is not copied.
    """
    if axis == 1 and (moved := tensor.movedim(1, -1)).is_contiguous():
        return moved, -1
    return tensor.contiguous(), axis
