from typing import get_args

import pytest

from streamer import config
from streamer.config import Scoring
from streamer.scoring import open_scorer
from streamer.scoring.fca import FcaExact, FcaFast


def test_methods_open_by_name_with_what_is_configured() -> None:
    fast = open_scorer(Scoring(method="fca_fast", patch_size=5, levels=8, window_stride=1))
    assert fast == FcaFast(5, 8, 1, 0.8)
    exact = open_scorer(Scoring(method="fca", patch_size=7, sigma_s=None, ties="first"))
    assert exact == FcaExact(7, 3.0, None, "first")


@pytest.mark.parametrize("name", get_args(config.Method))
def test_every_name_of_the_configuration_opens(name) -> None:
    assert open_scorer(Scoring(method=name)).name == name


def test_unknown_method_is_a_defect_of_the_program() -> None:
    unchecked = Scoring().model_copy(update={"method": "other"})
    with pytest.raises(AssertionError, match="other"):
        open_scorer(unchecked)
