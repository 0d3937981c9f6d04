"""`layerscope predict`: theory's table for the network that `layerscope train` would build.

The overrides are those of training: `init=kaiming model.depth=50 model.activation=tanh`. Without
PyTorch, which takes longer to import than this takes to answer: the config's init scheme is made
and asked for its variances, the network is not.
"""

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig, ListConfig

from layerscope.arguments import at_least
from layerscope.console.prediction_table import prediction_table, verdict_sentences
from layerscope.console.terminal import terminal
from layerscope.exit_codes import ExitCode
from layerscope.lab.conf_folder import conf_folder, searched
from layerscope.lab.hidden_layers import hidden_sizes, layers_for_theory
from layerscope.lab.init.choice import Choice, choice
from layerscope.lab.own_configs import own_configs
from layerscope.lab.sentence import BAD_SETTING, NO_CONFIG, sentence, with_key
from layerscope.lab.signature import check_node
from layerscope.lab.sweep.fingerprint import settings_of
from layerscope.lab.trusted import trust_is_typed
from layerscope.refusal import refuse
from layerscope.theory import Inputs, Layer, Prediction, predict

_MLP = "layerscope.lab.mlp.MLP"


def run(options: Namespace) -> int:
    """Print the table, the verdict and theory's choice; 2 if a setting cannot be used."""
    try:
        prediction, chosen = predicted(options.overrides, options.config_dir)
    except (*BAD_SETTING, *NO_CONFIG, TypeError) as error:  # a word where a number belongs
        return refuse(sentence(error))
    console = terminal()
    console.print(prediction_table(prediction))
    for line in (*verdict_sentences(prediction), chosen.sentence):
        console.print(line, highlight=False)
    return ExitCode.FINISHED


def predicted(overrides: list[str], mine: Path | None = None) -> tuple[Prediction, Choice]:
    """Compose the config as training does; its network's prediction, and the init to choose.

    Args:
        overrides: as on the command line of `layerscope train`.
        mine: the user's own config folder, beside the package's.

    Raises:
        ValueError: there is no such folder, the model is not an MLP, or one that theory cannot
            follow, or a setting cannot be used;
            so do the other errors of `BAD_SETTING`.
    """
    here = str(conf_folder().resolve())
    with own_configs(mine), initialize_config_dir(here, version_base="1.3"):
        cfg = compose("train", [*overrides, *searched(mine)])
    if cfg.model.get("_target_") != _MLP:
        raise ValueError(f"model must be {_MLP} for a prediction, got {cfg.model.get('_target_')}")
    trust = list(cfg.trust) if trust_is_typed(overrides) else ()
    check_node(settings_of(cfg)["init"], "init", trust)
    scheme = instantiate(cfg.init, _convert_="all")
    rows, context_length = _data_sizes(cfg, scheme, trust)
    at_least(1, **{"data.context_length": context_length})
    threshold = 0.97 if cfg.monitor is None else cfg.monitor.saturation_threshold
    try:
        layers, inputs = _layers_and_inputs(cfg.model, scheme, rows, context_length)
    except ValueError as error:  # of the model's keys, or of what the init makes of them
        word = str(error).split()[0].partition("[")[0]
        raise ValueError(with_key("model" if word in cfg.model else "", str(error))) from error
    prediction = predict(layers, inputs, threshold)
    return prediction, choice(prediction, cfg.model.norm)


def _layers_and_inputs(
    model: DictConfig, scheme: Any, rows: int, context_length: int
) -> tuple[tuple[Layer, ...], Inputs]:
    """What theory follows of a network; ValueError of a key of the model without "model."."""
    at_least(1, embedding_dim=model.embedding_dim)
    if not isinstance(model.widths, ListConfig | None):
        raise ValueError(f"widths must be a list of whole numbers or null, got {model.widths}")
    sizes = [
        context_length * model.embedding_dim,
        *hidden_sizes(model.depth, model.width, model.widths and list(model.widths)),
    ]
    inputs = Inputs(second_moment=scheme.embedding_second_moment(rows, model.embedding_dim))
    layers = layers_for_theory(
        scheme, sizes, model.activation, inputs.second_moment, model.norm, model.residual
    )
    return layers, inputs


def _data_sizes(cfg: DictConfig, scheme: Any, trust: Sequence[str]) -> tuple[int, int]:
    """Rows of the embedding and characters of a context.

    Where the config says what is needed, the data are not read: their modules import Lightning.
    """
    if scheme.embedding == "unit" and "context_length" in cfg.data:
        return 1, cfg.data.context_length  # a unit embedding has no fan-in
    check_node(settings_of(cfg)["data"], "data", trust)
    data = instantiate(cfg.data, _convert_="all")
    data.setup()
    return data.embedding_rows, data.context_length
