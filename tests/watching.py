"""A plain loop under `watch`, and what its folder says afterwards."""

import numpy as np
import torch

import layerscope


def mean_square(output):
    return output.square().mean()


def watch_loop(
    net,
    folder,
    steps=12,
    draw=lambda step: (torch.randn(6, 4),),
    loss_of=mean_square,
    *,
    before=None,
    optimizer=None,
    retain_graph=False,
    **settings,
):
    """Train a net, by SGD where no other optimizer is given; the watcher, closed.

    draw: step -> what the net is called with. loss_of: what it gives -> the loss. before: called
    with (step, net) before its forward pass.
    """
    optimizer = optimizer or torch.optim.SGD(net.parameters(), 0.01)
    with layerscope.watch(net, folder, **{"summary": False, "images": False} | settings) as watcher:
        for step in range(steps):
            if before:
                before(step, net)
            optimizer.zero_grad()
            loss = loss_of(net(*draw(step)))
            loss.backward(retain_graph=retain_graph)
            optimizer.step()
            watcher.step(loss)
    return watcher


def counts(folder, tag):
    """Elements of a tag's histogram, by step."""
    series = layerscope.read(folder).histograms.get(tag)
    if series is None:
        return {}
    elements = np.asarray(series.buckets)[:, :, 2].sum(1).round().astype(int)
    return dict(zip(series.steps.tolist(), elements.tolist(), strict=True))


def last_figure(folder, layer, name):
    """A figure of a layer, whose name ends like this, at the last step."""
    figures = layerscope.read(folder).figures
    at = next(i for i, each in enumerate(figures.layers) if each.name.endswith(layer))
    return float(figures[name][-1, at])


def hooks_on(net):
    """How many hooks are on a net's modules and parameters."""
    on_modules = sum(
        len(module._forward_hooks) + len(module._forward_pre_hooks) for module in net.modules()
    )
    return on_modules + sum(len(p._backward_hooks or ()) for p in net.parameters())
