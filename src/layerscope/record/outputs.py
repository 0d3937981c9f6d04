"""The tensors in what a module returns, each by its path."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from torch import Tensor
from torch.nn.utils.rnn import PackedSequence


def tensors_in(output: Any, *, of_any_type: bool = False) -> Iterator[tuple[str, Tensor]]:
    """(path, tensor) of every floating tensor in an output, in its own order.

    A path is made of positions in tuples and lists, keys of mappings, and fields of named tuples
    and dataclasses, joined by dots: `0`, `logits`, `1.0`; it is empty for a bare tensor. A packed
    sequence is its `data`: the elements of all sequences, without padding. None, integers and
    whatever else is passed over.

    Args:
        of_any_type: tensors of whole numbers and others, too.
    """
    yield from _walk("", output, of_any_type)


def _walk(path: str, output: Any, of_any_type: bool) -> Iterator[tuple[str, Tensor]]:
    if isinstance(output, Tensor):
        if of_any_type or output.is_floating_point():
            yield path, output
        return
    for name, part in _parts(output):
        yield from _walk(f"{path}.{name}" if path else name, part, of_any_type)


def _parts(output: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(output, PackedSequence):
        yield "data", output.data
    elif isinstance(output, Mapping):
        for key, part in output.items():
            yield str(key), part
    elif isinstance(output, tuple) and hasattr(output, "_fields"):
        yield from zip(output._fields, output, strict=True)
    elif isinstance(output, (tuple, list)):
        for position, part in enumerate(output):
            yield str(position), part
    elif is_dataclass(output) and not isinstance(output, type):
        for field in fields(output):
            yield field.name, getattr(output, field.name)
