"""Whether torch.compile reads what a network is made of."""

from torch import nn

from layerscope.record.network.parts import parts_of


def is_compiled(network: nn.Module) -> bool:
    """Whether torch.compile would trace hooks into its code."""
    return any(
        type(module).__name__ == "OptimizedModule" or module._compiled_call_impl is not None
        for module in parts_of(network)[0]
    )
