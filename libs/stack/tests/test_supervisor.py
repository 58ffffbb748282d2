"""The supervisor with small stand-in services: what it hands them, how it waits, how it ends them."""

import json
import signal
import textwrap
from pathlib import Path

import pytest

from paybill_stack import service_env
from paybill_stack.readiness import ServiceError
from paybill_stack.stack import Stack
from paybill_stack.supervisor import Supervisor

from .conftest import processes_of

SERVICE = """
    import http.server, json, os, pathlib, signal, sys
    role = sys.argv[1]
    seen = {name: value for name, value in os.environ.items() if name.startswith("PAYBILL_")}
    pathlib.Path(os.environ["PAYBILL_FILES_DIR"], f"{role}.json").write_text(json.dumps(seen))
    if role == "migrate":
        sys.exit(int(os.environ.get("FAIL_MIGRATE", "0")) and (print("no such table: FAILED HERE") or 3))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    class Health(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/health/ready" else 404)
            self.end_headers()
        def log_message(self, *args): pass
    http.server.ThreadingHTTPServer((os.environ["PAYBILL_HTTP_HOST"], int(os.environ["PAYBILL_HTTP_PORT"])), Health).serve_forever()
"""


@pytest.fixture
def supervisor(var: Path, monkeypatch: pytest.MonkeyPatch, nothing_left: None) -> Supervisor:
    code = var.parent / "code"
    for module in ("timesheet", "pay_calc", "invoicing", "compliance", "reporting"):
        (code / f"stand_in_{module}").mkdir(parents=True)
        (code / f"stand_in_{module}" / "__main__.py").write_text(textwrap.dedent(SERVICE))
    monkeypatch.setenv("PYTHONPATH", str(code))
    monkeypatch.setattr(
        "paybill_stack.supervisor.module_of", lambda service: f"stand_in_{service_env.module_of(service)}"
    )
    monkeypatch.setenv("PAYBILL_KAFKA_BOOTSTRAP", "kafka.example.com:9092")
    monkeypatch.setenv("PAYBILL_POSTGRES_ADMIN_URL", "postgresql://admin:pw@db.example.com/postgres")
    monkeypatch.setattr(Stack, "create_databases", lambda stack: None)
    monkeypatch.setattr(Stack, "create_topics", lambda stack: [])
    return Supervisor(Stack.start("dev"))


def told(supervisor: Supervisor, service: str, role: str) -> dict[str, str]:
    found: dict[str, str] = json.loads((supervisor.stack.paths.files / service / f"{role}.json").read_text())
    return found


def test_up_starts_all_and_down_leaves_nothing(
    supervisor: Supervisor, var: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAYBILL_DEMO_TIMESHEETS", "3000")
    replicas = supervisor.up(business_now="2026-04-06T09:00:00Z")
    try:
        assert [(r.service, r.replica, r.role) for r in replicas] == [
            ("timesheet", 1, "all"),
            ("pay-calc", 1, "all"),
            ("pay-calc", 2, "worker"),
            ("invoicing", 1, "all"),
            ("compliance", 1, "all"),
            ("reporting", 1, "all"),
        ]
        assert all(replica.process is not None and replica.process.alive() for replica in replicas)
        env = told(supervisor, "pay-calc", "worker")
        assert json.loads(env["PAYBILL_SERVICE_URLS"]) == supervisor.urls()
        assert env["PAYBILL_BUSINESS_NOW"] == "2026-04-06T09:00:00Z"
        assert not {
            "PAYBILL_VAR",
            "PAYBILL_DEMO_TIMESHEETS",
            "PAYBILL_DATABASE_OWNER_URL",
            "PAYBILL_SIGNING_KEY_FILE",
            "PAYBILL_LINK_KEY_FILE",
        } & set(env)
        assert "PAYBILL_DATABASE_OWNER_URL" in told(supervisor, "pay-calc", "migrate")
        assert "PAYBILL_SIGNING_KEY_FILE" in told(supervisor, "reporting", "all")
        assert "PAYBILL_LINK_KEY_FILE" in told(supervisor, "timesheet", "all")

        pids = [replica.process for replica in supervisor.up()]
        assert pids == [replica.process for replica in replicas], "a second up must find the running ones"

        supervisor.kill("pay-calc", 2, signal.SIGKILL)
        with pytest.raises(ServiceError, match="pay-calc-2 does not run"):
            supervisor.kill("pay-calc", 2)
        supervisor.start("pay-calc", 2)
        again = {(r.service, r.replica): r for r in supervisor.replicas()}[("pay-calc", 2)]
        assert again.process != replicas[2].process
        assert again.port == replicas[2].port

        assert len(supervisor.up(replicas=1)) == 5, "fewer replicas stop the surplus"
    finally:
        supervisor.down()
    assert all(replica.process is None for replica in supervisor.replicas())
    assert processes_of(var) == []


def test_down_names_whom_it_had_to_kill(supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch, var: Path) -> None:
    stubborn = var.parent / "code" / "stand_in_invoicing" / "__main__.py"
    stubborn.write_text(textwrap.dedent(SERVICE).replace("lambda *_: sys.exit(0)", "signal.SIG_IGN"))
    supervisor.up(services=["timesheet", "compliance"])
    assert supervisor.down() == []
    supervisor.up(services=["timesheet", "invoicing", "compliance"])
    monkeypatch.setattr("paybill_stack.supervisor.STOP_GRACE_S", 2.0)
    assert supervisor.down() == ["invoicing-1"]
    assert processes_of(var) == []


def test_a_service_that_never_becomes_ready_is_named_with_its_answer(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch, var: Path
) -> None:
    unready = var.parent / "code" / "stand_in_compliance" / "__main__.py"
    unready.write_text(textwrap.dedent(SERVICE).replace("200 if", "503 if"))
    monkeypatch.setattr("paybill_stack.supervisor.READY_TIMEOUT_S", 1.0)
    with pytest.raises(
        ServiceError, match=r"(?s)compliance-1 is not ready after 1 s \(status 503: \); .*compliance-1\.log"
    ):
        supervisor.up(services=["compliance"])


def test_a_failed_migration_names_log_and_reason(supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAIL_MIGRATE", "1")
    with pytest.raises(
        ServiceError, match=r"(?s)migrating timesheet failed \(exit 3\).*timesheet-migrate\.log.*FAILED HERE"
    ):
        supervisor.up(services=["timesheet"])


def test_a_service_that_ends_at_once_is_named_with_its_log(supervisor: Supervisor, var: Path) -> None:
    broken = var.parent / "code" / "stand_in_invoicing" / "__main__.py"
    broken.write_text("import sys\nif sys.argv[1] != 'migrate': sys.exit('cannot bind the port')\n")
    with pytest.raises(
        ServiceError, match=r"(?s)invoicing-1 ended while starting; .*invoicing-1\.log.*cannot bind the port"
    ):
        supervisor.up(services=["timesheet", "invoicing"])
    assert not any(replica.process and replica.process.alive() for replica in supervisor.replicas())
