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

class ByteCorrection:
    def __init__(
        self,
        gain: NDArray[np.uint16],
        offset: NDArray[np.unsignedinteger],
        filled: NDArray[np.int64],
        left: NDArray[np.int64],
        right: NDArray[np.int64],
        right_share: NDArray[np.uint32],
        path: str,
    ) -> None: ...
    def correct(
        self,
        raw: NDArray[np.unsignedinteger],
        first: int,
        corrected: NDArray[np.unsignedinteger],
    ) -> None: ...

class WordCorrection:
    def __init__(
        self,
        gain: NDArray[np.uint16],
        offset: NDArray[np.unsignedinteger],
        filled: NDArray[np.int64],
        left: NDArray[np.int64],
        right: NDArray[np.int64],
        right_share: NDArray[np.uint32],
        path: str,
    ) -> None: ...
    def correct(
        self,
        raw: NDArray[np.unsignedinteger],
        first: int,
        corrected: NDArray[np.unsignedinteger],
    ) -> None: ...
