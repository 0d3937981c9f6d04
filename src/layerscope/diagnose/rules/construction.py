"""How the network is put together: constant weights, linear layers in a row, and its mode."""

import numpy as np

from layerscope.diagnose import Advice, Figures, Finding, Memory, Symptoms, Thresholds
from layerscope.diagnose.measured.figures import Flags
from layerscope.diagnose.measured.layer_facts import LayerFacts
from layerscope.diagnose.registry import rule_of_run, rule_with_memory


@rule_with_memory("constant_weights")
def constant_weights(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """Largest difference between the rows of a weight, where it is 0 after the first updates: all
    units of the layer compute the same, get the same gradient, and stay the same.

    One layer of zeros is meant (a head, a branch's last layer: Zhang et al. 2019, Fixup, section
    3). Of several the gradient of each is a product with the others', so none of them moves at
    first.
    """
    values = figures["weight_row_spread"] * memory.roles.only("trained")
    seen = memory.of_layers("seen")[0]
    without = _without_gradient(figures, memory)
    if np.isnan(values).all():
        return Symptoms(values)
    known = ~np.isnan(values)
    count = np.where(np.isnan(seen), 0, seen) + np.cumsum(known, axis=0)
    seen[:] = count[-1]
    alike = known & (values == 0) & (count >= 3) & ~without
    first = known & (count == 1)
    begun = first & (values == 0)  # before the first step, where an optimizer takes it
    zero = first & (figures["weight_rms"] == 0)
    number = zero.sum(1, keepdims=True)
    all_zero = zero & (number >= 2) & (number == first.sum(1, keepdims=True))
    hidden = np.array([not facts.last for facts in memory.roles.layers])
    number = (begun & hidden).sum(1, keepdims=True)
    all_alike = begun & (figures["weight_rms"] > 0) & (number > 0)
    all_alike &= number == (first & hidden).sum(1, keepdims=True)
    severity = np.where(alike | all_zero, 3, np.where(all_alike, 2, 0))
    return Symptoms.of_layers(
        values,
        severity,
        Advice(
            "all units of {layer} have the same weights, and get the same gradient: they can "
            "never differ",
            "init=kaiming or init=xavier: random weights; only biases may start at a constant",
        ),
        Advice(
            "all weights of the network are zero at the start, in {layer} too: no gradient "
            "gets through them",
            "init=kaiming or init=xavier: random weights; only biases may start at zero",
        ),
        Advice(
            "all units of {layer} begin with the same weights, and so do those of all other "
            "layers: no unit can learn anything of its own",
            "init=kaiming or init=xavier: random weights; only biases may start at a constant",
        ),
        limits=(np.nan, np.nan, 0.0),
        source="Goodfellow et al. 2016, Deep Learning, section 8.4: break symmetry between units",
        cause=np.where(all_zero, 1, 2 * (all_alike & ~alike)),
        since=np.zeros(values.shape, np.int64),
    )


def _without_gradient(figures: Figures, memory: Memory) -> Flags:
    """Whether no gradient has come to a layer so far, or one of exactly 0: that is why nothing has
    moved, as of an adapter's weights that start at zero, [steps, layers].
    """
    came = memory.of_layers("came")[0]
    joined = np.concatenate([came[np.newaxis], figures["weight_grad_rms"]])
    sizes = np.fmax.accumulate(joined)[1:]
    came[:] = sizes[-1]
    none = memory.known_of_layers("none", figures["no_gradient"])
    return (sizes == 0) | (np.isnan(sizes) & (none > 0))


def _without_function(facts: LayerFacts) -> str:
    return (
        f"an activation function between {facts.follows} and {facts.name}, such as torch.nn.ReLU; "
        "or take one of the two out"
    )


@rule_with_memory("linear_chain")
def linear_chain(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """1 for two linear layers in a row with no function in between, in the graph of the first step:
    they are one linear layer. Where the network has no function elsewhere, all of it is one.
    """
    chained = np.array([bool(facts.follows) for facts in memory.roles.layers])
    values = np.zeros((len(figures.steps), len(chained)))
    if not chained.any():
        return Symptoms(values)
    values[:, chained] = 1.0
    functions = any(facts.nonlinearity for facts in memory.roles.layers)
    severity = np.where(values > 0, 1 if functions else 2, 0)
    of_all = sum(bool(each.weights) for each in memory.roles.layers) == chained.sum() + 1
    return Symptoms.of_layers(
        values,
        severity,
        Advice(
            "{layer} takes the outputs of a linear layer with no function in between: the two "
            "compute no more than one would",
            _without_function,
        ),
        Advice(
            "no layer of the network has an activation function: {layer} takes the outputs of a "
            "linear layer as they are, and all layers together compute no more than one would",
            _without_function,
        ),
        limits=(0.0, 0.0, np.nan),
        source="a product of matrices is a matrix",
        cause=np.full(values.shape, of_all and not functions, np.int8),
    )


@rule_of_run("in_evaluation_mode", looks_at="evaluation_share")
def in_evaluation_mode(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """Share of the modules that behave otherwise in training (dropout, batch normalisation) which
    are in evaluation mode while an optimizer steps.
    """
    values = figures["evaluation_share"].astype(np.float64)
    severity = np.where(values == 1, 2, np.where(values > 0, 1, 0))
    return Symptoms.of_run(
        "network",
        values,
        severity,
        Advice(
            "{value:.0%} of the dropouts and batch normalisations are in evaluation mode while the "
            "network trains",
            "model.train() before the training loop, and again after each validation",
        ),
        limits=(0.0, 0.999, np.nan),
        source="torch.nn.Module.eval",
        lasting=thresholds.lasting,
    )


def validated_in_training(by_mode: str, times: int, step: int) -> Finding:
    """The finding of validations in training mode.

    Args:
        by_mode: what behaves otherwise in it.
        times: how many validations these were.
        step: after which training has ended. What layers show before does not follow from it.
    """
    return Finding.of_no_figures(
        "in_evaluation_mode",
        "network",
        step,
        value=float(times),
        source="torch.nn.Module.eval",
        explanation=f"{times} times the network was called several times in a row without "
        f"gradients, as in a validation, and was in training mode: {by_mode} acted as in training, "
        "so what came out depends on chance or on the batch",
        remedy="model.eval() before each validation, and model.train() after it; change nothing if "
        "it is meant, as for Monte Carlo dropout",
    )
