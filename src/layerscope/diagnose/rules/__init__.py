"""The rules. Importing them registers them, in the order in which findings are told."""

# isort: off
from layerscope.diagnose.rules import not_finite as not_finite
from layerscope.diagnose.rules import overconfident_start as overconfident_start
from layerscope.diagnose.rules import saturated as saturated
from layerscope.diagnose.rules import dead_units as dead_units
from layerscope.diagnose.rules import idle as idle
from layerscope.diagnose.rules import biased as biased
from layerscope.diagnose.rules import gradient_profile as gradient_profile
from layerscope.diagnose.rules import gradient_spike as gradient_spike
from layerscope.diagnose.rules import update_size as update_size
from layerscope.diagnose.rules import collapsed as collapsed
