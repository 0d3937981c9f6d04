"""Remedies of a loss: what is computed in the place of a function of torch.nn.functional.

Each is called with that function, whether the training is the treated one, and the function's
arguments. It gives what backward starts from, and what the training is measured by: the same
measure with the remedy and without, so that the two can be compared.
"""

import torch
from torch import nn
from torch.nn import functional

from tests.diagnose.programs.remedy import ByHandError


def _measured(changed):
    """A function of the same arguments by which both are measured, and the treated one trains."""

    def choose(original, treated, *arguments, **named):
        right = changed(original, *arguments, **named)
        return right if treated else original(*arguments, **named), right

    return choose


def _of_shape_of_outputs(original, output, target, **named):
    if output.shape == target.shape or output.numel() != target.numel():
        raise ByHandError
    return original(output, target.view_as(output), **named)


def _shifted(original, logits, tokens, **named):
    if logits.ndim != 3:
        raise ByHandError  # the loop has made one axis of sequences and places
    return original(logits[..., :-1], tokens[:, 1:], **named)


def _of_logarithms(original, output, target, **named):
    is_share = bool((output >= 0).all())  # as it is without the remedy
    return original(output.log() if is_share else output, target, **named)


def _binary(_, output, target, **named):
    if output.numel() != target.numel():
        raise ByHandError
    return functional.binary_cross_entropy_with_logits(output.flatten(), target.flatten().float())


def _squared(_, output, target):
    return functional.mse_loss(output, target)


def _of_signs(original, one, other, target, **named):
    return original(one, other, torch.where(target == 0, -1.0, target), **named)


of_one_shape, shifted, of_logarithms = map(
    _measured, (_of_shape_of_outputs, _shifted, _of_logarithms)
)
binary, of_signs, squared = map(_measured, (_binary, _of_signs, _squared))


def without_padding():
    """Without the token that most targets are in the first batch."""
    known = []

    def loss(original, logits, target, **named):
        if not known:
            known.append(int(target.mode().values))
        return original(logits, target, **{**named, "ignore_index": known[0]})

    return _measured(loss)


def of_scaled_targets():
    """Targets by mean and deviation of the first batch; measured with the outputs scaled back."""
    known = []

    def loss(original, treated, output, target, **named):
        if not treated:
            value = original(output, target, **named)
            return value, value
        if not known:
            known.extend((target.mean(), target.std()))
        mean, std = known
        scaled = original(output, (target - mean) / std, **named)
        return scaled, original(output * std + mean, target, **named)

    return loss


def each_label(original, treated, output, target, **named):
    """A cross-entropy of each label, measured as before."""
    if not treated:
        value = original(output, target, **named)
        return value, value
    return functional.binary_cross_entropy_with_logits(output, target), original(
        output.sigmoid(), target, **named
    )


def without_function(network):
    """Takes the function off the end, and keeps it for the measure."""
    *_, (name, last) = network.named_children()
    if not (isinstance(network, nn.Sequential) and isinstance(last, nn.Softmax | nn.Sigmoid)):
        raise ByHandError
    network._modules[name] = nn.Identity()


def entropy_for_error(original, treated, output, target, **named):
    """A cross-entropy of logits in the place of an error, measured by the error."""
    if not treated:
        value = original(output, target, **named)
        return value, value
    if output.shape[1] == 1:
        loss, share = functional.binary_cross_entropy_with_logits(output, target), output.sigmoid()
    else:
        loss, share = functional.cross_entropy(output, target), output.softmax(1)
    return loss, original(share, target, **named)
