"""A contrastive loss in which each sample is among the samples that it is to be told apart from."""

from layerscope.diagnose import Advice, Figures, Memory, Symptoms, Thresholds, rule_of_run


@rule_of_run("self_as_negative", looks_at="against_itself")
def self_as_negative(figures: Figures, _: Thresholds, memory: Memory) -> Symptoms:
    """1 for a log-softmax over the products z z' of samples with the same samples, with nothing
    between the product and the softmax but factors: the diagonal stands among the candidates.
    """
    return Symptoms.of_run_above(
        "loss",
        figures["against_itself"],
        Advice(
            "each sample is among the candidates that the contrastive loss compares it with: it "
            "is always most like itself, whatever is learned",
            "similarity.fill_diagonal_(-inf), or masked_fill with torch.eye, before the softmax",
        ),
        warning=0.0,
        source="Chen et al. 2020, A Simple Framework for Contrastive Learning of Visual "
        "Representations, equation 1: the sum is over k other than i",
        lasting=3,
    )
