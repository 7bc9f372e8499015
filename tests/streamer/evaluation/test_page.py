"""The page loads nothing, shows every figure, and escapes what people name their files."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.evaluation.gallery import Case
from streamer.evaluation.page import (
    COLOURS,
    ClassCurves,
    Exhibit,
    PageContent,
    figure_text,
    render_page,
    short_text,
    signed_text,
    stroke_of,
)

TIMES = ("backbone", "scoring", "backbone_cpu", "scoring_cpu")
VOID = {"meta", "img", "br", "rect", "line", "path", "circle"}


class Checker(HTMLParser):
    """Every tag that is opened is closed in its turn."""

    def __init__(self):
        super().__init__()
        self.open, self.loaded = [], []

    def handle_starttag(self, tag, attributes):
        if tag not in VOID:
            self.open.append(tag)
        self.loaded += [v for k, v in attributes if k in ("src", "href")]

    def handle_startendtag(self, tag, attributes):
        self.loaded += [v for k, v in attributes if k in ("src", "href")]

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag


def estimate(value, low=None, high=None):
    return {"value": value, "low": low, "high": high}


def run(name, auroc=0.91234, **more):
    figures = {"auroc": estimate(auroc, 0.88, 0.93), "image_auroc": estimate(None)}
    one = {
        "images": 7,
        "defective": 5,
        "regions": 9,
        "regions_masked": 2,
        "low_rates_from": "normal pixels of all images",
        "figures": figures,
    }
    return {
        "name": name,
        "settings": ["scoring.method=fca"],
        "config": {"scoring": {"method": name}},
        "config_digest": "c" * 64,
        "maps_digest": "d" * 64,
        "backbone": {"name": "blocks", "engine": "torch:cpu", "digest": "e" * 64},
        "mean": figures,
        "seconds_per_mpix": dict.fromkeys(TIMES, 0.25),
        "sets": {"lace": {"mean": figures, "classes": {"red": one}}},
        **more,
    }


def document(*runs, errors=()):
    return {
        "linescan": "1.2.3",
        "protocol": {
            "crop_share": 0.1,
            "false_area": 0.005,
            "stream": False,
            "normalised": False,
            "seed": 0,
            "resamples": 200,
        },
        "machine": {"processor": "A CPU", "cores": "2 usable of 2"},
        "packages": {"torch": "2.13", "absent": ""},
        "datasets": [{"set": "lace", "class": "red", "images": 7, "boxes": True}],
        "runs": list(runs),
        "errors": list(errors),
    }


def page(*runs, errors=(), curves=(), gallery=()):
    text = render_page(PageContent(document(*runs, errors=errors), curves, gallery))
    checker = Checker()
    checker.feed(text)
    assert checker.open == []
    return text, checker.loaded


def test_figures_with_their_intervals():
    text, loaded = page(run("base"))
    assert "0.9123" in text
    assert ".880–.930" in text
    assert "2 masked" in text
    assert loaded == []
    assert "default-src 'none'" in text


def test_undefined_figures_are_dashes():
    text, _ = page(run("base"))
    assert "None" not in re.sub(r"<pre>.*?</pre>", "", text, flags=re.DOTALL)
    assert "nan" not in text.lower().replace("scanning", "")


def test_differences_are_marked_when_their_interval_leaves_out_zero():
    better = {"base": 0.8, "form": 0.9, "difference": 0.1, "low": 0.05, "high": 0.2}
    unsure = {"base": 0.8, "form": 0.81, "difference": 0.01, "low": -0.05, "high": 0.2}
    against = {"mean": {"auroc": better, "ap": unsure}, "sets": {"lace": {"auroc": better}}}
    text, _ = page(run("base"), run("other", against_base=against))
    assert '<span class="better">+0.1000</span>' in text
    assert '<span class="">+0.0100</span>' in text
    assert "+.050 to +.200" in text


def test_curves_have_the_stroke_of_their_run():
    names = ["base", *(f"other{number}" for number in range(1, 20))]
    paths = {name: {"roc": f"M0 140L{number} 0"} for number, name in enumerate(names)}
    against = {"mean": {}, "sets": {}}
    runs = run("base"), *(run(name, against_base=against) for name in names[1:])
    text, _ = page(*runs, curves=[ClassCurves("lace", "red", paths)])
    key = re.findall(r'<path d="M0 2L30 2" (stroke="#\w+" stroke-dasharray="[^"]+")', text)
    drawn = re.findall(r'fill="none" (stroke="#\w+" stroke-dasharray="[^"]+")', text)
    assert drawn == key
    assert len(set(drawn)) == len(names)
    assert drawn[0] == f'stroke="{COLOURS[0]}" stroke-dasharray="none"'


@given(st.integers(0, 500), st.integers(0, 500))
def test_no_two_runs_are_drawn_alike(one, other):
    assert (stroke_of(one) == stroke_of(other)) == (one == other)


def test_the_gallery_shows_pictures_and_maps():
    shown = Case("lace", "red", "images/a.png", True, 0.5, "AUROC", 1.0)
    exhibit = Exhibit(
        shown, "data:image/jpeg;base64,AA", {"base": "data:image/jpeg;base64,BB"}, False
    )
    text, loaded = page(run("base"), gallery=[("Defects found worst", [exhibit])])
    assert loaded == ["data:image/jpeg;base64,AA", "data:image/jpeg;base64,BB"]
    assert "AUROC 0.500" in text


def test_names_and_faults_are_escaped():
    text, _ = page(run("<b>bold</b>"), errors=["<script>x</script>.png: image must be readable"])
    assert "<script>" not in text
    assert "<b>bold" not in text
    assert "&lt;script&gt;x" in text


def test_without_a_mask_it_says_why_there_are_no_figures():
    bare = run("base") | {"mean": {}, "sets": {}}
    assert "no image has a mask with a defect" in page(bare)[0]


@pytest.mark.parametrize(
    ("value", "figure", "short", "signed"),
    [(0.5, "0.5000", ".500", "+0.5000"), (1.0, "1.0000", "1.000", "+1.0000"), (None, *"–––")],
)
def test_numbers(value, figure, short, signed):
    assert (figure_text(value), short_text(value), signed_text(value)) == (figure, short, signed)
