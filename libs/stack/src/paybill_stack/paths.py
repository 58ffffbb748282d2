"""Where the stack keeps things: the repository, `var/`, and one folder per named instance.

An instance is a complete stack with its own data and ports: "dev" for `make up`, "demo" for `make demo`, "test" for the
tests. They never touch each other.
"""

import hashlib
import os
import re
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from paybill_stack import StackError

DEFAULT_INSTANCE = "dev"
TEST_INSTANCE = "test"
_INSTANCE_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")
_HOMES = (Path("/root"), Path("/home"), Path("/Users"))


def repo_root() -> Path:
    """The folder that holds the Makefile and contracts/, looked for above this file and above the working folder.

    Raises:
        StackError: neither lies inside a checkout.
    """
    for start in (Path(__file__).resolve(), Path.cwd().resolve()):
        for folder in start.parents if start.is_file() else (start, *start.parents):
            if (folder / "Makefile").is_file() and (folder / "contracts").is_dir():
                return folder
    raise StackError(
        "no Paybill checkout found here; run inside one, or set PAYBILL_VAR to the folder for data and logs"
    )


def var_dir() -> Path:
    """The folder for data, logs and settings: PAYBILL_VAR if set, else `var/` in the repository."""
    override = os.environ.get("PAYBILL_VAR")
    return Path(override).expanduser().resolve() if override else repo_root() / "var"


def is_root() -> bool:
    """Whether this process runs as root, where Postgres needs another user."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def others_may_enter(folder: Path) -> bool:
    """Whether every folder from the root down to `folder` can be traversed by any user."""
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in (folder, *folder.parents) if parent.exists())


def shared_place(var: Path) -> Path:
    """A folder outside any home folder for what another system user must reach, made on first use.

    Named by a hash of `var`, so that two checkouts never share one.

    Raises:
        StackError: the folder exists and belongs to someone else.
    """
    digest = hashlib.sha256(str(var).encode()).hexdigest()[:10]
    base = Path("/var/tmp") if Path("/var/tmp").is_dir() else Path(tempfile.gettempdir())  # noqa: S108 - owner checked below
    place = base / f"paybill-{digest}"
    place.mkdir(mode=0o711, exist_ok=True)
    info = place.lstat()
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.geteuid():
        raise StackError(
            f"{place} is not a folder of ours (owner uid {info.st_uid}); remove it, or set PAYBILL_VAR to another folder"
        )
    place.chmod(0o711)
    return place


@dataclass(frozen=True)
class InstancePaths:
    """The folders of one instance, made on demand by `create`."""

    instance: str
    root: Path

    @classmethod
    def of(cls, instance: str = DEFAULT_INSTANCE, var: Path | None = None) -> "InstancePaths":
        """The paths of `instance` below `var` (default: `var_dir()`); makes nothing.

        Raises:
            StackError: the name is not lower-case letters, digits and hyphens, at most 31.
        """
        if not _INSTANCE_NAME.fullmatch(instance):
            raise StackError(
                f"instance name {instance!r} is not allowed: use lower-case letters, digits and hyphens, at most 31"
            )
        return cls(instance, (var or var_dir()) / instance)

    @property
    def settings(self) -> Path:
        return self.root / "stack.json"

    @property
    def lock(self) -> Path:
        return self.root / "stack.lock"

    @property
    def log(self) -> Path:
        return self.root / "log"

    @property
    def keys(self) -> Path:
        return self.root / "keys"

    @property
    def files(self) -> Path:
        return self.root / "files"

    @property
    def mail(self) -> Path:
        return self.root / "mail"

    @property
    def kafka(self) -> Path:
        return self.root / "kafka"

    @property
    def leases(self) -> Path:
        return self.root / "leases"

    def postgres_home(self) -> Path:
        """Where the database files go: inside the instance, but as root outside every home or closed folder.

        Postgres never runs as root; its own user must be able to reach the files, and opening a home folder's permissions
        for that would be wrong.
        """
        inside_a_home = any(self.root.is_relative_to(home) for home in _HOMES)
        if is_root() and (inside_a_home or not others_may_enter(self.root)):
            return shared_place(self.root.parent) / self.instance / "postgres"
        return self.root / "postgres"

    def create(self) -> None:
        """Make the instance's folders; keys are for the owner only."""
        for folder in (self.root, self.log, self.files, self.mail):
            folder.mkdir(parents=True, exist_ok=True)
        self.keys.mkdir(mode=0o700, exist_ok=True)


def instances(var: Path | None = None) -> list[str]:
    """Names of the instances that have a settings file, sorted."""
    base = var or var_dir()
    return sorted(found.parent.name for found in base.glob("*/stack.json"))
