"""Making maps: what is kept is not made again, what is finished outlives an interruption."""

import multiprocessing
import re
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool

import pytest

from streamer.cli import evaluate_jobs
from streamer.cli.evaluate_jobs import Workshop, make_maps
from streamer.cli.evaluate_runs import MapOptions, Run
from streamer.cli.evaluate_store import MapStore
from streamer.cli.options import EnvironmentFault, UsageFault
from streamer.config import Config
from streamer.evaluation.datasets import ImageClass, Sample, Truth

RUN = Run("base", (), Config())


@pytest.fixture(autouse=True)
def _blocks(monkeypatch, blocks):
    monkeypatch.setattr(evaluate_jobs, "open_configured_backbone", lambda _: blocks)


@pytest.fixture
def three(texture):
    paths = [texture(name, 80, 160) for name in ("a.png", "bb.png", "ccc.png")]
    return ImageClass("s", "c", tuple(Sample(path, Truth.UNKNOWN) for path in paths))


@pytest.fixture
def workshop(tmp_path):
    (tmp_path / "work").mkdir()

    def build(**more):
        options = MapOptions(stream=more.pop("stream", False))
        return Workshop(options, MapStore(tmp_path / "work"), **more)

    return build


class Heard:
    def __init__(self, stop_after=None):
        self.images, self.texts, self.stop_after = [], [], stop_after

    def __call__(self, images, text):
        self.images.append(images)
        self.texts.append(text)
        if self.stop_after is not None and sum(self.images) >= self.stop_after:
            raise KeyboardInterrupt


def test_each_image_is_a_job_of_its_own(three, workshop, blocks):
    heard = Heard()
    finished = make_maps(RUN, [three], workshop(), heard)
    jobs = finished.jobs["s", "c"]
    assert [job.paths for job in jobs] == [(sample.image,) for sample in three.samples]
    assert all(job.file.is_file() for job in jobs)
    assert heard.images == [0, 1, 1, 1]
    assert heard.texts[-1] == f"base: {three.samples[2].image}"
    assert finished.spec is blocks.spec
    assert blocks.closed


def test_a_web_is_one_job(three, workshop):
    heard = Heard()
    finished = make_maps(RUN, [three], workshop(stream=True), heard)
    (job,) = finished.jobs["s", "c"]
    assert job.paths == tuple(sample.image for sample in three.samples)
    assert heard.images == [0, 3]
    assert len(MapStore(job.file.parent).load(job.file).maps) == 3


def test_a_pattern_parts_the_webs_of_a_class(texture, tmp_path):
    names = ("r1_a.png", "r1_b.png", "r2_a.png", "x.png")
    paths = [texture(name, 80, 160) for name in names]
    one = ImageClass("s", "c", tuple(Sample(path, Truth.UNKNOWN) for path in paths))
    options = MapOptions(stream=True, web_pattern=re.compile(r"^r(\d)_"))
    (tmp_path / "work").mkdir()
    finished = make_maps(RUN, [one], Workshop(options, MapStore(tmp_path / "work")), Heard())
    groups = [[path.name for path in job.paths] for job in finished.jobs["s", "c"]]
    assert groups == [["r1_a.png", "r1_b.png"], ["r2_a.png"], ["x.png"]]


def test_an_interruption_leaves_what_is_finished(three, workshop, blocks):
    with pytest.raises(KeyboardInterrupt):
        make_maps(RUN, [three], workshop(), Heard(stop_after=2))
    assert blocks.closed
    heard = Heard()
    make_maps(RUN, [three], workshop(), heard)
    assert heard.images == [2, 1]


def test_kept_maps_cost_no_call_of_the_backbone(three, workshop, blocks):
    make_maps(RUN, [three], workshop(), Heard())
    calls = blocks.calls
    make_maps(RUN, [three], workshop(), Heard())
    assert blocks.calls == calls
    make_maps(RUN, [three], workshop(fresh=True), Heard())
    assert blocks.calls > calls


def test_another_configuration_has_maps_of_its_own(three, workshop):
    other = Run("other", (), Config(scoring={"levels": 8}))
    files = [
        {job.file for job in make_maps(run, [three], workshop(), Heard()).jobs["s", "c"]}
        for run in (RUN, other)
    ]
    assert not files[0] & files[1]


def test_a_fault_of_the_run_stops_it_and_names_the_folder(three, workshop, tmp_path):
    (tmp_path / "p").write_bytes(b"no profile")
    bad = Run("bad", (), Config(profile={"file": tmp_path / "p"}))
    with pytest.raises(UsageFault, match=f"{tmp_path}.*profile"):
        make_maps(bad, [three], workshop(), Heard())


def test_a_process_that_is_killed_is_a_fault_of_the_machine(three, workshop, monkeypatch):
    class Pool:
        def __init__(self, *_):
            pass

        def submit(self, _make, _job):
            future = Future()
            future.set_exception(BrokenProcessPool())
            return future

        def shutdown(self, **_):
            pass

    monkeypatch.setattr(evaluate_jobs, "ProcessPoolExecutor", Pool)
    with pytest.raises(EnvironmentFault, match="processes of --jobs must live"):
        make_maps(RUN, [three], workshop(jobs=2), Heard())


def test_processes_start_afresh_and_share_the_work(three, workshop, monkeypatch):
    """What the pool is told; that it gives the same figures is tested with the command."""
    asked = {}

    class Pool:
        def __init__(self, workers, context, start, arguments):
            asked.update(workers=workers, method=context.get_start_method())
            before = evaluate_jobs.signal.getsignal(evaluate_jobs.signal.SIGINT)
            start(*arguments)
            asked["ignored"] = evaluate_jobs.signal.getsignal(evaluate_jobs.signal.SIGINT)
            evaluate_jobs.signal.signal(evaluate_jobs.signal.SIGINT, before)

        def submit(self, make, job):
            future = Future()
            future.set_result(make(job))
            return future

        def shutdown(self, **how):
            asked.update(how)

    monkeypatch.setattr(evaluate_jobs, "ProcessPoolExecutor", Pool)
    heard = Heard()
    finished = make_maps(RUN, [three], workshop(jobs=8), heard)
    assert all(job.file.is_file() for job in finished.jobs["s", "c"])
    assert asked == {
        "workers": 3,
        "method": "spawn",
        "ignored": evaluate_jobs.signal.SIG_IGN,
        "wait": True,
        "cancel_futures": True,
    }
    assert sorted(heard.images) == [0, 1, 1, 1]
    assert multiprocessing.active_children() == []
