"""Maps meet their truth: masks of every kind, and that all runs are judged on the same images."""

import cv2
import numpy as np
import pytest

from streamer.cli.evaluate_jobs import Finished, Job
from streamer.cli.evaluate_maps import ImageMap, Maps
from streamer.cli.evaluate_store import MapStore
from streamer.cli.evaluate_truth import Exam, MapShelf, TruthReader, judge_runs, read_mask
from streamer.cli.options import EnvironmentFault
from streamer.evaluation.class_figures import Protocol
from streamer.evaluation.datasets import ImageClass, Sample, Truth
from streamer.evaluation.summary import Resampling, Seconds

SHAPE = (80, 96)


def flaw(shape=SHAPE, inside=True):
    mask = np.zeros(shape, np.uint8)
    mask[40:56, 40:56] = 255 if inside else 0
    mask[:2] = 0 if inside else 255
    return mask


@pytest.fixture
def samples(tmp_path):
    """Two flaws, one image that is clean by declaration, one of unknown truth."""
    masks = [tmp_path / "m0.png", tmp_path / "m1.png"]
    for mask in masks:
        cv2.imwrite(str(mask), flaw())
    return (
        Sample(tmp_path / "images/0.png", Truth.MASK, masks[0]),
        Sample(tmp_path / "images/1.png", Truth.MASK, masks[1]),
        Sample(tmp_path / "images/2.png", Truth.CLEAN),
        Sample(tmp_path / "images/3.png", Truth.UNKNOWN),
    )


def shelf(tmp_path, samples, name="run", contrast=0.5, faults=()):
    """Maps of the samples as a run has left them."""
    store, jobs = MapStore(tmp_path), []
    for number, sample in enumerate(samples):
        scores = np.random.default_rng(number).random((10, 12)).astype(np.float32)
        scores[5:7, 5:7] += np.float32(contrast)
        entry = ImageMap(str(sample.image), SHAPE, scores, 8, 9, 0.5, 0.25, 0.4, 0.2)
        file = tmp_path / f"{name}{number}.npz"
        store.save(file, Maps((entry,), faults if number == 0 else ()))
        jobs.append(Job((sample.image,), file))
    return MapShelf(store, Finished({("s", "c"): tuple(jobs)}, name, None))


def exam(samples):
    one = ImageClass("s", "c", tuple(samples))
    return Exam((one,), {("s", "c"): Protocol()}, Resampling(resamples=5))


class TestMasks:
    def test_any_value_over_0_is_a_defect(self, tmp_path):
        mask = flaw()
        mask[mask > 0] = 1
        cv2.imwrite(str(tmp_path / "m.png"), mask)
        found = read_mask(Sample(tmp_path / "i.png", Truth.MASK, tmp_path / "m.png"), SHAPE)
        assert np.array_equal(found, mask)

    def test_colour_masks_count_in_any_channel(self, tmp_path):
        colours = np.zeros((*SHAPE, 3), np.uint8)
        colours[..., 1] = flaw()
        cv2.imwrite(str(tmp_path / "m.png"), colours)
        found = read_mask(Sample(tmp_path / "i.png", Truth.MASK, tmp_path / "m.png"), SHAPE)
        assert np.array_equal(found > 0, flaw() > 0)

    def test_a_declared_clean_image_has_an_empty_one(self, samples):
        assert not read_mask(samples[2], SHAPE).any()

    @pytest.mark.parametrize(("inside", "expected"), [(True, True), (False, False)])
    def test_a_defect_counts_within_the_crop(self, tmp_path, inside, expected):
        cv2.imwrite(str(tmp_path / "m.png"), flaw(inside=inside))
        sample = Sample(tmp_path / "i.png", Truth.MASK, tmp_path / "m.png")
        assert TruthReader([]).has_defect(sample, SHAPE, 0.1) is expected

    def test_damage_is_named_and_makes_the_truth_unknown(self, samples):
        samples[0].mask.write_bytes(b"no image")
        reader = TruthReader([])
        assert reader.has_defect(samples[0], SHAPE, 0.1) is None
        assert reader.faults[0].startswith(str(samples[0].mask))

    def test_another_size_is_named(self, samples):
        reader = TruthReader([])
        assert reader.has_defect(samples[0], (80, 100), 0.1) is None
        assert "mask must be 80 x 100 as its image, got 80 x 96" in reader.faults[0]

    def test_unknown_is_no_fault(self, samples):
        reader = TruthReader([])
        assert reader.has_defect(samples[3], SHAPE, 0.1) is None
        assert reader.faults == []


class TestRuns:
    def test_images_of_known_truth_are_judged(self, tmp_path, samples):
        told = []
        found = judge_runs({"run": shelf(tmp_path, samples)}, exam(samples), told.append)
        assert told == ["figures of s"]
        (run,) = found.runs
        images = run.sets["s"].classes["c"].images
        assert [image.name for image in images] == ["images/0.png", "images/1.png", "images/2.png"]
        assert [image.is_defective for image in images] == [True, True, False]
        assert found.faults == ()
        megapixels = 4 * SHAPE[0] * SHAPE[1] / 1e6
        assert run.seconds["s", "c"] == Seconds(
            2.0, 1.0, pytest.approx(megapixels), pytest.approx(1.6), pytest.approx(0.8)
        )

    def test_all_runs_are_judged_on_the_images_that_each_of_them_has(self, tmp_path, samples):
        full, lacking = shelf(tmp_path, samples), shelf(tmp_path, samples[1:], "other")
        found = judge_runs({"full": full, "lacking": lacking}, exam(samples))
        counts = [len(run.sets["s"].classes["c"].images) for run in found.runs]
        assert counts == [2, 2]

    def test_a_sharper_map_is_better(self, tmp_path, samples):
        shelves = {
            name: shelf(tmp_path, samples, name, contrast)
            for name, contrast in (("blunt", 0.1), ("sharp", 1.0))
        }
        blunt, sharp = judge_runs(shelves, exam(samples)).runs
        assert sharp.mean["auroc"][0] > blunt.mean["auroc"][0]

    def test_the_same_fault_of_two_runs_is_told_once(self, tmp_path, samples):
        shelves = {n: shelf(tmp_path, samples, n, faults=("x.png: cut",)) for n in ("a", "b")}
        assert judge_runs(shelves, exam(samples)).faults == ("x.png: cut",)

    def test_without_a_known_truth_there_are_no_figures(self, tmp_path, samples):
        (run,) = judge_runs({"run": shelf(tmp_path, samples[3:])}, exam(samples[3:])).runs
        assert run.sets == {}
        assert run.mean == {}

    def test_maps_that_vanish_in_between_are_named(self, tmp_path, samples):
        gone = shelf(tmp_path, samples)
        (tmp_path / "run1.npz").unlink()
        with pytest.raises(EnvironmentFault, match=r"run1.npz: maps must stay where they are"):
            judge_runs({"run": gone}, exam(samples))


def test_sets_keep_the_order_in_which_they_came():
    classes = [ImageClass(s, c, ()) for s, c in (("t", "a"), ("s", "b"), ("t", "c"))]
    grouped = Exam(tuple(classes), {}, Resampling()).sets()
    assert {name: [one.name for one in members] for name, members in grouped.items()} == {
        "t": ["a", "c"],
        "s": ["b"],
    }
