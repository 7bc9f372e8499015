"""What every torch feature extractor has: normalisation, weights, digest; knows no engine."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import torch
from torch import nn

from streamer.backbones.receptive_field import ReceptiveField, Window, receptive_field

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Normalisation(nn.Module):
    """(pixels - mean) / std per channel, for RGB in 0..1."""

    mean: torch.Tensor
    inverse_std: torch.Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.mean_values, self.std_values = tuple(mean), tuple(std)
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("inverse_std", 1 / torch.tensor(std).view(1, 3, 1, 1))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """(n, 3, h, w) in 0..1 -> the same shape, normalised."""
        return (pixels - self.mean) * self.inverse_std


class Trunk(nn.Module, ABC):
    """The first layers of a network: (n, 3, h, w) RGB in 0..1 -> (n, channels, h/s, w/s).

    h and w must be multiples of the total stride s: only then does the padding not depend on
    where a tile was cut. Buffers whose names begin with "fixed_" are the trunk's own and in no
    weight file; `form` tells trunks apart that make other features of the same weights.
    """

    channels: int
    normalisation: Normalisation
    value_range: tuple[float, float] | None = None
    form: str = ""

    @abstractmethod
    def windows(self) -> tuple[Window, ...]:
        """Windows of the layers on the longest path, first layer first."""

    def published_name(self, key: str) -> str:
        """Name under which the publisher of the weights keeps our `key`."""
        return key

    @property
    def field(self) -> ReceptiveField:
        """Receptive field, computed from the layers."""
        return receptive_field(self.windows())

    def load_weights(self, published: Mapping[str, torch.Tensor]) -> None:
        """Take our layers' weights out of a whole network's state dict.

        Raises:
            ValueError: a layer is missing or has another shape.
        """
        chosen = {}
        for key, own in self._learned().items():
            name = self.published_name(key)
            given = published.get(name)
            if given is None or given.shape != own.shape:
                shown = None if given is None else tuple(given.shape)
                msg = f"weights[{name!r}] must have shape {tuple(own.shape)}, got {shown}"
                raise ValueError(msg)
            chosen[key] = given
        self.load_state_dict(chosen, strict=False)

    @property
    def digest(self) -> str:
        """SHA-256 over form, names, shapes and values of all constants, in hexadecimal."""
        digest = hashlib.sha256(self.form.encode())
        for key, tensor in sorted(self._constants().items()):
            digest.update(f"{key} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def _constants(self) -> dict[str, torch.Tensor]:
        # The batch counters serve training only, and old published weights do not have them.
        state = self.state_dict()
        return {key: value for key, value in state.items() if "num_batches" not in key}

    def _learned(self) -> dict[str, torch.Tensor]:
        constants = self._constants()
        own = ("normalisation.", "fixed_")
        return {k: v for k, v in constants.items() if not any(part in k for part in own)}
