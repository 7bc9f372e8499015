import cv2
import numpy as np
import pytest
from clean_scores import (
    clean_images,
    real_folds,
    remember,
    simulated_config,
    simulated_scores,
    web_tiles,
)

from streamer.config import Config

TORCH = {"engine": "torch", "threads": 1}


def write(folder, name: str, seed: int, mask: int | None = None) -> None:
    image = np.random.default_rng(seed).integers(0, 255, (160, 160), np.uint8)
    for kind, pixels in (("images", image), ("masks", None if mask is None else image * 0 + mask)):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        if pixels is not None:
            cv2.imwrite(str(folder / kind / name), pixels)


def test_clean_is_what_the_source_says(tmp_path) -> None:
    write(tmp_path, "a.png", 1, mask=0)
    write(tmp_path, "b.png", 2, mask=255)
    write(tmp_path, "c.png", 3)
    assert [path.name for path in clean_images(tmp_path)] == ["a.png"]


def test_folds_learn_from_other_images(tmp_path) -> None:
    for index in range(2):
        write(tmp_path / "aitex" / "fabric00", f"{index}.png", index, mask=0)
    write(tmp_path / "brodatz" / "clean", "D1.png", 7)
    folds = list(real_folds(tmp_path, Config.model_validate({"backbone": TORCH})))
    assert [fold.name for fold in folds] == [
        "aitex/fabric00 strip 0",
        "aitex/fabric00 strip 1",
        "D1",
    ]
    assert [f.fresh[0].shape for f in folds] == [(20, 20), (20, 20), (10, 20)]
    first, second = folds[:2]
    assert not np.array_equal(first.learnt[0], second.fresh[0])  # other references
    assert np.isfinite(first.fresh[0]).all()


def test_a_folder_without_clean_images_is_told(tmp_path) -> None:
    chosen = Config.model_validate({"backbone": TORCH})
    with pytest.raises(FileNotFoundError, match="data must hold clean images, got none"):
        list(real_folds(tmp_path, chosen))


def test_simulated_webs_hold_no_defect_and_are_scored_tile_by_tile() -> None:
    chosen = simulated_config("fabric", 1, 1.0, 256)
    assert chosen.source.defects_per_m == 0
    fast = chosen.model_copy(update={"backbone": chosen.backbone.model_copy(update=TORCH)})
    scores = simulated_scores(fast)
    tiles = list(web_tiles(fast))
    assert [s.shape[0] for s in scores] == [-(-t.line_count // 8) for t in tiles]
    assert sum(t.line_count for t in tiles) == 2000
    assert {s.shape[1] for s in scores} == {32}


def test_scores_are_made_once(tmp_path) -> None:
    calls = []

    def make() -> tuple[np.ndarray, ...]:
        calls.append(1)
        return np.zeros((2, 3), np.float32), np.ones((1, 3), np.float32)

    file = tmp_path / "cache" / "scores.npz"
    for _ in range(2):
        kept = remember(file, make)
        assert [array.shape for array in kept] == [(2, 3), (1, 3)]
        assert kept[1].all()
    assert len(calls) == 1
    assert [path.name for path in file.parent.iterdir()] == ["scores.npz"]
