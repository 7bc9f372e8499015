"""Folders as people have them: three depths, two layouts, marks of boxes, and what is refused."""

from pathlib import Path

import pytest

from streamer.evaluation.datasets import ImageClass, Sample, Truth, find_classes, stray_masks


def make(root, *files):
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


@pytest.fixture
def lace(tmp_path):
    """A set of two classes."""
    files = ["lace/red/images/b.png", "lace/red/images/a.tif", "lace/red/masks/a.png"]
    make(tmp_path, *files, "lace/blue/images/c.jpg", "lace/blue/masks/c.jpg", "lace/notes.txt")
    return tmp_path / "lace"


def names(classes):
    return [(one.set_name, one.name, len(one.samples)) for one in classes]


class TestDepths:
    def test_a_class(self, lace):
        assert names(find_classes([lace / "red"])) == [("lace", "red", 2)]

    def test_a_set(self, lace):
        assert names(find_classes([lace])) == [("lace", "blue", 1), ("lace", "red", 2)]

    def test_a_folder_of_sets(self, lace):
        make(lace.parent, "tiles/one/images/x.bmp")
        expected = [("lace", "blue", 1), ("lace", "red", 2), ("tiles", "one", 1)]
        assert names(find_classes([lace.parent])) == expected

    def test_several_folders_keep_their_order(self, lace):
        found = find_classes([lace / "red", lace / "blue"])
        assert [one.name for one in found] == ["red", "blue"]

    def test_the_present_folder(self, lace, monkeypatch):
        monkeypatch.chdir(lace / "red")
        assert names(find_classes([Path()])) == [("lace", "red", 2)]


class TestTruth:
    def test_images_in_the_order_of_their_names_with_their_masks(self, lace):
        (red,) = find_classes([lace / "red"])
        first, second = red.samples
        assert first == Sample(lace / "red/images/a.tif", Truth.MASK, lace / "red/masks/a.png")
        assert (second.truth, second.mask) == (Truth.UNKNOWN, None)
        assert first.name == "images/a.tif"

    def test_images_alone_are_a_class_whose_truth_is_unknown(self, tmp_path):
        make(tmp_path, "mine/web1.png", "mine/web2.PNG", "mine/list.csv")
        (mine,) = find_classes([tmp_path / "mine"])
        assert {sample.truth for sample in mine.samples} == {Truth.UNKNOWN}
        assert len(mine.samples) == 2

    def test_mvtec(self, tmp_path):
        files = ["good/000.png", "cut/000.png", "cut/001.png"]
        make(tmp_path, *(f"mv/carpet/test/{name}" for name in files), "mv/carpet/train/good/0.png")
        make(tmp_path, "mv/carpet/ground_truth/cut/000_mask.png")
        (carpet,) = find_classes([tmp_path / "mv"])
        assert (carpet.set_name, carpet.name) == ("mv", "carpet")
        assert [(s.name, s.truth) for s in carpet.samples] == [
            ("cut/000.png", Truth.MASK),
            ("cut/001.png", Truth.UNKNOWN),
            ("good/000.png", Truth.CLEAN),
        ]

    def test_masks_without_an_image(self, lace):
        make(lace, "red/masks/z.png")
        (red,) = find_classes([lace / "red"])
        assert stray_masks(red.samples) == (lace / "red/masks/z.png",)

    def test_an_empty_class_is_not_taken_for_a_set(self, tmp_path):
        make(tmp_path, "set/a/masks/x.png", "set/b/images/y.png")
        (tmp_path / "set/a/images").mkdir()
        assert names(find_classes([tmp_path / "set"])) == [("set", "b", 1)]


class TestBoxes:
    def test_boxes_in_the_class_folder(self, lace):
        make(lace, "red/boxes.json")
        assert {one.name: one.boxes for one in find_classes([lace])} == {"red": True, "blue": False}

    def test_a_mark_in_the_folder_of_the_set(self, lace):
        make(lace, "BOXES")
        assert all(one.boxes for one in find_classes([lace]))
        assert find_classes([lace / "red"])[0].boxes

    def test_the_flag(self, lace):
        assert all(one.boxes for one in find_classes([lace], boxes=True))


class TestLimit:
    @pytest.mark.parametrize(("count", "kept"), [(2, [0, 5]), (10, list(range(10))), (None, None)])
    def test_evenly_spread(self, tmp_path, count, kept):
        samples = tuple(Sample(tmp_path / f"{n}.png", Truth.CLEAN) for n in range(10))
        limited = ImageClass("s", "c", samples, boxes=True).limited(count)
        assert limited.samples == tuple(samples[n] for n in (kept or range(10)))
        assert limited.boxes


class TestRefused:
    def test_no_folder(self, tmp_path):
        with pytest.raises(ValueError, match="nowhere: DATASET must hold images .*, got no folder"):
            find_classes([tmp_path / "nowhere"])

    def test_no_images(self, tmp_path):
        make(tmp_path, "set/class/readme.txt")
        with pytest.raises(ValueError, match=r"CLASS/images or CLASS/test/DEFECT, got none"):
            find_classes([tmp_path])

    def test_a_class_twice(self, lace):
        with pytest.raises(ValueError, match="must hold each class once, got lace/red again"):
            find_classes([lace, lace / "red"])
