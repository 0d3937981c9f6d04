"""Remedies of an attention that calls torch's own function."""

import contextlib
from unittest.mock import patch

from torch import nn

from tests.diagnose.programs.remedy import ByHandError, Remedy


def called_with(changed):
    """torch's own attention with other arguments."""
    attend = nn.functional.scaled_dot_product_attention
    called = []

    @contextlib.contextmanager
    def around():
        def other(q, k, v, *arguments, **named):
            called.append(True)
            return changed(attend, q, k, v, *arguments, **named)

        with patch.object(nn.functional, "scaled_dot_product_attention", other):
            yield
        if not called:
            raise ByHandError

    return around


def normalised(attend, q, k, v, *arguments, **named):
    normal = nn.functional.layer_norm
    return attend(normal(q, q.shape[-1:]), normal(k, k.shape[-1:]), v, *arguments, **named)


def causal(_):
    """A mask for each of torch's attentions that has none."""

    def change(network):
        found = [m for m in network.modules() if isinstance(m, nn.MultiheadAttention)]
        if not found:
            raise ByHandError

        def masked(module, inputs, named):
            if named.get("attn_mask") is not None:
                raise ByHandError
            length = inputs[0].shape[1 if module.batch_first else 0]
            mask = nn.Transformer.generate_square_subsequent_mask(length)
            return inputs, {**named, "attn_mask": mask}

        for module in found:
            module.register_forward_pre_hook(masked, with_kwargs=True)

    return Remedy(network=change, comparable=False)
