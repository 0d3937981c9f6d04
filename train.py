"""Train a deep MLP on names and look into every layer: `python train.py init=kaiming`.

The same as `layerscope train`, with the conf/ beside this file: layerscope/training/train.py.
"""

import sys
from pathlib import Path

from layerscope.training.train import main

if __name__ == "__main__":
    sys.exit(main(Path(__file__).parent / "conf", sys.argv[1:]))
