"""What a job of a sweep is called: its folder, and so its run in TensorBoard."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256

_LONGEST = 120  # characters; file systems take 255 bytes, and TensorBoard's list far fewer
_DIGITS = 8
_DIGITS_OF_A_NUMBER = 7  # with its point; a search proposes sixteen
_NOT_PLAIN = re.compile(r"[^\w.=+@-]")


def run_name(values: Mapping[str, str]) -> str:
    """Name a job by what it sets, in the order of the keys, as one folder's name.

    A value keeps its letters, digits and `.=+@-`; a list is joined by `-`. Any other character
    becomes `_`, a number of more than six digits is rounded to four, and what is longer than 120
    characters is cut: eight digits of a hash of the whole then tell the job from others.

    Args:
        values: key and value of each override, as Hydra writes them.

    >>> run_name({"seed": "0", "init": "kaiming", "model.activation": "relu"})
    'init=kaiming,model.activation=relu,seed=0'
    >>> run_name({"model.widths": "[200,100]"})
    'model.widths=200-100'
    >>> run_name({"data.path": "names/de.txt"})
    'data.path=names_de.txt,d5b9a37b'
    >>> run_name({"optimizer.lr": "0.00029375384576328325"})
    'optimizer.lr=0.0002938,1c92e817'
    >>> run_name({})
    'run'
    """
    whole = ",".join(f"{key.lstrip('+~')}={values[key]}" for key in sorted(values))
    items = []
    changed = False
    for key in sorted(values):
        value = values[key].strip("'\"")
        if re.fullmatch(r"\[[^\[\]]*\]", value):
            value = re.sub(r",\s*", "-", value[1:-1])
        plain = _NOT_PLAIN.sub("_", _rounded(value))
        changed |= plain != value
        items.append(f"{_NOT_PLAIN.sub('_', key.lstrip('+~'))}={plain}")
    name = ",".join(items) or "run"
    if changed or len(name.encode()) > _LONGEST:
        short = name.encode()[: _LONGEST - _DIGITS - 1].decode(errors="ignore")
        name = f"{short},{sha256(whole.encode()).hexdigest()[:_DIGITS]}"
    return name


def _rounded(value: str) -> str:
    try:
        return f"{float(value):.4g}" if len(value) > _DIGITS_OF_A_NUMBER else value
    except ValueError:
        return value
