"""The one entry point of a service: `python -m <service> api|worker|all|migrate`."""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Sequence

import uvicorn

from paybill_common import telemetry
from paybill_common.config import read_settings
from paybill_common.migrations import upgrade
from paybill_common.service import ServiceSpec, Worker, build_app, build_runtime

# A batch makes some hundred thousand short-lived objects; with the default threshold a quarter of the time goes into looking
# for cycles that are not there.
GC_THRESHOLDS = (100_000, 50, 50)


def run_service(spec: ServiceSpec, argv: Sequence[str] | None = None) -> int:
    """Run a service in the role that its argument names. Returns the exit status."""
    parser = argparse.ArgumentParser(prog=spec.name)
    parser.add_argument("role", choices=["api", "worker", "all", "migrate"], help="what this process does")
    role = parser.parse_args(argv).role
    gc.set_threshold(*GC_THRESHOLDS)
    settings = read_settings()
    telemetry.configure_logging(spec.name, settings.log_level)
    if role == "migrate":
        if settings.database_owner_url is None:
            sys.stderr.write("PAYBILL_DATABASE_OWNER_URL is not set: migrations run as the owner of the schema\n")
            return 2
        upgrade(spec.migrations, settings.database_owner_url.get_secret_value())
        return 0
    telemetry.configure_tracing(spec.name, settings.otlp_endpoint)
    runtime = build_runtime(spec, settings)
    worker = Worker(runtime) if role in ("worker", "all") else None
    app = build_app(runtime, worker=worker, api=role in ("api", "all"))
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
