import numpy as np
from numpy.typing import NDArray
from torch import Tensor

def usable_paths() -> list[str]: ...
def blur_map(map: Tensor, spare: Tensor, taps: Tensor) -> None: ...
def score_exact(
    features: Tensor,
    reference: Tensor,
    taps: Tensor,
    blur: Tensor,
    scores: Tensor,
    ties: str,
    bytes: bool,
    patch_size: int,
    window_stride: int,
    band_width: int,
    first_column: int,
    path: str,
    threads: int,
) -> None: ...
def score_fast(
    levels: Tensor,
    reference: Tensor,
    scores: Tensor,
    levels_count: int,
    patch_size: int,
    window_stride: int,
    band_width: int,
    first_column: int,
    path: str,
    threads: int,
) -> None: ...
def median_floats(
    features: Tensor,
    ranges: Tensor,
    reference: Tensor,
    patch_size: int,
    stride_rows: int,
    stride_columns: int,
    path: str,
    threads: int,
) -> None: ...
def median_levels(
    levels: Tensor,
    ranges: Tensor,
    reference: Tensor,
    levels_count: int,
    patch_size: int,
    stride_rows: int,
    stride_columns: int,
    path: str,
    threads: int,
) -> None: ...
def count_windows(
    levels: Tensor,
    barred: Tensor | None,
    ranges: Tensor,
    histogram: Tensor,
    first_row: int,
    window_rows: int,
    levels_count: int,
    patch_size: int,
    stride_rows: int,
    stride_columns: int,
    path: str,
    threads: int,
) -> None: ...
def counted_medians(
    closed: Tensor,
    open: Tensor,
    windows: Tensor,
    reference: Tensor,
    levels_count: int,
    patch_size: int,
    threads: int,
) -> None: ...
def replace_counts(totals: Tensor, entering: Tensor, leaving: Tensor) -> None: ...
def flat_bytes(
    raw: NDArray[np.uint8],
    gain: NDArray[np.uint16],
    offset: NDArray[np.uint16],
    corrected: NDArray[np.uint8],
    path: str,
) -> None: ...
def flat_words(
    raw: NDArray[np.uint16],
    gain: NDArray[np.uint16],
    offset: NDArray[np.uint32],
    corrected: NDArray[np.uint16],
    path: str,
) -> None: ...
