"""Which files pytest leaves alone: the CUDA kernels, where Triton has no build for the machine."""

import importlib.util

collect_ignore_glob = (
    []
    if importlib.util.find_spec("triton")
    else ["src/layerscope/measure/cuda/*.py", "tests/measure/cuda/*.py"]
)
