"""Makes the maps that `linescan evaluate` lacks, in this process or in several; judges none."""

from __future__ import annotations

import multiprocessing
import signal
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamer.cli.evaluate_maps import score_stills, warm_up
from streamer.cli.evaluate_runs import run_digest
from streamer.cli.evaluate_store import MapStore
from streamer.cli.evaluate_web import score_web
from streamer.cli.inspect import open_configured_backbone
from streamer.cli.options import EnvironmentFault, UsageFault
from streamer.scoring.fca import use_threads
from streamer.scoring.kernel_gate import require_kernels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from streamer.cli.evaluate_maps import Maps
    from streamer.cli.evaluate_runs import MapOptions, Run
    from streamer.config import Config
    from streamer.evaluation.datasets import ImageClass
    from streamer.ports import Backbone, BackboneSpec


@dataclass(frozen=True, slots=True)
class Workshop:
    """How maps are made and where they are kept; `fresh`: kept ones are made anew."""

    options: MapOptions
    store: MapStore
    jobs: int = 1
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """Images that are scored together, and the file for their maps."""

    paths: tuple[Path, ...]
    file: Path


@dataclass(frozen=True, slots=True)
class Finished:
    """The jobs of a run by class, its digest, and the backbone that it was made with."""

    jobs: dict[tuple[str, str], tuple[Job, ...]]
    digest: str
    spec: BackboneSpec


Advance = "Callable[[int, str], None]"


def make_maps(
    run: Run, classes: Sequence[ImageClass], workshop: Workshop, advance: Callable[[int, str], None]
) -> Finished:
    """Make the maps of a run that are not kept; `advance` hears of each finished job.

    What is finished is kept at once, so that an interruption loses only what is under way.

    Raises:
        UsageFault: the run does not fit its backbone or profile, or the images to a web.
        EnvironmentFault, KernelError: this machine cannot run it.
    """
    require_kernels(run.config)
    with closing(open_configured_backbone(run.config)) as backbone:
        digest = _digest(run, backbone.spec, workshop.options)
        jobs = {(one.set_name, one.name): tuple(_jobs_of(one, digest, workshop)) for one in classes}
        pending = [job for of_class in jobs.values() for job in of_class if _lacks(job, workshop)]
        ready = sum(len(job.paths) for of_class in jobs.values() for job in of_class)
        advance(ready - sum(len(job.paths) for job in pending), f"{run.name}: kept maps")
        if workshop.jobs == 1 or len(pending) <= 1:
            use_threads(run.config.scoring.threads)
            if pending:
                warm_up(run.config, backbone)
            for job in pending:
                _make(job, run.config, backbone, workshop)
                advance(len(job.paths), f"{run.name}: {job.paths[0]}")
            pending = []
        spec = backbone.spec
    for job in _in_processes(run, pending, workshop):
        advance(len(job.paths), f"{run.name}: {job.paths[0]}")
    return Finished(jobs, digest, spec)


def _digest(run: Run, spec: BackboneSpec, options: MapOptions) -> str:
    try:
        return run_digest(run, spec, options)
    except OSError as error:
        msg = f"{run.config.profile.file}: profile must be readable, got {error.strerror}"
        raise UsageFault(msg) from None


def _jobs_of(one: ImageClass, digest: str, workshop: Workshop) -> Iterator[Job]:
    paths = [sample.image for sample in one.samples]
    groups = _webs(paths, workshop.options) if workshop.options.stream else [[p] for p in paths]
    for group in groups:
        yield Job(tuple(group), workshop.store.file(digest, group))


def _webs(paths: Sequence[Path], options: MapOptions) -> list[list[Path]]:
    """The images of a class by the web that they belong to, in their order."""
    webs: dict[str, list[Path]] = {}
    for path in paths:
        webs.setdefault(options.web_of(path.stem), []).append(path)
    return list(webs.values())


def _lacks(job: Job, workshop: Workshop) -> bool:
    return workshop.fresh or workshop.store.load(job.file) is None


def _make(job: Job, config: Config, backbone: Backbone, workshop: Workshop) -> None:
    workshop.store.save(job.file, _score(job, config, backbone, workshop.options))


def _score(job: Job, config: Config, backbone: Backbone, options: MapOptions) -> Maps:
    make = score_web if options.stream else score_stills
    try:
        return make(job.paths, config, backbone, normalised=options.normalised)
    except (OSError, ValueError) as error:  # of the run: faults of images are values
        msg = f"{job.paths[0].parent}: {error}"
        raise UsageFault(msg) from None


@dataclass(slots=True)
class _Worker:
    """What a process of the pool holds for all of its jobs."""

    config: Config
    workshop: Workshop
    backbone: Backbone


_WORKER: list[_Worker] = []


def _in_processes(run: Run, jobs: Sequence[Job], workshop: Workshop) -> Iterator[Job]:
    """The jobs as they finish; each process opens its own backbone.

    Raises:
        EnvironmentFault: a process died.
    """
    if not jobs:
        return
    pool = ProcessPoolExecutor(
        min(workshop.jobs, len(jobs)),
        multiprocessing.get_context("spawn"),
        _start_worker,
        (run.config, workshop),
    )
    try:
        waiting = {pool.submit(_make_in_worker, job): job for job in jobs}
        for future in as_completed(waiting):
            future.result()
            yield waiting[future]
    except BrokenProcessPool:
        msg = "processes of --jobs must live, got one that was killed; use fewer, memory may lack"
        raise EnvironmentFault(msg) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _start_worker(config: Config, workshop: Workshop) -> None:
    # Ctrl-C reaches the whole group: the parent ends the pool, after the jobs under way.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    use_threads(config.scoring.threads)
    backbone = open_configured_backbone(config)
    warm_up(config, backbone)
    _WORKER[:] = [_Worker(config, workshop, backbone)]


def _make_in_worker(job: Job) -> None:
    worker = _WORKER[0]
    _make(job, worker.config, worker.backbone, worker.workshop)
