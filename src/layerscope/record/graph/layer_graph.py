"""Which layer's output reaches which layer, read once off autograd's graph of the first step.

The order in which modules are called is not the order of depth: a side branch may be called first,
a head last. The graph that backward walks knows: from each layer's output back to the outputs that
it was made of.
"""

from collections import Counter
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from torch import nn

from layerscope.record.distributed.shards import class_of
from layerscope.record.graph.moved_outputs import linear_before, moved_from
from layerscope.record.graph.norms_of_few import few_together
from layerscope.record.graph_nodes import inputs_of


@dataclass(frozen=True, slots=True)
class Wiring:
    """How one layer hangs together with the others.

    Attributes:
        parents: layers whose outputs reach it through no other watched layer.
        on_trunk: whether every way from the last layers to the first passes it, as far as the
            graph shows: of no layer behind a frozen one that gets data.
        follows: the linear layer whose output it alone receives, without a function in between; ""
            if it is no linear layer, or there is none, or that one is a bottleneck.
        of_parameter: whether it is a function of a parameter, and of no data.
        is_end: whether a call from outside returns its output, moved or scaled at most, and no
            layer gets that but one that gets data too, as a discriminator's first does.
        normalized_of: where there is a normalisation of one or two values of a sample between the
            outputs that reach it and its own, of how many; else 0.
        none_passes: whether no output of another layer comes past that normalisation.
        normalized_by: the module whose normalisation that is, where it has no parameters; else "".
        in_checkpoint: see `FirstStep`.
    """

    parents: tuple[str, ...]
    on_trunk: bool
    follows: str
    of_parameter: bool = False
    is_end: bool = False
    normalized_of: int = 0
    none_passes: bool = False
    normalized_by: str = ""
    in_checkpoint: bool = False


OF_PARAMETER = Wiring((), False, "", of_parameter=True)
"""Of a gate that is the sigmoid of a parameter, or of a constraint's softplus: it leads nowhere."""


def wiring(
    outputs: Sequence[tuple[str, nn.Module, nn.Module, Any]],
    returned: Iterable[Any] = (),
    get_data: Collection[str] = (),
    normalizing: Mapping[Any, str] = MappingProxyType({}),
    masked: Container[Any] = (),
) -> dict[str, Wiring]:
    """How layers hang together.

    Args:
        outputs: (name, entry, module, grad_fn) of each layer in forward order: the module that
            gets the layer's input, the one that gives its output, and that output's node in the
            graph; None for one without a gradient.
        returned: nodes of what calls from outside have returned.
        get_data: names of the layers that get data.
        normalizing: of nodes that are such a normalisation's, the module that they are of.
        masked: nodes that are no linear function, see `masked_before`.
    """
    nodes = {id(node): name for name, _, _, node in outputs if node is not None}
    between = {name: _between(node, nodes) for name, _, _, node in outputs}
    parents = {name: of_layer for name, (of_layer, _) in between.items()}
    # What a frozen layer gives from data alone is not in the graph: where it goes cannot be seen,
    # and it may pass beside all that is called later, as a frozen layer does beside its adapter.
    returned = list(returned)
    beside = [_between(node, nodes)[0] for node in returned if id(node) not in nodes]
    trunk = _trunk([name for name, *_ in outputs], parents, beside)
    # A linear module whose own output is the layer's: no function was applied to it.
    bare = {id(node): module for _, _, module, node in outputs if class_of(module) is nn.Linear}
    fed = Counter(parent for of_layer in parents.values() for parent in of_layer)
    ends = {moved_from(node, nodes) for node in returned}
    ends -= {parent for name in parents if name not in get_data for parent in parents[name]}
    made = {}
    for name, entry, _, node in outputs:
        follows = ""
        if class_of(entry) is nn.Linear and node is not None:
            before = linear_before(node, bare, masked)
            # What others get too (a residual, a gate's side branch, heads) is not theirs to merge.
            alone = before is not None and fed[nodes[before]] == 1
            if before is not None and alone and not _is_bottleneck(bare[before], entry):
                follows = nodes[before]
        place = tuple(parents[name]), name in trunk, follows
        few = min(filter(few_together, between[name][1]), key=few_together, default=None)
        made[name] = Wiring(
            *place,
            is_end=name in ends,
            normalized_of=few_together(few),
            none_passes=few is not None and not _passes_by(node, nodes),
            normalized_by=normalizing.get(few, ""),
        )
    return made


def _passes_by(node: Any, nodes: Mapping[int, str]) -> bool:
    """Whether a way back from a layer's output to that of another passes no normalisation of one
    or two values.
    """
    seen, waiting = {node}, [] if few_together(node) else inputs_of(node)
    while waiting:
        here = waiting.pop()
        if id(here) in nodes:
            return True
        if here not in seen and not few_together(here):
            seen.add(here)
            waiting += inputs_of(here)
    return False


def _between(node: Any, nodes: dict[int, str]) -> tuple[list[str], list[Any]]:
    """The nearest layers' outputs on all ways back from a node, and the nodes up to there."""
    if node is None:
        return [], []
    found: dict[str, None] = {}
    seen, waiting = {id(node)}, inputs_of(node)
    kept = [node]  # an object that is gone may share its id with a later one
    while waiting:
        here = waiting.pop()
        if id(here) in seen:
            continue
        seen.add(id(here))
        kept.append(here)
        if id(here) in nodes:
            found[nodes[id(here)]] = None
        else:
            waiting += inputs_of(here)
    return list(found), [each for each in kept if each is node or id(each) not in nodes]


def _trunk(
    order: Sequence[str], parents: dict[str, list[str]], joined: Iterable[Sequence[str]]
) -> set[str]:
    """Layers that no way from a last layer to a first one leaves out. Of what is joined at the very
    end by no layer, such as weights of an attention and what they weigh, all are last.

    In forward order a way is a chain of edges; a layer is left out by an edge from before it to
    behind it, by a way that begins behind it, and by one that ends before it.
    """
    place = {name: number for number, name in enumerate(order)}
    has_child = {parent for name in order for parent in parents[name]}
    last = set(order) - has_child
    last |= {each for several in joined if not last.isdisjoint(several) for each in several}
    edges: list[tuple[int, int]] = []
    for name in order:
        begins = [place[parent] for parent in parents[name] if place[parent] < place[name]]
        edges += [(before, place[name]) for before in begins or [-1]]
        if name in last:
            edges.append((place[name], len(order)))
    reach = [0] * (len(order) + 2)  # how many edges span each place: a difference array
    for before, behind in edges:
        reach[before + 2] += 1  # shifted by one for the edge from -1
        reach[behind + 1] -= 1
    spanned, trunk = 0, set()
    for number, name in enumerate(order):
        spanned += reach[number + 1]
        if not spanned:
            trunk.add(name)
    return trunk


def _is_bottleneck(first: nn.Module, second: nn.Module) -> bool:
    """Whether what two linear layers pass between them is narrower than both their ends."""
    assert isinstance(first, nn.Linear)
    assert isinstance(second, nn.Linear)
    return first.out_features < min(first.in_features, second.out_features)
