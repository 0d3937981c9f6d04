"""The network under study: an embedding, hidden layers, logits; what heals it is off by default."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from layerscope.arguments import at_least, at_most, one_of
from layerscope.lab.hidden_layers import WIDEST, hidden_sizes
from layerscope.lab.machine import require_memory
from layerscope.theory.normalized import EPSILON

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,  # slope 0.01, the course's
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "sigmoid": nn.Sigmoid,
    "elu": nn.ELU,
    "identity": nn.Identity,  # a deep linear network: theory is exact for it
}
"""By their names on the command line. None works in place: what a layer put out stays."""

NORMS: dict[str, Callable[[int], nn.Module]] = {
    "batch": lambda width: nn.BatchNorm1d(width, eps=EPSILON),
    "layer": lambda width: nn.LayerNorm(width, eps=EPSILON),
    "rms": lambda width: nn.RMSNorm(width, eps=EPSILON),
}
"""By their names on the command line: Ioffe and Szegedy (2015), Ba, Kiros and Hinton (2016), Zhang
and Sennrich (2019)."""


class Residual(nn.Sequential):
    """h becomes h + f(h), for the one f that it holds.

    He, Zhang, Ren and Sun (2016), "Deep residual learning for image recognition".
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the input plus what the layer makes of it, both float32 [B, width]."""
        added: Tensor = self[0](input)
        return input + added


class MLP(nn.Sequential):
    """Contexts int64 [B, context_length] to logits float32 [B, classes].

    Bengio et al. (2003), "A Neural Probabilistic Language Model", without its direct connections.
    The children are `embedding`, `flatten`, then `0` (Linear), `1` (activation), `2` (Linear), ...
    and `logits` (Linear). No norm and no residuals unless asked for: the disease is to be seen
    first. A norm stands between a Linear and its activation. With residuals, each layer with as
    many units as the one before it is one child, a `Residual`.

    Every parameter is NaN until an InitScheme sets it: nothing is drawn from the global generator,
    and a forgotten initialisation shows in the first loss.

    Args:
        embedding_rows: indices that the embedding can look up.
        context_length: characters in a context.
        classes: logits.

    conf/model/mlp.yaml says what the others are.

    Attributes:
        sizes: of the flattened input and of each hidden layer, in order.

    Raises:
        ValueError: a size is below 1, there are more than 10,000 layers, or more parameters than
            this machine has memory for; an unknown activation or norm; residuals where no two
            layers in a row have one size.
    """

    def __init__(
        self,
        embedding_rows: int,
        context_length: int,
        classes: int,
        embedding_dim: int = 10,
        depth: int = 5,
        width: int = 100,
        widths: Sequence[int] | None = None,
        activation: str = "tanh",
        norm: str | None = None,
        residual: bool = False,
    ) -> None:
        at_least(
            1,
            embedding_rows=embedding_rows,
            context_length=context_length,
            classes=classes,
            embedding_dim=embedding_dim,
        )
        at_most(WIDEST, embedding_dim=embedding_dim)
        one_of(ACTIVATIONS, activation=activation)
        if norm is not None:
            one_of(NORMS, norm=norm)
        sizes = [context_length * embedding_dim, *hidden_sizes(depth, width, widths)]
        if residual and all(fan_in != fan_out for fan_in, fan_out in pairwise(sizes)):
            raise ValueError(
                f"residual needs two layers in a row of one size, got {', '.join(map(str, sizes))}"
            )
        children: OrderedDict[str, nn.Module] = OrderedDict()
        with torch.device("meta"):  # sizes only: PyTorch's own initialisation is not run
            children["embedding"] = nn.Embedding(embedding_rows, embedding_dim)
            children["flatten"] = nn.Flatten()
            hidden: list[nn.Module] = []
            for fan_in, fan_out in pairwise(sizes):
                layer = [nn.Linear(fan_in, fan_out), ACTIVATIONS[activation]()]
                if norm is not None:
                    layer.insert(1, NORMS[norm](fan_out))
                adds = residual and fan_in == fan_out
                hidden += [Residual(nn.Sequential(*layer))] if adds else layer
            children.update((f"{position}", part) for position, part in enumerate(hidden))
            children["logits"] = nn.Linear(sizes[-1], classes)
        parameters = sum(each.numel() for child in children.values() for each in child.parameters())
        largest = (
            "embedding_dim"
            if embedding_dim > max(sizes[1:])
            else "width"
            if widths is None
            else "widths"
        )
        require_memory(parameters, largest)
        super().__init__(children)
        self.context_length = context_length
        self.sizes = sizes
        self.activation = activation
        self.norm = norm
        self.residual = residual
        self.to_empty(device="cpu")
        for parameter in self.parameters():
            nn.init.constant_(parameter, torch.nan)
