"""Build the wheelhouse `dist/wheels` and, where a Docker engine answers, the five service images.

The wheelhouse holds a wheel of each of our packages that a service needs, and the runtime's dependencies as requirements/runtime.txt
pins them by hash, for CPython 3.11 on Linux x86_64. The images install from it with no network.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WHEELS = ROOT / "dist" / "wheels"
SUMS = "SHA256SUMS"
SERVICES = ("timesheet", "pay-calc", "invoicing", "compliance", "reporting")
PACKAGES = ("contracts", "libs/common", "libs/importer", *(f"services/{service}" for service in SERVICES))
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64", "linux_x86_64")
DEFAULT_BASE = "python:3.11-slim"


def main(argv: Sequence[str] | None = None) -> int:
    """Run what the arguments ask for. Returns the exit status: 0 too when there is no engine, which is said."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", default=DEFAULT_BASE, help="base image with Python 3.11 (default %(default)s)")
    parser.add_argument("--tag", default="0.1.0", help="tag of the images (default %(default)s)")
    parser.add_argument("--network", help="network of the build's steps; `none` proves that they need none")
    parser.add_argument("--only", choices=SERVICES, action="append", help="build this image only (repeatable)")
    parser.add_argument("--no-wheels", action="store_true", help="use dist/wheels as it is")
    options = parser.parse_args(argv)
    if not options.no_wheels:
        fill(WHEELS)
    if not engine_answers():
        sys.stdout.write(
            f"{len(list(WHEELS.glob('*.whl')))} wheels are in {WHEELS.relative_to(ROOT)}; no image was built, because no Docker engine "
            "answers `docker version`. Start one (or set DOCKER_HOST) and run `make images` again.\n"
        )
        return 0
    for service in options.only or SERVICES:
        build_image(service, base=options.base, tag=options.tag, network=options.network)
    return 0


def fill(folder: Path) -> None:
    """Empty the folder, then put our wheels, the dependencies' wheels and their SHA-256 sums in it.

    Raises:
        subprocess.CalledProcessError: a package did not build, or a dependency has no wheel of its pinned hash for the platform.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for package in PACKAGES:
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
        subprocess.run(command, cwd=ROOT / package, check=True, timeout=120, stdout=subprocess.DEVNULL)
    subprocess.run(download_command(folder), cwd=ROOT, check=True, timeout=600)
    (folder / SUMS).write_text(sums(folder), encoding="utf-8")


def download_command(folder: Path) -> list[str]:
    """pip's command line that fetches the pinned wheels, checking each against its hash."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--require-hashes", "--only-binary", ":all:", "--python-version", "3.11", "--implementation", "cp"]
    for platform in PLATFORMS:
        command += ["--platform", platform]
    return [*command, "-r", "requirements/runtime.txt", "-d", str(folder)]


def sums(folder: Path) -> str:
    """The wheels' sums in the format of `sha256sum`, by file name."""
    lines = [f"{hashlib.sha256(wheel.read_bytes()).hexdigest()}  {wheel.name}\n" for wheel in folder.glob("*.whl")]
    return "".join(sorted(lines, key=lambda line: line.split()[1]))


def engine_answers() -> bool:
    """Whether there is a docker command and an engine behind it."""
    if shutil.which("docker") is None:
        return False
    asked = subprocess.run(["docker", "version"], capture_output=True, check=False, timeout=30)
    return asked.returncode == 0


def build_command(service: str, *, base: str, tag: str, network: str | None) -> list[str]:
    """Docker's command line for one service's image."""
    command = ["docker", "build", "--quiet", "-f", "deploy/docker/Dockerfile", "-t", f"paybill/{service}:{tag}"]
    command += ["--build-arg", f"SERVICE={service}", "--build-arg", f"BASE={base}", "--build-arg", f"VERSION={tag}"]
    return [*command, *(["--network", network] if network else []), "."]


def build_image(service: str, *, base: str, tag: str, network: str | None) -> None:
    """Build one image; its layers come from the wheelhouse and the base alone."""
    subprocess.run(build_command(service, base=base, tag=tag, network=network), cwd=ROOT, check=True, timeout=900)
    sys.stdout.write(f"built paybill/{service}:{tag}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
