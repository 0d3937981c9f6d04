"""The subcommands of `layerscope`, a module each; `run(options)` is the exit code."""
