"""A module may return a tensor that is there before and after the step: a parameter, a cached one.
A hook on it does not go with it."""

import torch
from torch import nn

from tests.watching import counts, hooks_on, watch_loop


class Prompt(nn.Module):
    """Gives its parameter."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3, 4))

    def forward(self):
        return self.weight


class Cached(Prompt):
    """Gives a tensor that it makes once."""

    def __init__(self):
        super().__init__()
        self.made = None

    def forward(self):
        if self.made is None:
            self.made = self.weight * 2
        return self.made


class Prompted(nn.Module):
    """Puts its prompt before the data, through the network's last module or not."""

    def __init__(self, prompt, calls=1, last=False):
        super().__init__()
        self.calls = calls
        self.out, self.prompt = nn.Linear(4, 1), prompt
        self.last = last

    def forward(self, x):
        prompts = [self.prompt() for _ in range(self.calls)]
        return prompts[0] if self.last else self.out(torch.cat([*prompts, x]))


def train(net, folder, **options):
    return watch_loop(net, folder, biases=True, **options)


def test_a_parameter_that_a_module_returns_has_its_gradient_counted_once_a_step(tmp_path):
    net = Prompted(Prompt())
    watcher = train(net, tmp_path)
    assert watcher.failure is None
    assert counts(tmp_path, "activation_grad/01_prompt") == dict.fromkeys(range(12), 12)
    assert hooks_on(net) == 0


def test_it_is_counted_once_though_the_module_is_called_twice(tmp_path):
    net = Prompted(Prompt(), calls=2)
    train(net, tmp_path)
    assert counts(tmp_path, "activation/01_prompt") == dict.fromkeys(range(12), 24)
    assert counts(tmp_path, "activation_grad/01_prompt") == dict.fromkeys(range(12), 12)


def test_a_parameter_that_the_network_returns_keeps_no_hook(tmp_path):
    net = Prompted(Prompt(), last=True)
    train(net, tmp_path)
    assert hooks_on(net) == 0


def test_a_cached_tensor_has_its_gradient_counted_once_a_step(tmp_path):
    net = Prompted(Cached())
    train(net, tmp_path, retain_graph=True)
    assert counts(tmp_path, "activation_grad/01_prompt") == dict.fromkeys(range(12), 12)
    assert len(net.prompt.made._backward_hooks) <= 1
