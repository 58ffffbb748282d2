"""Where an import's progress and receipts are kept, so that a second run goes on after an interruption."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Protocol
from uuid import UUID, uuid4

from paybill_common.ids import derived_id
from paybill_importer.receipts import Receipt, ReceiptsFile

_BLOCK_BYTES = 1 << 16


def digest_of(path: Path, *settings: str) -> str:
    """SHA-256 of the file's bytes and of the settings that change how it is read."""
    digest = hashlib.sha256("\x1f".join(settings).encode())
    with path.open("rb") as raw:
        while block := raw.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


@dataclass
class Progress:
    """How far an import of one file is."""

    digest: str
    run_id: str = field(default_factory=lambda: str(uuid4()))
    batches_done: int = 0
    receipts_bytes: int = 0
    counts: dict[str, int] = field(default_factory=dict)

    @classmethod
    def find(cls, path: Path, digest: str) -> "Progress":
        """The unfinished import of this very file, or a new one."""
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            if found.get("digest") == digest:
                return cls(**found)
        except (OSError, ValueError, TypeError, AttributeError):
            pass
        return cls(digest)

    def save(self, path: Path) -> None:
        _replace(path, json.dumps(asdict(self)) + "\n")


class Journal(Protocol):
    """What an import remembers: which batches have their receipts. A batch's keys come from `run_id` alone."""

    @property
    def run_id(self) -> UUID:
        """One id for the whole import."""

    @property
    def batches_done(self) -> int:
        """Batches whose receipts are kept; the next run begins after them."""

    @property
    def counts(self) -> Mapping[str, int]:
        """Receipts so far: accepted, duplicate, refused."""

    async def keep(self, receipts: Sequence[Receipt]) -> None:
        """Keep the next batch's receipts, whole or not at all."""


class FileJournal:
    """Receipts in a CSV beside the file, progress in a second one that goes away at the end. Use as `with`."""

    def __init__(self, receipts: Path, digest: str) -> None:
        self._path = receipts.with_name(f"{receipts.name}.progress")
        progress = Progress.find(self._path, digest)
        if not receipts.exists() or receipts.stat().st_size < progress.receipts_bytes:
            progress = Progress(digest, progress.run_id)
        self._progress = progress
        self._receipts = ReceiptsFile(receipts, resume_at=progress.receipts_bytes, counts=progress.counts)
        progress.save(self._path)

    @property
    def run_id(self) -> UUID:
        return UUID(self._progress.run_id)

    @property
    def batches_done(self) -> int:
        return self._progress.batches_done

    @property
    def counts(self) -> Mapping[str, int]:
        return self._receipts.counts

    async def keep(self, receipts: Sequence[Receipt]) -> None:
        self._progress.receipts_bytes = self._receipts.write(receipts)
        self._progress.batches_done += 1
        self._progress.counts = dict(self._receipts.counts)
        self._progress.save(self._path)

    def __enter__(self) -> "FileJournal":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._receipts.__exit__(kind, error, trace)
        if error is None:
            self._path.unlink(missing_ok=True)


def key_of(run_id: UUID, batch: int, step: str) -> str:
    """The Idempotency-Key of one step of one batch: a batch that was on its way when the import broke off gets its first
    answer again; a new import of the same file has a new `run_id`."""
    return str(derived_id("import", str(run_id), batch, step))


def _replace(path: Path, text: str) -> None:
    """Replace a file atomically; only its owner can read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as sink:
        sink.write(text)
    partial.replace(path)
