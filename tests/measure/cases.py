"""Tensors as they occur in networks, healthy and sick."""

import torch


def _normal(n: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, generator=torch.Generator().manual_seed(seed))


N = 200_000

FINITE = {
    "normal": _normal(N),
    "uniform": torch.rand(N, generator=torch.Generator().manual_seed(1)),
    "saturated tanh": torch.tanh(_normal(N) * 8),
    "relu of a normal": _normal(N).relu(),
    "gelu of a normal": torch.nn.functional.gelu(_normal(N)),
    "gradients over 20 decades": _normal(N, 1).sign() * torch.exp(_normal(N) * 7.5 - 23),
    "constant": torch.full((1000,), 0.3),
    "all zero": torch.zeros(1000),
    "two values": torch.tensor([-1.0, 3.0]).repeat(500),
    "subnormals": _normal(N) * 1e-40,
    "one outlier of 1e6 among a million": torch.cat([_normal(999_999), torch.tensor([1e6])]),
    "mean of 1e4, std of 1": _normal(N) + 1e4,
    "squares beyond float32": _normal(N) * 1e25,
    "one element": torch.tensor([-2.5]),
    "an odd number of blocks and a bit": _normal(2048 * 3 + 7),
    "bfloat16": _normal(N).bfloat16(),
    "float16 with subnormals": (_normal(N) * 1e-4).half(),
    "squares beyond float16": (_normal(N) * 1e4).clamp(-60000, 60000).half(),
    "float64": _normal(N).double(),
    "float64 beyond float32": _normal(N).double() * 1e100,
    "not contiguous": _normal(N).reshape(400, 500)[::3, 1::2],
    "transposed": _normal(N).reshape(400, 500).T,
    "expanded": _normal(50)[:, None].expand(50, 1000),
}
"""All finite, by what they are."""
