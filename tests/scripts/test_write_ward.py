"""The patients of the ward are nets in which a disease was planted."""

import numpy as np
import torch

from layerscope.ward.patients import all_patients
from scripts.plants import PLANTS
from scripts.write_ward import patients


def test_a_patient_trained_anew_shows_what_the_ward_has():
    torch.manual_seed(0)
    plants = [each for each in PLANTS if each.activation == "tanh"]
    chosen = [plants[1], next(each for each in plants if each.disease == "healthy")]
    for made, kept in zip(
        patients(chosen), [all_patients()[PLANTS.index(each)] for each in chosen], strict=True
    ):
        assert (made["disease"], made["layer"], made["step"]) == (
            *(kept.disease, kept.layer, kept.step),
        )
        assert made["found"][:5] == kept.found[:5]
        for name in ("spread", "gradient", "update"):
            np.testing.assert_allclose(made["charts"][name], kept.charts[name], rtol=0.02)
