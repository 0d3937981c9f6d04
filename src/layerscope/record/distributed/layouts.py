"""Tensor parallelism: of what a layer gives, has this process a part, a copy, or a partial sum?

A DTensor says it. A plain tensor that was made of one, as torch's parallel styles give by default,
has it in autograd's graph: the node that made it plain keeps the DTensor's placements, and what is
computed from there on, by this process alone, is a part if it is made of a part. Nothing here talks
to another process.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn
from torch import distributed as dist
from torch.autograd.function import BackwardCFunction

from layerscope.record.distributed.shards import cuts_of, gathers_parameters, is_sharded, mesh_class
from layerscope.record.graph_nodes import inputs_of

Line = tuple[int, ...]
"""The processes along one dimension of a mesh, this one among them, by their ranks."""

IS_SUM = "is a partial sum, which other processes have the rest of"
_NO_GRAPH = "has no graph, which would tell whether processes have parts or copies of it"
_COLLECTIVE = "went through {}, which may have gathered or added up what processes have"

# Nodes by whose output one cannot tell any more along which axis the parts lie.
_MOVES = frozenset(
    {
        *("Transpose", "Permute", "T", "Swapaxes", "Movedim", "View", "UnsafeView", "ReshapeAlias"),
        *("Mm", "Addmm", "Bmm", "Baddbmm", "Linear", "MkldnnLinear", "Mv", "Dot", "Index"),
    }
)
_TALKS = re.compile(r"all_?gather|all_?reduce|all_?to_?all|reduce_?scatter", re.IGNORECASE)
_TALKS_IN_PYTHON = re.compile(r"gather|scatter|reduce|broadcast|alltoall", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Layout:
    """How processes divide one tensor.

    Attributes:
        parts: by line along which processes have parts of it, the axis of the parts, from the
            start; None if that cannot be told. Along all other lines they have copies.
        why: what it is that forbids measuring it; "" for nothing.
    """

    parts: Mapping[Line, int | None] = field(default_factory=dict)
    why: str = ""


_COPY = Layout()


class Layouts:
    """Reads layouts off tensors, and knows which process counts what several have.

    Args:
        lines: along which the network is divided, as far as it says so itself.

    Attributes:
        steps: how many have ended.
    """

    def __init__(self, lines: set[Line]) -> None:
        self.lines = lines
        self.steps = 0
        self._rank = dist.get_rank()
        self._met: dict[Any, Layout] = {}  # nodes of the graph of the step that goes on

    @property
    def copies(self) -> int:
        """How many processes compute the same loss together."""
        together = 1
        for line in self.lines:
            together *= len(line)
        return together

    def of(self, tensor: Tensor) -> Layout:
        """The layout of what a layer gives; some microseconds, until `end_step` for each node of
        the graph once.
        """
        if is_sharded(tensor):
            return self._of_placements(tensor.device_mesh, tensor.placements)  # type: ignore[attr-defined]
        return Layout(why=_NO_GRAPH) if tensor.grad_fn is None else self._of_node(tensor.grad_fn)

    def of_gradient(self, tensor: Tensor) -> Layout:
        """The layout of the gradient that comes to a plain tensor of a layer."""
        node = tensor.grad_fn
        asked = getattr(node, "grad_placements", None)
        if asked is not None and node is not None:
            return self._of_placements(node.dtensor_spec.mesh, asked)  # type: ignore[attr-defined]
        return self.of(tensor)

    def counts_here(self, layout: Layout) -> bool:
        """Whether this process, of all that have the same, is the one that counts it."""
        return all(line[0] == self._rank or line in layout.parts for line in self.lines)

    def part(self, layout: Layout, axis: int) -> tuple[int, int]:
        """Which of how many parts along an axis this process has."""
        number, parts = 0, 1
        for line, along in sorted(layout.parts.items()):
            if along == axis:
                number = number * len(line) + line.index(self._rank)
                parts *= len(line)
        return number, parts

    def end_step(self) -> None:
        """Let go of the graph."""
        self.steps += 1
        self._met.clear()

    def _of_placements(self, mesh: Any, placements: Any) -> Layout:
        parts: dict[Line, int | None] = {}
        is_sum = False
        for line, placement in zip(lines_of(mesh), placements, strict=True):
            if len(line) == 1:
                continue
            self.lines.add(line)
            if placement.is_partial():
                is_sum = True
            elif not placement.is_replicate():
                parts[line] = getattr(placement, "dim", None)
        return Layout(parts, IS_SUM if is_sum else "")

    def _of_node(self, node: Any) -> Layout:
        waiting = [node]
        while waiting:
            here = waiting[-1]
            if here in self._met:
                waiting.pop()
                continue
            spec = getattr(here, "dtensor_spec", None)
            if spec is not None:
                self._met[here] = self._of_placements(spec.mesh, spec.placements)
                continue
            before = inputs_of(here)
            unknown = [each for each in before if each not in self._met]
            if unknown:
                waiting += unknown
            else:
                self._met[here] = _made_of(here, {each: self._met[each] for each in before})
        return self._met[node]


def _made_of(node: Any, before: Mapping[Any, Layout]) -> Layout:
    """The layout of a node's output, which is made of others on this process alone."""
    why = next((layout.why for layout in before.values() if layout.why), "")
    parts: dict[Line, int | None] = {}
    name = str(node.name()).rstrip("0123456789").removesuffix("Backward")
    shape = _shape_of(node)
    for each, layout in before.items():
        if not layout.parts:
            continue
        moves = name in _MOVES or shape is None or _shape_of(each) != shape
        for line, axis in layout.parts.items():
            now = None if moves else axis
            parts[line] = now if parts.get(line, now) == now else None
    if not (parts or why):
        return _COPY
    talks = _TALKS_IN_PYTHON if isinstance(node, BackwardCFunction) else _TALKS
    if not why and talks.search(name):
        why = _COLLECTIVE.format(name)
    return Layout(parts, why)


