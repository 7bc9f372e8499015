"""The factory: configuration in, backbone out."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Literal

import numpy as np
import pytest

from streamer import config
from streamer.backbones import installed, open_backbone
from streamer.backbones.faults import ProviderError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("engine", "running"),
    [("onnxruntime", "onnxruntime:CPUExecutionProvider"), ("torch", "torch:cpu")],
)
def test_engine_is_the_configured_one(
    cache: Path, engine: Literal["onnxruntime", "torch"], running: str
) -> None:
    backbone = open_backbone(config.Backbone(engine=engine, cache=cache, threads=1))
    assert backbone.spec.engine == running
    assert backbone.embed(np.zeros((16, 8), np.uint8)).shape == (240, 2, 1)
    backbone.close()


def test_missing_engine_is_a_provider_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "has_onnxruntime", lambda: False)
    with pytest.raises(ProviderError, match="pip install"):
        open_backbone(config.Backbone())


def test_torch_engine_does_not_import_onnxruntime() -> None:
    script = (
        "import sys; from streamer import config; from streamer.backbones import open_backbone\n"
        "open_backbone(config.Backbone(engine='torch', threads=1))\n"
        "sys.exit('onnxruntime' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_missing_openvino_is_a_provider_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "has_openvino", lambda: False)
    with pytest.raises(ProviderError, match=r"linescan\[cpu,openvino\]"):
        open_backbone(config.Backbone(engine="openvino"))


def test_openvino_is_checked_by_onnxruntime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "has_openvino", lambda: True)
    monkeypatch.setattr(installed, "has_onnxruntime", lambda: False)
    with pytest.raises(ProviderError, match="got 'onnxruntime' without the package"):
        open_backbone(config.Backbone(engine="openvino"))
