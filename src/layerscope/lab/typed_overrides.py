"""What was typed after the command, as Hydra's config keeps it."""

from omegaconf import DictConfig, OmegaConf


def typed_overrides(hydra: DictConfig) -> list[str]:
    """The overrides, letter for letter: what one refers to, as `seed=${oc.env:SEED}` does, may not
    be there, or be a secret.
    """
    task = OmegaConf.to_container(hydra.overrides.task, resolve=False)
    assert isinstance(task, list)
    return [str(override) for override in task]
