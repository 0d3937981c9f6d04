from collections import namedtuple
from dataclasses import dataclass

import torch
from torch.nn.utils.rnn import pack_sequence

from layerscope.record.outputs import tensors_in


@dataclass
class Output:
    logits: torch.Tensor
    loss: torch.Tensor | None = None


Pair = namedtuple("Pair", ["left", "right"])

A, B = torch.zeros(2), torch.ones(3)


def paths(output):
    return [(path, tensor.numel()) for path, tensor in tensors_in(output)]


def test_a_bare_tensor_has_an_empty_path():
    assert paths(A) == [("", 2)]


def test_tensors_are_named_by_position_key_and_field():
    assert paths((A, [B, A])) == [("0", 2), ("1.0", 3), ("1.1", 2)]
    assert paths({"x": A, "y": {3: B}}) == [("x", 2), ("y.3", 3)]
    assert paths(Output(A)) == [("logits", 2)]
    assert paths(Pair(A, (B,))) == [("left", 2), ("right.0", 3)]


def test_a_packed_sequence_is_its_elements_without_padding():
    packed = pack_sequence([torch.zeros(3, 2), torch.zeros(1, 2)])
    assert paths((packed, None)) == [("0.data", 8)]


def test_what_holds_no_floats_is_passed_over():
    assert paths((None, 3, "text", torch.arange(3), Output, {1, 2})) == []
