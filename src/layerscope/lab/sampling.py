"""Items that a network makes up, character by character."""

import torch
from torch import Tensor, nn

from layerscope.arguments import at_least
from layerscope.lab.data.vocabulary import BOUNDARY


@torch.no_grad()
def sample(
    network: nn.Module,
    context_length: int,
    symbols: int,
    count: int,
    generator: torch.Generator,
    limit: int,
) -> Tensor:
    """Return int64 [count, limit] on the CPU: indices below `symbols`, then boundaries to the end.

    Logits from `symbols` on stand for nothing and are left out: the notebook has 27 for 21 symbols.
    All items grow together, one forward pass a character. The first character is never the
    boundary, since no item is empty; an item that has not ended after `limit` characters is cut.
    Draws from `generator`, on the CPU, alone, so a seed gives the same items on every device.

    Raises:
        ValueError: a count or limit is below 1, or the logits are not finite.
    """
    at_least(1, count=count, limit=limit)
    device = next(network.parameters()).device
    indices = torch.full((count, context_length + limit), BOUNDARY)
    ended = torch.zeros(count, dtype=torch.bool)
    for position in range(context_length, context_length + limit):
        context = indices[:, position - context_length : position]
        # Device to host: [count, symbols] each character, outside of training.
        logits = network(context.to(device))[:, :symbols].to("cpu", torch.float32, copy=True)
        if not logits.isfinite().all():
            raise ValueError("the network's logits must be finite to sample from, got NaN or inf")
        if position == context_length:
            logits[:, BOUNDARY] = -torch.inf
        drawn = torch.multinomial(logits.softmax(dim=1), 1, generator=generator).squeeze(1)
        indices[:, position] = drawn.masked_fill(ended, BOUNDARY)
        ended |= drawn == BOUNDARY
        if ended.all():
            break
    return indices[:, context_length:]
