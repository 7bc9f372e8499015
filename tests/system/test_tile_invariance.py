"""Promise: with one profile for the web the stitched map does not depend on tiles or workers."""

import numpy as np
import pytest
import zarr

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]


def test_the_stitched_map_is_the_same_however_the_web_is_cut(start_line, tmp_path):
    profile = tmp_path / "web.safetensors"
    web = {"source__columns": 340, "source__length_m": 1.1, "source__clean_m": 0.3}
    made = start_line(command=("calibrate", "--out", str(profile), "--metres", "0.5"), **web)
    code, _, err = made.finish()
    assert code == 0, err
    cuts = [(512, 512, 1), (96, 64, 2), (256, 112, 1)]
    maps = []
    for n, (lines, columns, workers) in enumerate(cuts):
        line = start_line(
            roll__name=f"cut{n}",
            tiles__lines=lines,
            tiles__columns=columns,
            score__workers=workers,
            profile__file=profile,
            **web,
        )
        code, _, err = line.finish()
        assert code == 0, err
        maps.append(zarr.open_group(tmp_path / "rolls" / f"cut{n}" / "map.zarr")["0"][:])
    whole = maps[0]
    assert whole.shape == (275, 43)
    assert np.isfinite(whole).all()
    span = whole.max() - whole.min()
    for other in maps[1:]:
        difference = np.abs(other - whole) / span
        assert np.quantile(difference, 0.999) <= 1e-4
        assert difference.max() <= 1e-3
