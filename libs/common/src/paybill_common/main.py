"""The one entry point of a service: `python -m <service> api|worker|all|migrate`."""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from paybill_common import telemetry
from paybill_common.config import Settings, read_settings
from paybill_common.migrations import migrations_folder, upgrade

if TYPE_CHECKING:
    from paybill_common.service import ServiceSpec

# A batch makes some hundred thousand short-lived objects; with the default threshold a quarter of the time goes into looking
# for cycles that are not there.
GC_THRESHOLDS = (100_000, 50, 50)


def run_service(package_file: str | Path, load: Callable[[], ServiceSpec], argv: Sequence[str] | None = None) -> int:
    """Run a service in the role that its argument names. Returns the exit status.

    `package_file` is any module of the service's package; `load` imports its wiring, which a migration does not need.
    """
    package = Path(package_file).parent
    name = package.name.replace("_", "-")
    parser = argparse.ArgumentParser(prog=name)
    parser.add_argument("role", choices=["api", "worker", "all", "migrate"], help="what this process does")
    role = parser.parse_args(argv).role
    gc.disable()  # loading makes what stays: collections find nothing in it, and take a sixth of it
    settings = read_settings()
    telemetry.configure_logging(name, settings.log_level)
    if role == "migrate":
        if settings.database_owner_url is None:
            sys.stderr.write("PAYBILL_DATABASE_OWNER_URL is not set: migrations run as the owner of the schema\n")
            return 2
        upgrade(migrations_folder(str(package_file)), settings.database_owner_url.get_secret_value())
        return 0
    return _serve(load(), settings, role)


def _serve(spec: ServiceSpec, settings: Settings, role: str) -> int:
    import uvicorn

    from paybill_common.service import Worker, build_app, build_runtime

    telemetry.configure_tracing(spec.name, settings.otlp_endpoint)
    runtime = build_runtime(spec, settings)
    worker = Worker(runtime) if role in ("worker", "all") else None
    app = build_app(runtime, worker=worker, api=role in ("api", "all"))
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    gc.enable()
    uvicorn.run(
        app,
        host=settings.http_host,
        port=settings.http_port,
        loop="uvloop",
        log_level="warning",
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=3,
        limit_concurrency=500,
        timeout_keep_alive=15,
    )
    return 0
