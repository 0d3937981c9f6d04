import torch

from layerscope.record.hooks.handles import hook_gradient


def test_it_is_given_the_gradient_beside_the_hooks_that_come_later():
    x = torch.ones(3, requires_grad=True)
    y = 2 * x
    seen = []
    hook_gradient(y, lambda gradient: seen.append(("ours", gradient.tolist())))
    handle = y.register_hook(lambda gradient: seen.append(("theirs", gradient.tolist())))
    y.sum().backward(retain_graph=True)
    handle.remove()
    y.sum().backward()
    ones = [1.0, 1.0, 1.0]
    assert seen == [("ours", ones), ("theirs", ones), ("ours", ones)]
    assert x.grad.tolist() == [4.0, 4.0, 4.0]


def test_it_gets_the_gradient_of_the_value_from_before_a_change_in_place():
    x = torch.tensor([-1.0, 2.0], requires_grad=True)
    y = 2 * x
    seen = []
    hook_gradient(y, lambda gradient: seen.append(gradient.tolist()))
    y.relu_()
    y.sum().backward()
    assert seen == [[0.0, 1.0]]
