"""The weights of recurrent layers, which have entries of their own."""

from functools import lru_cache

from layerscope.diagnose.roles import Roles


@lru_cache(maxsize=1)
def recurrences(roles: Roles) -> tuple[list[int], list[int], list[int]]:
    """Indices of the weights of states, of those of the inputs that belong to them, and of those
    of the latter whose module is reached.
    """
    places = {facts.name: place for place, facts in enumerate(roles.layers)}
    pairs = [
        (places[name], places[name.replace(".weight_hh", ".weight_ih")])
        for name in places
        if ".weight_hh" in name and name.replace(".weight_hh", ".weight_ih") in places
        if not name.endswith("_reverse") and roles.layers[places[name]].trainable
    ]
    reached = {facts.path for facts in roles.layers if facts.order >= 0}
    through = [inputs for _, inputs in pairs if roles.layers[inputs].path in reached]
    return [state for state, _ in pairs], [inputs for _, inputs in pairs], through
