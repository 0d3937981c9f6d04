"""The kinds of elements that the CPU kernels read."""

import torch

FLOAT32, BFLOAT16, FLOAT16, FLOAT64 = range(4)

KINDS = {
    torch.float32: FLOAT32,
    torch.bfloat16: BFLOAT16,
    torch.float16: FLOAT16,
    torch.float64: FLOAT64,
}
