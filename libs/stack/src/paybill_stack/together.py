"""Small helpers to wait for several things at once from synchronous code."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end from any thread, also from one that has a running loop."""
    results: list[T] = []
    run_together([lambda: results.append(asyncio.run(work))])
    return results[0]


def run_together(steps: Sequence[Callable[[], object]]) -> None:
    """Run steps in threads; wait for all; raise the first error."""
    errors: list[BaseException] = []

    def guarded(step: Callable[[], object]) -> None:
        try:
            step()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(step,), daemon=True) for step in steps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
