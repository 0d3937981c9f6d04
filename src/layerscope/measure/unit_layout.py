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


def fills_its_memory(tensor: Tensor) -> bool:
    """Whether a tensor's elements lie side by side, in whatever order, as a transposed one's do."""
    if tensor.is_contiguous():
        return True
    expected = 1
    for stride, size in sorted(zip(tensor.stride(), tensor.shape, strict=True)):
        if size > 1:
            if stride != expected:
                return False
            expected *= size
    return True


def in_order(tensor: Tensor, axis: int) -> tuple[Tensor, int]:
    """A tensor as contiguous memory, and where its units are in it.

    Features that lie side by side are not copied, whatever the order of the other axes: that of
    torch.channels_last, or that of an attention which is given its batch first.
    """
    moved = tensor.movedim(1, -1) if axis == 1 else tensor
    units = moved.shape[-1]
    if moved.stride(-1) == 1 and fills_its_memory(moved):
        return moved.as_strided((moved.numel() // max(units, 1), units), (units, 1)), -1
    return tensor.contiguous(), axis
