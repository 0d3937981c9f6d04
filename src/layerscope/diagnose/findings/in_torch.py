"""A remedy in PyTorch's words: rules write theirs with the keys of conf/, as `layerscope train` has
them, and whoever watches a network of their own has none of these keys.
"""

import re

_WORDS = tuple(
    (re.compile(keys), words)
    for keys, words in (
        (r"model\.activation=tanh", "nn.Tanh()"),
        (r"model\.activation=leaky_relu", "nn.LeakyReLU()"),
        (r"(?<=\)) init=", " and init="),
        (r"as in init=", "as by init="),
        (r"init=(\w+) init\.bias_std=0", r"init=\1 and init.bias_std=0"),
        (r"init=(kaiming|xavier)", r"nn.init.\1_normal_(layer.weight)"),
        (r"init=orthogonal", "nn.init.orthogonal_(layer.weight)"),
        (r"init\.bias_std=0", "nn.init.zeros_(layer.bias)"),
        (r"optimizer\.lr=\.\.\.", "optimizer.lr (lr=... where the optimizer is made):"),
        (r"trainer\.precision=bf16-mixed", "torch.autocast to bfloat16"),
        (r"trainer\.gradient_clip_val=1\.0", "nn.utils.clip_grad_norm_(parameters, 1.0)"),
    )
)


def in_torch(remedy: str) -> str:
    """The remedy without a key of conf/; `optimizer.lr` stays, for it says as much to a stranger:
    the lr of the optimizer. That word is the same in all that we print and write.

    >>> in_torch("init=xavier and init.bias_std=0: its units are saturated")
    'nn.init.xavier_normal_(layer.weight) and nn.init.zeros_(layer.bias): its units are saturated'
    >>> in_torch("optimizer.lr=... a tenth of what it is, or a warm-up of it")
    'optimizer.lr (lr=... where the optimizer is made): a tenth of what it is, or a warm-up of it'
    """
    for keys, words in _WORDS:
        remedy = keys.sub(words, remedy)
    return remedy
