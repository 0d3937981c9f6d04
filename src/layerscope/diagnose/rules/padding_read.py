"""A recurrent layer of which the last step is read, where sequences end in padding."""

from layerscope.diagnose import Advice, Figures, Memory, Symptoms, Thresholds, rule_of_run

_MUCH, _MOSTLY = 1 / 3, 1 / 2
"""Of the steps: over some of them a state is carried, and a picture's rows may end alike."""


@rule_of_run("padding_read", looks_at="last_padding")
def padding_read(figures: Figures, _: Thresholds, memory: Memory) -> Symptoms:
    """Share of the steps behind the last real one, where the last step alone gets a gradient."""
    return Symptoms.of_run_above(
        "network",
        figures["last_padding"],
        Advice(
            "the state of a recurrent layer is read after the last step, and {value:.0%} of the "
            "steps are padding at the ends of sequences (limit {threshold:.0%}): what the layer "
            "has read must survive them",
            "torch.nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, "
            "enforce_sorted=False) before the layer, and its last state h_n; or the output of each "
            "sequence's own last step, out[range(len(x)), lengths - 1]; or padding on the left",
        ),
        note=_MUCH,
        warning=_MOSTLY,
        source="Dwarampudi and Reddy 2019, Effects of padding on LSTMs and CNNs: padded at the end "
        "an LSTM does no better than chance, padded at the beginning it learns",
        lasting=3,
    )
