"""Draw the pictures of docs/theory.md: the same figures that a run gets, out of networks made here.

python scripts/draw_theory.py docs
"""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from layerscope.commands.one_sentence_parser import OneSentenceParser
from layerscope.lab.data import NamesData
from layerscope.lab.init import (
    InitScheme,
    critical_gain,
    critical_scaling,
    orthogonal,
    variance_scaling,
)
from layerscope.lab.mlp import MLP
from layerscope.lab.predict_network import predict_network
from layerscope.pictures.phase_diagram import phase_picture
from layerscope.pictures.picture import to_png
from layerscope.pictures.profile import DepthProfile, profile_picture

BIAS_STD = 0.004483  # conf/init/critical.yaml's
SCHEMES = {
    "init=random": InitScheme(variance_scaling(1.0, "constant", "normal"), bias_std=1.0),
    "init=kaiming": InitScheme(variance_scaling(2.0, "fan_in", "normal")),
    "init=xavier": InitScheme(variance_scaling(1.0, "fan_in", "normal")),
    "init=critical": InitScheme(critical_scaling("tanh", BIAS_STD), bias_std=BIAS_STD),
    "init=orthogonal": InitScheme(orthogonal(), critical_gain("tanh", BIAS_STD), bias_std=BIAS_STD),
}
PROFILES = {
    "theory_random.png": ("init=random", 10),
    "theory_hundred.png": ("init=orthogonal", 100),
}


def profile(network: MLP, contexts: Tensor, targets: Tensor) -> DepthProfile:
    """Measure one forward and backward pass."""
    outputs: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        output.retain_grad()
        outputs.append(output)

    for module in network.modules():
        if isinstance(module, nn.Tanh):
            module.register_forward_hook(keep)
    cross_entropy(network(contexts), targets).backward()
    gradients = [output.grad for output in outputs]
    return DepthProfile(
        0,
        [output.std().item() for output in outputs],
        [gradient.square().mean().sqrt().item() for gradient in gradients if gradient is not None],
    )


def main(folder: Path) -> None:
    """Write the pictures into `folder`."""
    data = NamesData()
    data.setup()
    contexts, targets = next(iter(data.train_dataloader()))
    runs = []
    for name, scheme in SCHEMES.items():
        network = MLP(data.embedding_rows, data.context_length, data.embedding_rows)
        scheme(network, torch.Generator().manual_seed(42), contexts)
        phase = predict_network(network, scheme, contexts).phase
        if phase is not None:
            runs.append((name, phase.sigma_w2, phase.bias_variance))
    (folder / "theory_phases.png").write_bytes(to_png(phase_picture("tanh", runs)))
    for file, (name, depth) in PROFILES.items():
        network = MLP(data.embedding_rows, data.context_length, data.embedding_rows, depth=depth)
        SCHEMES[name](network, torch.Generator().manual_seed(42), contexts)
        theory = predict_network(network, SCHEMES[name], contexts, 0.97, targets)
        drawn = profile_picture(theory, profile(network, contexts, targets))
        (folder / file).write_bytes(to_png(drawn))


if __name__ == "__main__":
    parser = OneSentenceParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=Path, help="where the pictures are written")
    main(**vars(parser.parse_args()))
