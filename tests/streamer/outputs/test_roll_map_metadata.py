"""OME-NGFF 0.5 metadata: the rules of the specification, held against what is written."""

import numpy as np
import pytest
import zarr

from streamer.outputs.roll_map import MapFormat, RollMap
from streamer.outputs.roll_map_coverage import COVERAGE_CODES
from streamer.outputs.roll_map_labels import Labelling, write_labels

FORM = MapFormat("roll7", 300, 8, 0.5, 0.25)
IMAGES = ("", "labels/coverage", "labels/defects")


@pytest.fixture(scope="module")
def group(tmp_path_factory):
    folder = tmp_path_factory.mktemp("roll")
    roll_map = RollMap(folder, FORM)
    roll_map.append(np.zeros((70, 300), np.float32))
    roll_map.close()
    write_labels(folder, Labelling((), (), 0.6))
    return zarr.open_group(folder / "map.zarr", mode="r")


def image(group, path):
    return group[path] if path else group


@pytest.mark.parametrize("path", IMAGES)
def test_the_multiscale_keeps_the_rules_of_the_specification(group, path):
    ome = image(group, path).attrs["ome"]
    assert ome["version"] == "0.5"
    (multiscale,) = ome["multiscales"]
    assert {"name", "type", "metadata"} <= set(multiscale)  # the strict form asks for them
    axes = multiscale["axes"]
    assert [(a["name"], a["type"], a["unit"]) for a in axes] == [
        ("y", "space", "millimeter"),
        ("x", "space", "millimeter"),
    ]
    for dataset in multiscale["datasets"]:
        array = image(group, path)[dataset["path"]]
        assert array.metadata.dimension_names == ("y", "x")
        assert array.metadata.zarr_format == 3
        kinds = [t["type"] for t in dataset["coordinateTransformations"]]
        assert kinds == ["scale", "translation"]  # one scale; a translation only after it
        assert all(len(t[t["type"]]) == 2 for t in dataset["coordinateTransformations"])


@pytest.mark.parametrize("path", IMAGES)
def test_levels_are_listed_from_fine_to_coarse(group, path):
    (multiscale,) = image(group, path).attrs["ome"]["multiscales"]
    arrays = [image(group, path)[dataset["path"]] for dataset in multiscale["datasets"]]
    assert sorted(image(group, path).array_keys()) == [d["path"] for d in multiscale["datasets"]]
    assert arrays[0].shape == (70, 300)
    sizes = [array.size for array in arrays]
    assert sizes == sorted(sizes, reverse=True)


def test_cells_of_all_levels_lie_on_the_same_web(group):
    datasets = group.attrs["ome"]["multiscales"][0]["datasets"]
    for number, dataset in enumerate(datasets[:4]):
        scale, translation = (t[t["type"]] for t in dataset["coordinateTransformations"])
        wide = min(number, 2)  # 300, 150, 75 columns, and no narrower
        assert scale == [2.0 * 2**number, 4.0 * 2**wide]
        # The first cell begins at 0 mm: its centre is half of it further on.
        assert translation == [side / 2 for side in scale]


def test_labels_are_listed_and_belong_to_the_scores(group):
    assert group["labels"].attrs["ome"] == {"version": "0.5", "labels": ["coverage", "defects"]}
    count = len(group.attrs["ome"]["multiscales"][0]["datasets"])
    for name in ("coverage", "defects"):
        ome = group[f"labels/{name}"].attrs["ome"]
        assert len(ome["multiscales"][0]["datasets"]) == count
        assert ome["image-label"]["source"] == {"image": "../../"}
        assert np.issubdtype(group[f"labels/{name}/0"].dtype, np.integer)


def test_the_table_of_codes_is_in_the_label(group):
    attributes = group["labels/coverage"].attrs
    assert attributes["codes"] == COVERAGE_CODES
    label = attributes["ome"]["image-label"]
    assert {p["status"]: p["label-value"] for p in label["properties"]} == COVERAGE_CODES
    values = [colour["label-value"] for colour in label["colors"]]
    assert sorted(values) == sorted(COVERAGE_CODES.values())  # colours and properties agree
    for colour in label["colors"]:
        assert len(colour["rgba"]) == 4
        assert all(0 <= channel <= 255 for channel in colour["rgba"])
