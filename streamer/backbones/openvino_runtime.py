"""Feature extractors on OpenVINO, compiled per size of tile; the only module that imports it."""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from streamer.backbones.faults import ProviderError
from streamer.backbones.model import load_model
from streamer.backbones.onnx_checks import probe_ports, require_radius
from streamer.backbones.onnx_session import start_session
from streamer.backbones.planes import to_planes
from streamer.ports import BackboneSpec

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from streamer import config
    from streamer.backbones.calibration_set import CalibrationSet
    from streamer.backbones.model import Model
    from streamer.backbones.onnx_checks import Ports
    from streamer.backbones.planes import Planes
    from streamer.message import PixelArray

SHAPES_KEPT = 4  # an inner lane, two outer ones, and one to spare; each holds its own buffers
_PROBE_CELLS = 9
_HINTS = {"fp32": "f32", "bf16": "bf16", "int8": "f32"}
_RUNNING = {"fp32": ("f32",), "bf16": ("bf16",), "int8": ("u8", "i8")}
_HEAVY = ("Convolution", "GroupConvolution", "MatMul", "FullyConnected")


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A model for one size of input, and what its heavy layers run in ("f32" -> how many)."""

    request: Any
    precisions: Counter[str]


class Compiler:
    """One model compiled for the sizes that come, the last `SHAPES_KEPT` of them kept.

    Static sizes are up to 7 % faster than one model for all (bf16), and compile in 0.1-0.2 s.
    """

    def __init__(self, onnx: bytes, ports: Ports, settings: config.Backbone) -> None:
        import openvino

        self._core = openvino.Core()
        self._model = self._core.read_model(onnx)
        self._input = ports.input
        self._options = {
            # The default on a CPU that can is bfloat16, whatever the model says.
            "INFERENCE_PRECISION_HINT": _HINTS[settings.precision],
            "INFERENCE_NUM_THREADS": settings.threads,
            "NUM_STREAMS": 1,
            "PERFORMANCE_HINT": "LATENCY",
            # Several workers would pin their threads to the same cores.
            "ENABLE_CPU_PINNING": False,
        }
        self._kept: OrderedDict[tuple[int, ...], _Compiled] = OrderedDict()

    def compiled(self, shape: tuple[int, ...]) -> _Compiled:
        """The model for inputs of `shape`, compiled now if it is not at hand."""
        found = self._kept.pop(shape, None) or self._compile(shape)
        self._kept[shape] = found
        if len(self._kept) > SHAPES_KEPT:
            self._kept.popitem(last=False)
        return found

    def run(self, planes: Planes, features: torch.Tensor) -> None:
        """Compute `features` (1, channels, rows, columns) in place."""
        import openvino

        request = self.compiled(planes.shape).request
        request.set_input_tensor(openvino.Tensor(planes, shared_memory=True))
        request.set_output_tensor(openvino.Tensor(features.numpy(), shared_memory=True))
        request.infer()

    def _compile(self, shape: tuple[int, ...]) -> _Compiled:
        model = self._model.clone()
        model.reshape({self._input: list(shape)})
        compiled = self._core.compile_model(model, "CPU", self._options)
        return _Compiled(compiled.create_infer_request(), _precisions(compiled))


class OpenVinoBackbone:
    """A `Backbone` on OpenVINO's CPU device; open it with `open_openvino`."""

    def __init__(self, compiler: Compiler, spec: BackboneSpec) -> None:
        self._compiler: Compiler | None = compiler
        self._spec = spec

    @property
    def spec(self) -> BackboneSpec:
        """Constant over the life of the backbone."""
        return self._spec

    def embed(self, pixels: PixelArray) -> torch.Tensor:
        """(lines, columns[, 3]) uint8 or uint16 -> float32 (channels, lines/s, columns/s), on CPU.

        Raises:
            ValueError: wrong pixels, or the backbone is closed.
            RuntimeError: the engine failed.
        """
        if self._compiler is None:
            msg = f"backbone {self._spec.name} must be open, got a closed one"
            raise ValueError(msg)
        planes = to_planes(pixels, self._spec.stride)
        rows, columns = (size // self._spec.stride for size in planes.shape[2:])
        features = torch.empty((1, self._spec.channels, rows, columns))
        try:
            self._compiler.run(planes, features)
        except RuntimeError as error:
            msg = f"{self._spec.engine} must run {self._spec.name}, got: {error}"
            raise RuntimeError(msg) from None
        return features[0]

    def close(self) -> None:
        """Release the compiled models; may be called twice."""
        self._compiler = None


def open_openvino(
    settings: config.Backbone, webs: Callable[[], CalibrationSet] | None = None
) -> OpenVinoBackbone:
    """Open the user's ONNX file, or the catalogue's model, exported first if need be.

    ONNX Runtime checks what the model declares, OpenVINO runs it; what precision really runs is
    read back from the compiled layers.

    Raises:
        ProviderError: OpenVINO does not run the model, or not in the precision asked for, or int8
            has neither a file nor `webs` to be calibrated on.
        ValueError: unknown name, or a file that is no such model.
        ParityError: the export does not compute what torch computes.
        OSError: the ONNX file, the weights or the cache folder cannot be used.
    """
    model = load_model(settings, webs)
    session = start_session(model.onnx, settings)
    ports = probe_ports(session, model.stride)
    if model.is_own:
        require_radius(session, model.stride, model.radius)
    side = _PROBE_CELLS * model.stride
    try:
        compiler = Compiler(model.onnx, ports, settings)
        found = compiler.compiled((1, 3, side, side)).precisions
    except RuntimeError as error:
        msg = f"openvino must run {model.name}, got: {error}; set backbone.engine: onnxruntime"
        raise ProviderError(msg) from None
    require_precision(found, settings.precision)
    running = describe(found, settings.precision)
    if model.calibrated_on:
        running = f"{running} calibrated on {model.calibrated_on}"
    return OpenVinoBackbone(compiler, _spec(model, ports, running))


def cpu_precisions() -> tuple[str, ...]:
    """The values of `backbone.precision` that this processor has, by OpenVINO's word."""
    import openvino

    has = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return tuple(name for name in _HINTS if name.upper() in has)


def require_precision(found: Counter[str], wanted: str) -> None:
    """Raise ProviderError unless heavy layers run as `wanted`: all in fp32, else at least one.

    `found` counts the heavy layers by the precision that OpenVINO says they run in.
    """
    running = sum(found[name] for name in _RUNNING[wanted])
    least = found.total() if wanted == "fp32" else 1
    if running < max(least, 1):
        msg = (
            f"backbone.precision must be what runs, got {dict(found)} layers instead of {wanted}: "
            "the processor or the model does not have it; set backbone.precision: fp32"
        )
        raise ProviderError(msg)


def describe(found: Counter[str], wanted: str) -> str:
    """What really runs: "CPU int8", with the share of heavy layers when it is not all."""
    running, total = sum(found[name] for name in _RUNNING[wanted]), found.total()
    return f"CPU {wanted}" + ("" if running == total else f" in {running} of {total} layers")


def _precisions(compiled: Any) -> Counter[str]:
    layers = (layer.get_rt_info() for layer in compiled.get_runtime_model().get_ordered_ops())
    return Counter(
        info["runtimePrecision"].astype(str)
        for info in layers
        if info["layerType"].astype(str) in _HEAVY
    )


def _spec(model: Model, ports: Ports, running: str) -> BackboneSpec:
    return BackboneSpec(
        name=model.name,
        stride=model.stride,
        radius=model.radius,
        channels=ports.channels,
        digest=model.digest,
        engine=f"openvino:{running}",
        value_range=model.value_range,
    )
