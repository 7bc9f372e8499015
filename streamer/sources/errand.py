"""A call to a device that may hang, in a thread of its own; knows no device."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Errand(Generic[T]):
    """Runs `work` once; whoever sent it need not wait. Its thread never keeps the process alive.

    An OSError or ValueError of `work` is raised by `result`.
    """

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._done = threading.Event()
        self._results: list[T] = []
        self._fault: Exception | None = None
        threading.Thread(target=self._run, name="errand", daemon=True).start()

    def wait(self, timeout_s: float) -> bool:
        """Whether it is done within the time."""
        return self._done.wait(timeout_s)

    def result(self) -> T:
        """What `work` returned; waits until it is done.

        Raises:
            OSError, ValueError: `work` did.
        """
        self._done.wait()
        if self._fault is not None:
            raise self._fault
        return self._results[0]

    def _run(self) -> None:
        try:
            self._results.append(self._work())
        except (OSError, ValueError) as fault:
            self._fault = fault
        finally:
            if not self._results and self._fault is None:
                self._fault = RuntimeError("the call broke off; the log has the traceback")
            self._done.set()
