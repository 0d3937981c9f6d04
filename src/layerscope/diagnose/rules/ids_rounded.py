"""Numbers of things that a short floating-point type has rounded, before they were looked up."""

from layerscope.diagnose import Advice, Figures, Memory, Symptoms, Thresholds, rule_of_run

_BFLOAT16 = 256
"""Up to which bfloat16 holds every whole number, of 8 digits; float16 does up to 2,048."""


@rule_of_run("ids_rounded", looks_at="ids_rounded")
def ids_rounded(figures: Figures, _: Thresholds, memory: Memory) -> Symptoms:
    """Up to which number bfloat16 or float16 holds each, where all that an embedding got so far are
    numbers that it can hold, many of them above that.
    """
    values = figures["ids_rounded"].astype(float)
    return Symptoms.of_run_above(
        "inputs",
        values,
        *(
            Advice(
                f"all numbers above {{value:.0f}} that an embedding got are numbers that {kind} "
                "can hold: they went through that type, which has rounded the others",
                f"keep numbers of things in int64, apart from the features: x.to(torch.{kind}) for "
                "the features alone; autocast, which leaves inputs as they are, in the place of a "
                "cast by hand",
            )
            for kind in ("float16", "bfloat16")
        ),
        warning=0.0,
        source="bfloat16 has 8 significant binary digits, float16 has 11: torch.finfo",
        cause=(values == _BFLOAT16).astype("int8"),
    )
