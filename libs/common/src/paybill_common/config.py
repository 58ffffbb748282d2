"""One frozen `Settings` per process, read once at start. An unknown variable with our prefix stops the start."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "PAYBILL_"
TOOLS_OWN = frozenset({"PAYBILL_VAR", "PAYBILL_STACK", "PAYBILL_INSTANCE", "PAYBILL_POSTGRES_ADMIN_URL"})
"""Variables of the command line and the embedded stack, which a service passes over."""


class UnknownSetting(ValueError):
    """An environment variable starts with PAYBILL_ but no setting has that name: a typo would otherwise be silent."""


class Settings(BaseSettings):
    """What every service reads from its environment (prefix PAYBILL_)."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore", hide_input_in_errors=True)

    database_owner_url: SecretStr | None = Field(None, description="Role that owns the schema; used by `migrate` only")
    database_api_url: SecretStr = Field(description="Non-owner role under row-level security; serves HTTP")
    database_worker_url: SecretStr = Field(description="Role of consumers and relay, with a policy of its own")
    kafka_bootstrap: str = Field(description="Kafka bootstrap addresses, host:port,host:port")
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="How Kafka is spoken to: encrypted, with a user, both, or neither"
    )
    kafka_ca_file: Path | None = Field(None, description="Certificates to trust the brokers by, PEM; else the system's")
    kafka_certificate_file: Path | None = Field(None, description="Our own certificate for the brokers, PEM")
    kafka_key_file: Path | None = Field(None, description="Private key of our certificate, PEM, not encrypted")
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="How the Kafka user proves itself; PLAIN only with SASL_SSL"
    )
    kafka_user: str | None = Field(None, description="Kafka user, for SASL")
    kafka_password: SecretStr | None = Field(None, description="Password of the Kafka user")
    http_host: str = Field("127.0.0.1", description="Address to listen on")
    http_port: int = Field(8000, description="Port of the API, health and metrics")
    jwks_file: Path | None = Field(None, description="Public keys that sign our tokens, as a JWKS file")
    oidc_issuer: str | None = Field(None, description="An OpenID Connect issuer whose tokens are accepted too")
    token_audience: str = Field("paybill", description="Audience that a token must carry")
    signing_key_file: Path | None = Field(None, description="Private key of the token endpoint (reporting only)")
    link_key_file: Path | None = Field(
        None, description="Secret that links to approvers are signed with, the same for every replica (timesheet only)"
    )
    clients_file: Path | None = Field(None, description="Client credentials and demo people, JSON (reporting only)")
    service_urls: dict[str, str] = Field(default_factory=dict, description="Base URL of each service, JSON")
    files_dir: Path = Field(Path("var/files"), description="Where documents and exports are kept")
    mail_dir: Path | None = Field(None, description="Sink folder for e-mails, when no SMTP server is set")
    smtp_url: SecretStr | None = Field(
        None, description="smtp://user:password@host:587 (STARTTLS) or smtps://user:password@host:465 to really send"
    )
    smtp_starttls: Literal["required", "never"] = Field(
        "required", description="never: an smtp:// server without encryption, and without a password"
    )
    smtp_ca_file: Path | None = Field(
        None, description="Certificates to trust the SMTP server by, PEM; else the system's"
    )
    mail_from: str = Field("timesheets@paybill.example", description="Address that e-mails come from")
    public_url: str | None = Field(None, description="Base URL that people reach this service by, for links in e-mails")
    pages_url: str | None = Field(
        None, description="Base URL that people reach the operations UI by, for links to workers (timesheet only)"
    )
    business_now: datetime | None = Field(None, description="Business time starts here instead of now")
    otlp_endpoint: str | None = Field(None, description="OpenTelemetry collector; tracing is exported when set")
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR")
    pool_size: int = Field(8, description="Connections of each role")
    batch_events_max: int = Field(1_000, description="Most events in one transaction")
    body_bytes_max: int = Field(5_000_000, description="Largest request body")
    upload_bytes_max: int = Field(25_000_000, description="Largest file that a person may send from a page")
    dead_letters_in_a_row_max: int = Field(20, description="A consumer stops after so many dead letters in a row")
    session_timeout_ms: int = Field(10_000, description="Kafka group session timeout")
    replay_hour: int = Field(
        3, ge=0, le=23, description="Hour in Europe/London at which all closed pay runs are replayed (pay-calc only)"
    )

    @model_validator(mode="after")
    def _kafka_is_whole(self) -> Self:
        protocol = self.kafka_security_protocol
        sasl, tls = protocol.startswith("SASL_"), protocol.endswith("SSL")
        if sasl != (self.kafka_user is not None) or sasl != (self.kafka_password is not None):
            wanted = "needs" if sasl else "takes no"
            raise ValueError(f"PAYBILL_KAFKA_SECURITY_PROTOCOL={protocol} {wanted} PAYBILL_KAFKA_USER and _PASSWORD")
        if (self.kafka_certificate_file is None) != (self.kafka_key_file is None):
            raise ValueError("PAYBILL_KAFKA_CERTIFICATE_FILE and PAYBILL_KAFKA_KEY_FILE go together")
        if not tls and (self.kafka_ca_file or self.kafka_certificate_file):
            raise ValueError(f"PAYBILL_KAFKA_SECURITY_PROTOCOL={protocol} uses no certificates; set SSL or SASL_SSL")
        if protocol == "SASL_PLAINTEXT" and self.kafka_sasl_mechanism == "PLAIN":
            raise ValueError(
                "SASL_PLAINTEXT with PLAIN would send the Kafka password in the clear; use SASL_SSL or SCRAM"
            )
        return self

    @model_validator(mode="after")
    def _mail_is_safe(self) -> Self:
        if self.smtp_url is None:
            return self
        parts = urlsplit(self.smtp_url.get_secret_value())
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise ValueError("PAYBILL_SMTP_URL is smtp://user:password@host:port or smtps://user:password@host:port")
        if parts.scheme == "smtp" and self.smtp_starttls == "never" and parts.username:
            raise ValueError(
                "PAYBILL_SMTP_STARTTLS=never would send the SMTP password in the clear; leave the user out"
            )
        return self


def read_settings(**overrides: Any) -> Settings:
    """Read the environment. Raises UnknownSetting naming a variable that nobody reads."""
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} | TOOLS_OWN
    unknown = sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known)
    if unknown:
        raise UnknownSetting(f"no setting reads {', '.join(unknown)}; see .env.example for the known ones")
    return Settings(**overrides)
