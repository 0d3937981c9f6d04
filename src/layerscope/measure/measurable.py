"""Which tensors can be measured, and which of them together with others."""

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from layerscope.measure.cpu.kinds import KINDS

PLAIN = (Tensor, nn.Parameter)
"""Classes whose tensors have memory of their own, if they are dense."""

SMALL = 1 << 17
"""Bytes up to which a tensor is measured together with others; a larger one takes so long that it
is measured by itself, where it still lies in the cache."""

LARGE = 1 << 22
"""Bytes up to which large tensors are measured side by side, where torch has several threads; one
that is larger still is shared by them."""


def is_measurable(tensor: Tensor) -> bool:
    """Whether a tensor has elements to count: dense, of a known kind, and in memory of its own,
    which a DTensor, a FakeTensor, a lazy parameter and a tensor on the meta device have not. A
    nested one has no shape.
    """
    if type(tensor) not in PLAIN and (
        is_lazy(tensor) or type(tensor).__torch_dispatch__ is not Tensor.__torch_dispatch__
    ):
        return False
    if tensor.dtype not in KINDS or tensor.layout is not torch.strided:
        return False
    return not (tensor.is_meta or tensor.is_nested)
