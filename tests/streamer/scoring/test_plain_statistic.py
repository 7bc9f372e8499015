"""What statistics of one parameter share, and which of them say otherwise."""

import pytest

from streamer.config import Scoring
from streamer.scoring.aota import Aota, AotaOriginal
from streamer.scoring.grnr import Grnr
from streamer.scoring.histogram import Histogram
from streamer.scoring.moments import Moments
from streamer.scoring.plain_statistic import PlainStatistic

KINDS = {Aota: 4, Moments: 4, Histogram: 4, AotaOriginal: 3, Grnr: 2}  # reach at T = 9


@pytest.mark.parametrize(("kind", "reach"), KINDS.items())
def test_the_size_of_a_window_is_all_there_is_to_configure(kind, reach) -> None:
    made = kind.of(Scoring(patch_size=9))
    assert type(made) is kind
    assert made.parameters == {"patch_size": 9}
    assert made.kernel is None
    assert made.reach == reach


def test_only_the_same_statistic_is_equal() -> None:
    made = [kind(3) for kind in KINDS]
    assert all(isinstance(one, PlainStatistic) for one in made)
    assert all((one == other) == (one is other) for one in made for other in made)
    assert Moments(3) == Moments(3) != Moments(5)
