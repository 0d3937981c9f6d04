"""The usual step of a training loop."""


def descend(scope, optimizer, loss):
    """Takes the step that brings a loss down, and tells whoever watches of it."""
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    scope.step(loss)
