"""Tensors of which each process holds a part: the DTensors of FSDP2 and of tensor parallelism.

Nothing here talks to another process. `torch.distributed.tensor` takes seconds to import: where
nobody has imported it, there are no such tensors.
"""

import sys
from typing import Any

import torch
from torch import Tensor, nn
from torch import distributed as dist

_PLAIN = (Tensor, nn.Parameter)


def is_sharded(tensor: Any) -> bool:
    """Whether it is a DTensor, of which each process has a part or a copy."""
    return type(tensor) not in _PLAIN and isinstance(
        tensor, _class_of("torch.distributed.tensor", "DTensor")
    )


def local_part(tensor: Any) -> Tensor:
    """What this process holds of a tensor, without its graph if that is only a part; any other
    tensor as it is. What is still on its way from other processes is waited for.
    """
    own: Tensor = tensor
    if type(own) in _PLAIN:
        return own
    if is_sharded(tensor):
        with torch.no_grad():
            own = tensor.to_local()
    on_its_way: Any = _class_of(
        "torch.distributed._functional_collectives", "AsyncCollectiveTensor"
    )
    return own.trigger_wait() if isinstance(own, on_its_way) else own


def counts_here(tensor: Any) -> bool:
    """Whether this process, of all that hold the same part or summand, is the one that counts it:
    the first along each dimension of the mesh that replicates, in the mesh that has rank 0; of a
    tensor that is no DTensor, rank 0.
    """
    if not is_sharded(tensor):
        return not dist.is_initialized() or dist.get_rank() == 0
    mesh, placements = tensor.device_mesh, tensor.placements
    where = mesh.get_coordinate()
    return int(mesh.mesh.min()) == 0 and all(
        at == 0 for at, placement in zip(where, placements, strict=True) if placement.is_replicate()
    )


def is_partial_sum(tensor: Any) -> bool:
    """Whether each process has a summand of it, and none the tensor itself."""
    return any(placement.is_partial() for placement in tensor.placements)


def cuts_of(tensor: Any) -> int:
    """Along how many dimensions of the mesh of processes a tensor is in parts."""
    if not is_sharded(tensor):
        return 0
    return sum(not placement.is_replicate() for placement in tensor.placements)


def mesh_class() -> Any:
    """That of a mesh of processes; the empty tuple, of which nothing is an instance, if nobody has
    imported it.
    """
    return _class_of("torch.distributed.device_mesh", "DeviceMesh")


def class_of(module: nn.Module) -> type[nn.Module]:
    """A module's class; of one that FSDP has, which gives it a subclass of its own, that before."""
    kind = type(module)
    is_fsdps = isinstance(module, _class_of("torch.distributed.fsdp", "FSDPModule"))
    return kind.__bases__[-1] if is_fsdps else kind


def gathers_parameters(network: nn.Module) -> bool:
    """Whether FSDP has modules of a network, which compute with other parameters than they have."""
    return bool(_fsdp_modules(network))


def put_shards_back(network: nn.Module) -> bool:
    """Give FSDP's modules the parameters that the optimizer has, where they have whole ones still,
    as after a forward pass without a backward pass: the next one gathers them anew.

    Returns:
        Whether any module is one of FSDP's.
    """
    modules = _fsdp_modules(network)
    for module in modules:
        module.reshard()
    return bool(modules)


def _fsdp_modules(network: nn.Module) -> list[Any]:
    kind = _class_of("torch.distributed.fsdp", "FSDPModule")
    return [module for module in network.modules() if isinstance(module, kind)] if kind else []


def _class_of(module: str, name: str) -> Any:
    """A class, or the empty tuple, of which nothing is an instance, if its module is not there."""
    return getattr(sys.modules.get(module), name, ())
