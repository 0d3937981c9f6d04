"""A padding mask the wrong way round: attention sees the padding, and nothing else."""

from layerscope.diagnose import Figures, Memory, Symptoms, Thresholds, rule_with_memory

_LOOKS = 2
"""In a row: what is hidden is exact."""


@rule_with_memory("mask_inverted")
def mask_inverted(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """1 for an attention whose rows may look at all places of one token, which fills the ends or
    the beginnings of sequences of different lengths, and at no place of any other.
    """
    return Symptoms.above(
        figures["attention_to_padding"],
        warning=0.0,
        explanation="the mask of {layer} is the wrong way round: it hides every token and shows "
        "the padding alone",
        remedy="turn the mask around: key_padding_mask of torch.nn is True where a key is to be "
        "ignored, attn_mask of scaled_dot_product_attention where it may be seen, and "
        "attention_mask of transformers is 1 for tokens",
        source=(
            "torch.nn.MultiheadAttention: key_padding_mask, True is ignored; "
            "scaled_dot_product_attention: attn_mask, True takes part"
        ),
        lasting=_LOOKS,
    )
