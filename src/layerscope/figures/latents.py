"""How much of the gradient on a mean and a variance is that of their divergence from a normal."""

from collections.abc import Iterator, Sequence

import numpy as np

from layerscope.figures.inputs import Matrix
from layerscope.record.ends.ends import Data, Output

_SAME = 0.2
"""How far the factors of both may be apart, relatively, to be those of one term."""

_KNOWN = 0.7
"""Share of the slopes that the divergence makes, from which on its factor is known from them."""

_SAMPLES = 64
"""That a variance along a direction is taken of."""

_ACTIVE = 0.01
"""Variance of a unit's mean over the data, from which on it counts as active: Burda et al. 2016,
Importance Weighted Autoencoders, section 5.2.
"""

_EXACT = 0.999
"""Share of the gradient on an output that its error against the data makes: float32."""


_ROUNDED = 1e-8
"""Share of such a gradient's square that float32 leaves unexplained, at most, where exp(v) - 1 has
lost three of its seven digits. An error that counts for a ten-thousandth of the slopes has more."""


def latent_figures(
    pair: Sequence[Matrix], output: Output | None, data: Sequence[Data]
) -> dict[str, float]:
    """What the loss makes of a mean and of a log-variance, log-deviation or deviation.

    Args:
        pair: mean, gradient on it, spread and gradient on that.
        output: the network's, with the gradient of the same loss.
    """
    factor, share = _divergence(*pair)
    figures = {"latent_drawn": share if factor > 0 else -share, "latent_cut": _cut(*pair)}
    figures["latent_active"] = float((pair[0].var(0) > _ACTIVE).mean())
    if output is None or output.samples != len(pair[0]):  # pixels, of pictures with a code each
        return figures
    if factor > 0 and share > _KNOWN and output.gradient is not None:
        values, gradient = output.values.numpy(), output.gradient.numpy()
        inputs = (each.values.numpy() for each in data)
        noise = [_noise(values, gradient, x, factor) for x in inputs if x.shape == values.shape]
        known = [each for each in noise if not np.isnan(each)]
        figures |= {"latent_noise": min(known)} if known else {}
    return figures


def _divergence(
    mean: Matrix, of_mean: Matrix, spread: Matrix, of_spread: Matrix
) -> tuple[float, float]:
    """The factor of a Kullback-Leibler divergence from a standard normal, and the share of the
    slopes that it makes; 0 where the two do not fit it. The factor is below 0 of minus one.

    k KL has the slopes k mean, and k (exp(v) - 1) / 2 of a log-variance v (Kingma and Welling 2014,
    Auto-Encoding Variational Bayes, appendix B). What else there is, is the error's.
    """
    factor, share = _fit(of_mean, mean)
    best = 0.0
    for form in _forms(spread):
        other, of_form = _fit(of_spread, form)
        if factor and abs(other / factor - 1) < _SAME:
            best = max(best, min(share, of_form))
    return factor, best


def _cut(mean: Matrix, of_mean: Matrix, spread: Matrix, of_spread: Matrix) -> float:
    """2 if all of the slopes on both, to the last digits, are those of a divergence, 1 if all of
    those on the spread alone are; else 0. What is drawn with a spread has a part in the error.
    """
    fits = [_fit(of_spread, form) for form in _forms(spread)]
    if not any(factor > 0 and 1 - share < _ROUNDED for factor, share in fits):
        return 0.0
    return 2.0 if 1 - _fit(of_mean, mean)[1] < _ROUNDED else 1.0


def _forms(spread: Matrix) -> list[Matrix]:
    """What the slopes of a divergence are in proportion to, if the spread is a log-variance, a
    log-deviation or a deviation.
    """
    forms = [np.expm1(np.minimum(spread, 50)) / 2, np.expm1(np.minimum(2 * spread, 50))]
    return [*forms, spread - 1 / spread] if spread.min() > 0 else forms


def _noise(values: Matrix, gradient: Matrix, x: Matrix, factor: float) -> float:
    """The variance of the noise that error and divergence together take the data to have, over the
    data's own variance along the direction where it is largest; NaN of another error.

    a |x - x'|^2 + k KL is the likelihood of noise of a variance of k / 2a. A code that is worth its
    divergence needs data that vary more (Rose 1998, section II.B; Lucas et al. 2019, section 4).
    Of a binary cross-entropy the variances are those over p (1 - p), its noise by itself.
    """
    for form, scale in _errors(values, x):
        slope, share = _fit(gradient, form)
        if slope > 0 and share > _EXACT:
            varying = ((x - x.mean(0)) / scale)[:_SAMPLES]
            largest = float(np.linalg.eigvalsh(varying @ varying.T)[-1]) / len(varying)
            return factor / (slope * largest) if largest > 0 else np.nan
    return np.nan


def _errors(values: Matrix, x: Matrix) -> Iterator[tuple[Matrix, Matrix | float]]:
    """What slopes of errors of values against x are in proportion to, and the noise of each."""
    yield values - x, 1.0
    if x.min() >= 0 and x.max() <= 1:
        p = np.clip(x.mean(0), 1e-3, 1 - 1e-3)
        noise = np.sqrt(p * (1 - p))
        yield 1 / (1 + np.exp(-np.clip(values, -50, 50))) - x, noise
        if values.min() > 0 and values.max() < 1:
            yield (values - x) / (values * (1 - values)), noise


def _fit(gradient: Matrix, form: Matrix) -> tuple[float, float]:
    """The factor k of k form, and the share of the gradient's square that it explains."""
    size, square = np.square(form).sum(), np.square(gradient).sum()
    if not (size > 0 and square > 0):
        return 0.0, 0.0
    factor = float((gradient * form).sum() / size)
    return factor, float(1 - np.square(gradient - factor * form).sum() / square)
