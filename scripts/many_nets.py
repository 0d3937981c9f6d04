"""Many MLPs of one shape at once, one for each seed: what sixteen seeds tell at the price of one.

Their weights are stacked, so that one product serves all. No monitor: sixteen networks are not one.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import Tensor
from torch.nn.functional import cross_entropy

from layerscope.lab.data import CharacterData
from layerscope.lab.mlp import ACTIVATIONS, MLP

CONF = Path(__file__).parent.parent / "conf"
Floats = npt.NDArray[np.float64]


def drawn(
    seeds: Sequence[int],
    data: CharacterData,
    init: str,
    activation: str = "tanh",
    depth: int = 5,
    **changes: object,
) -> list[MLP]:
    """Networks as `train.py` would draw them, one for each seed, 100 units wide.

    Args:
        seeds: of the weights.
        data: set up.
        init: a file of conf/init, but lsuv; `changes` are keys of it with other values.
        activation: of the MLP.
        depth: likewise.
        changes: see `init`.
    """
    settings = OmegaConf.merge(OmegaConf.load(CONF / "init" / f"{init}.yaml"), changes)
    scheme = instantiate(settings, _convert_="all")
    networks = []
    for seed in seeds:
        rows = data.embedding_rows
        networks.append(MLP(rows, data.context_length, rows, depth=depth, activation=activation))
        scheme(networks[-1], torch.Generator().manual_seed(seed))
    return networks


class Nets:
    """S networks of one shape and activation, stacked.

    Args:
        networks: initialised, without norms and residuals; they stay as they are.

    Attributes:
        parameters: all of them, each with S as its first size.
        table, weights, biases: the same, [S, rows, dim], [S, out, in] and [S, out].
    """

    def __init__(self, networks: Sequence[MLP]) -> None:
        self.phi = ACTIVATIONS[networks[0].activation]()
        each = zip(*(network.parameters() for network in networks), strict=True)
        self.parameters = [torch.stack([p.detach() for p in of]).requires_grad_() for of in each]
        self.table, *others = self.parameters
        self.weights, self.biases = others[::2], others[1::2]

    def outputs(self, contexts: Tensor) -> list[Tensor]:
        """Of contexts [S, B, n] what each layer puts out: the embedding [S, B, n, dim], hidden
        layers [S, B, width], logits [S, B, classes].
        """
        at = torch.arange(len(self.table)).view(-1, 1, 1)
        outputs = [self.table[at, contexts]]
        h = outputs[0].flatten(2)
        for weight, bias in zip(self.weights, self.biases, strict=True):
            z = torch.baddbmm(bias.unsqueeze(1), h, weight.mT)
            h = z if weight is self.weights[-1] else self.phi(z)
            outputs.append(h)
        return outputs

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Each network's cross-entropy in nats, [S]."""
        each = cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
        return each.view(targets.shape).mean(1)


class Start(NamedTuple):
    """What step 0 shows: float64 [S, layers], hidden layers in network order.

    `weight_grad`, mean absolute values, has the logits as well. `unit_saturated` and
    `unit_grad`, of a unit's incoming weights, are [S, layers, width].
    """

    mean: Floats
    std: Floats
    rms: Floats
    saturated: Floats
    grad: Floats
    weight_grad: Floats
    unit_saturated: Floats
    unit_grad: Floats


def at_start(nets: Nets, batch: tuple[Tensor, Tensor], threshold: float = 0.97) -> Start:
    """One forward and one backward pass of a batch, the same for all networks."""
    contexts, targets = (each.expand(len(nets.table), *each.shape) for each in batch)
    _, *outputs, logits = nets.outputs(contexts)
    for output in outputs:
        output.retain_grad()
    nets.loss(logits, targets).sum().backward()
    h = torch.stack([output.detach() for output in outputs], 1).double()
    back = torch.stack([output.grad for output in outputs if output.grad is not None], 1).double()
    grads = [weight.grad.double() for weight in nets.weights if weight.grad is not None]
    beyond = (h.abs() > threshold).double()
    hidden = torch.stack([grad.square().mean(2).sqrt() for grad in grads[:-1]], 1)
    return Start(
        *(
            tensor.numpy()
            for tensor in (
                h.mean((2, 3)),
                h.std((2, 3)),
                h.square().mean((2, 3)).sqrt(),
                beyond.mean((2, 3)),
                back.square().mean((2, 3)).sqrt(),
                torch.stack([grad.abs().mean((1, 2)) for grad in grads], 1),
                beyond.mean(2),
                hidden,
            )
        )
    )


def train(nets: Nets, data: CharacterData, lr: float, steps: int, start: int = 0) -> None:
    """AdamW with the decay of conf/optimizer, a constant rate, batches of 128 drawn anew."""
    contexts, targets = data.train_dataloader().x, data.train_dataloader().y
    optimizer = torch.optim.AdamW(nets.parameters, lr=lr, weight_decay=0.15)
    generator = torch.Generator().manual_seed(start)
    for _ in range(steps):
        at = torch.randint(len(targets), (len(nets.table), 128), generator=generator)
        optimizer.zero_grad()
        nets.loss(nets.outputs(contexts[at])[-1], targets[at]).sum().backward()
        optimizer.step()


@torch.no_grad()
def at_end(nets: Nets, data: CharacterData, threshold: float = 0.97) -> dict[str, Tensor]:
    """On 8,192 examples that were not trained on: who is active, how much is saturated, the loss.

    Returns:
        `active`, bool [S, layers, width]: above 0 on any example. `saturated`, [S, layers].
        `loss`, [S].
    """
    loader = data.val_dataloader()
    contexts, targets = (
        each[:8192].expand(len(nets.table), *each[:8192].shape) for each in (loader.x, loader.y)
    )
    _, *outputs, logits = nets.outputs(contexts)
    return {
        "active": torch.stack([(output > 0).any(1) for output in outputs], 1),
        "saturated": torch.stack(
            [(output.abs() > threshold).float().mean((1, 2)) for output in outputs], 1
        ),
        "loss": nets.loss(logits, targets),
    }
