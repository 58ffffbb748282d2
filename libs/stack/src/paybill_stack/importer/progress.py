"""What a second run needs to go on after an interruption: one small file beside the receipts."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

from paybill_common.ids import derived_id
from paybill_stack.settings import write_private

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
    """How far an import of one file is. `run_id` makes the Idempotency-Key of each batch: a batch that was on its way when
    the import broke off gets its first answer again; a new import of the same file has a new `run_id`."""

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
        write_private(path, json.dumps(asdict(self)) + "\n")

    def key(self, batch: int, step: str) -> str:
        """The Idempotency-Key of one step of one batch."""
        return str(derived_id("import", self.run_id, batch, step))

    def import_id(self) -> UUID:
        return UUID(self.run_id)
