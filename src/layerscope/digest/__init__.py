"""A run in 32 kB of JSON: what a program or an assistant needs to act. No torch, no Lightning."""

from layerscope.digest.bounded import MAX_BYTES
from layerscope.digest.run_digest import digest_of

__all__ = ["MAX_BYTES", "digest_of"]
