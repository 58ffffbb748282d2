"""The demo's stages: timed, shown as they go, kept for the summary."""

import contextlib
import time
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn


class Stage:
    """One running stage; `advance` moves its bar."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def expect(self, count: int | None) -> None:
        """So much more is to do."""
        if count is not None:
            total = self._progress.tasks[self._task].total or 0
            self._progress.update(self._task, total=total + count)

    def advance(self, count: int = 1) -> None:
        """So much more is done."""
        self._progress.advance(self._task, count)


class Stages:
    """All stages of a run, in order, with their seconds."""

    def __init__(self, console: Console) -> None:
        self.seconds: dict[str, float] = {}
        self._console = console
        columns = (
            TextColumn("{task.description:<28}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        self._progress = Progress(*columns, console=console, disable=not console.is_terminal)
        self._begun = time.perf_counter()

    def __enter__(self) -> "Stages":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    @property
    def elapsed_s(self) -> float:
        """Since the first stage."""
        return round(time.perf_counter() - self._begun, 2)

    @contextlib.contextmanager
    def stage(self, name: str, words: str, total: int | None = None) -> Iterator[Stage]:
        """Time what happens inside; the same name again adds up."""
        begun = time.perf_counter()
        task = self._progress.add_task(words, total=total)
        try:
            yield Stage(self._progress, task)
        finally:
            spent = time.perf_counter() - begun
            self.seconds[name] = round(self.seconds.get(name, 0.0) + spent, 2)
            done = self._progress.tasks[task]
            self._progress.update(task, total=done.total or 1, completed=done.total or 1)
            self._progress.stop_task(task)
            if not self._console.is_terminal:
                self._console.print(f"{words}: {spent:.1f} s", highlight=False, soft_wrap=True)
