"""The subcommands of `python -m layerscope`, a module each; `run(options)` is the exit code."""
