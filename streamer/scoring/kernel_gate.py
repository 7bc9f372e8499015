"""Whether the kernel that would score is one that may; scores nothing, imports torch only then."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from streamer.scoring.faults import KernelError

if TYPE_CHECKING:
    from kernels import Running
    from streamer import config
    from streamer.scoring.method import Method

VARIABLE = "LINESCAN_KERNEL"  # as in kernels.compiled, which would import torch for it


def require_kernels(settings: config.Config) -> None:
    """Refuse to score on what `kernels.require` rules out, before anything has started.

    Raises:
        KernelError: what must hold, what was found, and the next step.
    """
    if settings.kernels.require == "any" and VARIABLE not in os.environ:
        return
    found = scoring_kernel(settings)
    if settings.kernels.require == "any" or found.is_compiled:
        return
    raise KernelError(_refusal(settings, found))


def scoring_kernel(settings: config.Config) -> Running:
    """What would run the configured method here, on the device that computes the features.

    Raises:
        KernelError: LINESCAN_KERNEL names a kernel that is not there.
    """
    from streamer.scoring import open_scorer

    try:
        return running_kernel(open_scorer(settings.scoring), _device(settings.backbone))
    except ValueError as error:
        raise KernelError(str(error)) from None


def running_kernel(method: Method, device: str) -> Running:
    """What runs `method` on the tensors of `device`.

    Raises:
        ValueError: LINESCAN_KERNEL names a kernel that is not there.
    """
    import kernels

    if method.kernel is not None:
        return kernels.running(method.kernel, method.patch_size, device)
    kernels.backends()  # What is learnt may come from one all the same.
    reason = f"{method.name} is written in torch and has no compiled kernel"
    return kernels.Running(
        method.name, device, "reference", reason, "choose scoring.method: fca_fast or fca"
    )


def _device(settings: config.Backbone) -> str:
    """Only torch leaves features where it computed them; the other engine hands out CPU arrays."""
    import torch

    wanted = settings.engine == "torch" and settings.provider == "cuda"
    return "cuda" if wanted and torch.cuda.is_available() else "cpu"


def _refusal(settings: config.Config, found: Running) -> str:
    import kernels

    backends = kernels.backends().get(found.operator, {found.device: found.path})
    steps = [found.remedy] if found.remedy else []
    steps.append("set kernels.require: any")
    return (
        f"{found.operator} (scoring.method: {settings.scoring.method}) must run in a compiled "
        f"kernel as kernels.require: native says, got {found.path} on {found.device}: "
        f"{found.reason} (backends: {backends}; "
        f"library: {kernels.load_native().reason}); {', or '.join(steps)}"
    )
