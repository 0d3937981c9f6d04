"""What is wrong with a config, in one sentence out of what Hydra and OmegaConf wrap around it."""

from hydra.errors import HydraException, InstantiationException
from omegaconf.errors import OmegaConfBaseException

BAD_SETTING = (ValueError, HydraException, OmegaConfBaseException)
"""What composing a config, and calling what it names, raises for a setting that cannot be used."""


def sentence(error: Exception) -> str:
    """Return the error without Hydra's frames around it, on one line.

    An unknown choice of a group is told together with the choices that there are.
    """
    if isinstance(error, InstantiationException) and error.__cause__ is not None:
        where = str(error).rsplit("full_key: ", 1)
        first = str(error.__cause__).splitlines()[0]
        if isinstance(error.__cause__, ValueError) or len(where) == 1:
            return first
        return f"{where[1]}: {first}"
    first, *rest = (line.strip() for line in str(error).splitlines() if line.strip())
    if rest and rest[0].startswith("Available options"):
        choices = [line for line in rest[1:] if not line.startswith(("Config search", "provider"))]
        return f"{first}: it must be one of {', '.join(choices)}."
    return first
