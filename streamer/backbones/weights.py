"""Published ImageNet weights: from Python packages or downloaded; knows no network's layers."""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch


class WeightSource(Protocol):
    """Where a network's published weights come from."""

    def obstacle(self) -> str:
        """Why the weights are not on this machine yet, with the next step; "" if they are."""
        ...

    def load(self) -> dict[str, torch.Tensor]:
        """The state dict, fetched if it is not on this machine yet.

        Raises:
            FileNotFoundError: it cannot be had; the text says what to do.
            ValueError: the file is not the published one.
        """
        ...


@dataclass(frozen=True, slots=True)
class NoWeights:
    """For features that are fixed by their definition."""

    def obstacle(self) -> str:
        """Nothing is missing."""
        return ""

    def load(self) -> dict[str, torch.Tensor]:
        """Nothing is published."""
        return {}


@dataclass(frozen=True, slots=True)
class PackagedWeights:
    """A state dict inside a Python package, under `models`."""

    package: str
    install: str

    def obstacle(self) -> str:
        """Why the weights are not on this machine yet, with the next step; "" if they are."""
        if self._file() is not None:
            return ""
        return f"weights must be installed, got no package {self.package}; {self.install}"

    def load(self) -> dict[str, torch.Tensor]:
        """The state dict; see `WeightSource`."""
        file = self._file()
        if file is None:
            raise FileNotFoundError(self.obstacle())
        return load_published(file)

    def _file(self) -> Path | None:
        # The package is found but not imported: nothing of it runs.
        found = importlib.util.find_spec(self.package)
        if found is None or found.origin is None:
            return None
        return next(iter(sorted(Path(found.origin).parent.glob("models/*.pth"))), None)


@dataclass(frozen=True, slots=True)
class DownloadedWeights:
    """A state dict that torchvision publishes, kept in torch's own cache; needs no torchvision."""

    url: str

    @property
    def file(self) -> Path:
        """Where the download is kept; a file put there by hand is used as well."""
        return Path(torch.hub.get_dir()) / "checkpoints" / self.url.rsplit("/", 1)[1]

    def obstacle(self) -> str:
        """Why the weights are not on this machine yet, with the next step; "" if they are."""
        if self.file.is_file():
            return ""
        return f"weights must be downloaded first, got no {self.file}; fetch {self.url}"

    def load(self) -> dict[str, torch.Tensor]:
        """The state dict; see `WeightSource`."""
        if not self.file.is_file():
            self._download()
        return load_published(self.file)

    def _download(self) -> None:
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(self.url, str(self.file), progress=False)
        except OSError as error:
            msg = (
                f"weights must be downloadable, got {error} for {self.url}; "
                f"on a machine without a network put the file at {self.file}"
            )
            raise FileNotFoundError(msg) from None


def load_published(file: Path) -> dict[str, torch.Tensor]:
    """Load a state dict whose file name ends in the first digits of its SHA-256.

    Raises:
        ValueError: the content is not what the name promises.
    """
    promised = file.stem.rsplit("-", 1)[-1]
    found = hashlib.sha256(file.read_bytes()).hexdigest()
    if not found.startswith(promised):
        msg = f"{file} must have a SHA-256 that starts with {promised}, got {found}; remove it"
        raise ValueError(msg)
    state: dict[str, torch.Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    return state