def _shape_of(node: Any) -> tuple[int, ...] | None:
    """Of a node's first output."""
    known = getattr(node, "_input_metadata", None)
    return tuple(map(int, known[0].shape)) if known else None


def lines_of(mesh: Any) -> list[Line]:
    """By dimension of a mesh, the processes along it through this one."""
    here = mesh.get_coordinate()
    if here is None:
        return [(dist.get_rank(),)] * mesh.mesh.ndim
    lines = []
    for dimension in range(mesh.mesh.ndim):
        at: list[Any] = list(here)
        at[dimension] = slice(None)
        lines.append(tuple(mesh.mesh[tuple(at)].tolist()))
    return lines


def layouts_of(network: nn.Module) -> Layouts | None:
    """Of a network that tensor parallelism divides; None of any other.

    Raises:
        ValueError: FSDP divides it too, and no module says along which dimensions which does.
    """
    meshes = [mesh for module in network.modules() for mesh in _meshes_of(module)]
    lines = {line for mesh in meshes for line in lines_of(mesh)}
    by_fsdp = gathers_parameters(network)
    parameters: Iterator[tuple[str, Any]] = network.named_parameters()
    for name, parameter in parameters if not meshes else ():
        if by_fsdp and cuts_of(parameter) > 1:
            raise ValueError(
                "a network that fully_shard and tensor parallelism divide must be parallelized by "
                "torch.distributed.tensor.parallel.parallelize_module, or by distribute_module "
                f"with an input_fn, got {name}, of which nothing says which has divided it how"
            )
        if cuts_of(parameter) and not by_fsdp:
            of_mesh = zip(lines_of(parameter.device_mesh), parameter.placements, strict=True)
            lines |= {line for line, each in of_mesh if not each.is_replicate()}
    lines = {line for line in lines if len(line) > 1}
    return Layouts(lines) if lines else None


def _meshes_of(module: nn.Module) -> Iterator[Any]:
    """The meshes that a module's hooks were made for: each of torch's parallel styles puts a
    function on the module that holds its mesh.
    """
    kind = mesh_class()
    for hook in (*module._forward_pre_hooks.values(), *module._forward_hooks.values()):
        for cell in getattr(hook, "__closure__", None) or ():
            if isinstance(cell.cell_contents, kind):
                yield cell.cell_contents
