"""What a scoring method is to the rest of the program; knows no method."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch

    from streamer.message import ScoreArray
    from streamer.scoring.features import ChannelScale

Parameter = int | float | str | None


class Method(Protocol):
    """From features to anomaly scores, given what is normal; remembers nothing.

    `quantised` stands for scaled features in the form in which the method scores and remembers
    them: (channels, rows, columns), uint8 levels or float32.
    """

    @property
    def name(self) -> str:
        """As in the configuration."""
        ...

    @property
    def kernel(self) -> str | None:
        """The kernel that does the work, as `kernels.backends()` names it; None: torch alone."""
        ...

    @property
    def patch_size(self) -> int:
        """Side of the windows in features: odd; no smaller map can be scored."""
        ...

    @property
    def reach(self) -> int:
        """Features around a core that its scores depend on: windows, blur, neighbours.

        `config.Scoring.halo_features` says the same without importing a method.
        """
        ...

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """Everything that changes a score, so that no profile meets another setting."""
        ...

    def quantise(self, features: torch.Tensor, scale: ChannelScale) -> torch.Tensor:
        """(C, H, W) float32 features to quantised ones."""
        ...

    def reference(self, maps: Sequence[torch.Tensor]) -> torch.Tensor:
        """What is normal in some maps, each (C, H, W) with a window or more; none across two."""
        ...

    def score(self, quantised: torch.Tensor, reference: torch.Tensor) -> ScoreArray:
        """(C, H, W) to (H, W) float32; 0 is normal."""
        ...
