"""What a node of a config makes, once `check_node` has let what it names pass."""

from __future__ import annotations

from typing import Any

from hydra import utils

_POLICY = "UNSAFE_DISABLE_EXECUTION_CHECKS"
# Hydra 1.4 wants to be told what a config may name, and warns where it is not. `check_node` has
# judged that already, and knows what the user trusts besides.
_JUDGED = {"_execution_whitelist_": getattr(utils, _POLICY)} if hasattr(utils, _POLICY) else {}


def built(node: Any) -> Any:
    """Call what a checked node names in `_target_`, with plain lists and mappings; None of None.

    Raises:
        InstantiationException: what is called has raised, or lacks an argument.
    """
    return utils.instantiate(node, _convert_="all", **_JUDGED)
