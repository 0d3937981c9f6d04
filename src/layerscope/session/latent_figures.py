"""How much of the gradient on a mean and a variance is that of their divergence from a normal."""

import numpy as np

from layerscope.session.input_figures import Matrix

_SAME = 0.2
"""How far the factors of both may be apart, relatively, to be those of one term."""


def latent_figures(
    mean: Matrix, of_mean: Matrix, spread: Matrix, of_spread: Matrix
) -> dict[str, float]:
    """The share of the gradients on a mean and on a log-variance, log-deviation or deviation that a
    Kullback-Leibler divergence from a standard normal makes; 0 where the two do not fit it, and
    below 0 where they fit minus such a divergence.

    k KL has the slopes k mean, and k (exp(v) - 1) / 2 of a log-variance v (Kingma and Welling 2014,
    Auto-Encoding Variational Bayes, appendix B). What else there is, is the error's.
    """
    factor, share = _fit(of_mean, mean)
    best = 0.0
    forms = [np.expm1(np.minimum(spread, 50)) / 2, np.expm1(np.minimum(2 * spread, 50))]
    if spread.min() > 0:
        forms.append(spread - 1 / spread)
    for form in forms:
        other, of_form = _fit(of_spread, form)
        if factor and abs(other / factor - 1) < _SAME:
            best = max(best, min(share, of_form))
    return {"latent_drawn": best if factor > 0 else -best}


def _fit(gradient: Matrix, form: Matrix) -> tuple[float, float]:
    """The factor k of k form, and the share of the gradient's square that it explains."""
    size, square = np.square(form).sum(), np.square(gradient).sum()
    if not (size > 0 and square > 0):
        return 0.0, 0.0
    factor = float((gradient * form).sum() / size)
    return factor, float(1 - np.square(gradient - factor * form).sum() / square)
