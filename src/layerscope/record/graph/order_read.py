"""Whether a network reads its sequences place by place somewhere, told from its graph."""

from typing import Any

from layerscope.record.graph_nodes import VIEWS, kind_of, shape_of

_IN_ORDER = (
    *("Convolution", "MkldnnConvolution", "MkldnnRnnLayer", "CudnnRnn"),
    *("ThnnFusedLstmCell", "ThnnFusedGruCell"),
)


class OrderRead:
    """Told in the first step only: a convolution, a recurrent layer of torch's, or rows that are
    laid side by side for a layer, [samples, places * width] of [samples, places, width].

    Attributes:
        is_any: whether there is one.
    """

    def __init__(self) -> None:
        self.is_any = False

    def see(self, node: Any) -> None:
        """A node of the graph of the network's output."""
        kind = kind_of(node)
        self.is_any |= kind in _IN_ORDER
        before = getattr(node, "_saved_self_sym_sizes", None)
        if kind in VIEWS and before is not None and len(before) == 3:
            samples, places, width = before
            self.is_any |= places > 1 and shape_of(node) == (samples, places * width)
