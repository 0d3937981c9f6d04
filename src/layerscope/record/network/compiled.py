"""Whether torch.compile reads what a network is made of."""

from torch import nn

from layerscope.record.network.parts import parts_of


def is_compiled(network: nn.Module) -> bool:
    """Whether torch.compile would trace hooks into its code."""
    return any(_is_wrapper(module) or _in_place(module) for module in parts_of(network)[0])


def outside_of_compiled(network: nn.Module) -> list[nn.Module]:
    """The network and those of its parts whose hooks are in nobody's compiled code: what
    `torch.compile` gives has them around that code, what `net.compile()` compiles has them in it.
    """
    outside: list[nn.Module] = []
    met, waiting = {network}, [network]
    for module in waiting:  # grows meanwhile
        if _in_place(module):
            continue
        outside.append(module)
        if not _is_wrapper(module):
            new = [each for each in module.children() if each not in met]
            met.update(new)
            waiting += new
    return outside


def _is_wrapper(module: nn.Module) -> bool:
    return type(module).__name__ == "OptimizedModule"


def _in_place(module: nn.Module) -> bool:
    return module._compiled_call_impl is not None
