"""Normalisations that have one or two values to normalise by."""

import numpy as np

from layerscope.diagnose import Advice, Figures, Memory, Symptoms, Thresholds, rule_with_memory
from layerscope.diagnose.measured.layer_facts import LayerFacts

_TWO = 2.0

_OF_FEATURES = (
    "nn.BatchNorm1d, which normalises over the samples; or normalized_shape the number of features "
    "that the layer before gives; or no normalisation there"
)
_OF_PLACES = (
    "no normalisation there, where maps are 1 x 1 or a group is one channel; or one of several "
    "numbers: fewer groups, nn.LayerNorm over all channels, or a batch normalisation"
)


def _of_more(facts: LayerFacts) -> str:
    return _OF_FEATURES if facts.module.startswith(("LayerNorm", "RMSNorm")) else _OF_PLACES


def _of_more_before(facts: LayerFacts) -> str:
    return f"{facts.few_by}: {_OF_PLACES}" if facts.few_by else _OF_PLACES


@rule_with_memory("norm_of_few")
def norm_of_few(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """Values that a batch normalisation has of each channel in a step, or one that looks at samples
    alone, as a layer or group normalisation does, of each sample.
    """
    of = memory.roles.batch_norms
    within = memory.roles.norms_of_few
    if not of and not within:
        return Symptoms(figures["units"])
    evaluated = memory.known("evaluated", figures["evaluation_share"]) > 0
    values = np.full(figures["units"].shape, np.nan)
    values[:, of] = figures.values_of_units(of)
    values[evaluated] = np.nan
    cause = np.zeros(values.shape, np.int8)
    for i in within:  # in evaluation it is the same
        facts = memory.roles.layers[i]
        together = facts.together or facts.gets_few
        values[:, i] = np.where(figures["activation_count"][:, i] > 0, together, np.nan)
        cause[:, i] = together if facts.together else 2 + together
    ill = values <= _TWO
    passed_by = [not facts.on_trunk for facts in memory.roles.layers]
    return Symptoms.of_layers(
        values,
        np.where(ill, np.where(passed_by, 1, 2), 0),
        Advice(
            "the batch normalisation of {layer} has {value:.0f} values of each channel to "
            "normalise: they become 1 and -1, whatever they were",
            "batches of 16 samples or more; or a LayerNorm or GroupNorm in its place, which "
            "do not look at the batch",
        ),
        Advice(
            "the normalisation of {layer} takes {value:.0f} number of each sample by itself: it is "
            "its own mean, and nothing of it is left",
            _of_more,
        ),
        Advice(
            "the normalisation of {layer} takes {value:.0f} numbers of each sample by themselves: "
            "they become 1 and -1, whatever they were",
            _of_more,
        ),
        Advice(
            "what {layer} gets has been normalised, {value:.0f} number of a sample by itself: it "
            "is its own mean, and nothing of it is left",
            _of_more_before,
        ),
        Advice(
            "what {layer} gets has been normalised, {value:.0f} numbers of a sample by themselves: "
            "they become 1 and -1, whatever they were",
            _of_more_before,
        ),
        limits=(_TWO, _TWO, np.nan),
        source="Wu and He 2018, Group Normalization: small batches make batch statistics useless",
        lasting=thresholds.lasting,
        cause=cause,
        falling=True,
    )
