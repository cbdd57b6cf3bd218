"""Every environment variable of the service: its type, its default and its consequences.

No other module of `app/` reads the environment. `deploy/env.example` explains each variable to the
person who deploys; a test compares the two lists.
"""

import re
from collections.abc import Sequence
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Literal

from cryptography.fernet import Fernet
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from app.base.issuers import OutsideIssuer, read_issuers
from app.base.secret_files import secrets_in_files

#: The folder that holds `app`, `migrations` and `openapi`: the checkout, the image, site-packages.
CHECKOUT = Path(__file__).parents[2]


class WrongSettings(Exception):
    """Says that the environment holds wrong settings. The message names each fault, and repeats no
    value: a value may be a secret.
    """


_PAIR = re.compile(r"[A-Za-z0-9.-]{1,64}=[^=,\s]+:[0-9]{1,5}")
_PHONE = re.compile(r"[A-Za-z0-9-]{1,32} ?= ?[0-9+(][0-9 ().-]{5,22}[0-9]")
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+-]{1,127}")
_TOO_SHORT = "TOKEN_SECRET must have 32 characters or more, and so must each of several"


class Settings(BaseSettings):
    """The settings of one process. Wrong ones stop the start with a sentence that says which."""

    model_config = SettingsConfigDict(env_file=None, extra="ignore", hide_input_in_errors=True)

    environment: Literal["development", "production"] = Field(
        "development",
        description="production refuses the embedded database, the demonstration clients, a moved "
        "clock, plain-HTTP webhook targets and missing secrets.",
    )
    database_url: str = Field(
        "",
        description="PostgreSQL 15 or newer, e.g. postgresql://app:...@db/nwd; the role the "
        "service works with, which may not change history. Empty: `make run` and `make test` start "
        "their own.",
    )
    migration_database_url: str = Field(
        "",
        description="The owner's connection, used by `migrate` alone. Empty: DATABASE_URL "
        "migrates too, creates the restricted role, and the service takes it with SET ROLE.",
    )
    database_pool_size: int = Field(
        12,
        ge=1,
        le=200,
        description="Connections of one service process. More do not help throughput.",
    )
    database_wait_s: float = Field(
        2.0,
        gt=0,
        description="How long a request waits for a connection before it is answered 503 with "
        "Retry-After.",
    )
    database_pooled: bool = Field(
        False,
        description="DATABASE_URL leads to a pooler in transaction mode, such as PgBouncer. The "
        "settings of a session are then those of the role, which `migrate` sets.",
    )
    database_listen_url: str = Field(
        "",
        description="A connection without a pooler, on which a worker hears at once of what is "
        "due. Empty: DATABASE_URL; behind a pooler the workers then only look every second.",
    )
    database_start_wait_s: float = Field(
        30.0,
        ge=0,
        description="How long a start waits for the database before it gives up.",
    )
    public_url: str = Field(
        "http://127.0.0.1:8000",
        description="What callers know this service as; it begins every link and Location we "
        "give out.",
    )
    host: str = Field("127.0.0.1", description="The address that `serve` listens on.")
    port: int = Field(8000, ge=1, le=65535, description="The port that `serve` listens on.")
    metrics_port: int = Field(
        0,
        ge=0,
        le=65535,
        description="The port, on HOST, where `serve` shows its metrics, to the operators alone. "
        "0: in production none; else /metrics is on PORT.",
    )
    worker_metrics_port: int = Field(
        0,
        ge=0,
        le=65535,
        description="The port, on HOST, where a delivery worker shows its metrics. 0: none.",
    )
    token_secret: SecretStr = Field(
        SecretStr(""),
        description="Signs access tokens (32 characters or more). The same for every service "
        "process; without it nothing serves. Several, separated by commas: the first signs, all "
        "verify, so that it can be replaced without a gap.",
    )
    token_lifetime_s: int = Field(
        300,
        ge=30,
        le=300,
        description="Lifetime of an access token; SMART allows at most 300 seconds.",
    )
    client_certificate_header: str = Field(
        "",
        pattern=r"^[A-Za-z0-9-]{0,64}$",
        description="The header in which the TLS proxy hands over a caller's certificate "
        "(URL-encoded PEM, or RFC 9440), such as Client-Cert. The proxy must strip what callers "
        "send under this name. Empty: no certificate counts.",
    )
    oidc_issuers: str = Field(
        "",
        description="Outside issuers whose access tokens are taken besides our own: a JSON list "
        "(deploy/env.example). Empty: none.",
    )
    webhook_key: SecretStr = Field(
        SecretStr(""),
        description="Encrypts webhook secrets at rest (a Fernet key). Losing it means rotating "
        "every secret. Several, separated by commas: the first encrypts, all decrypt; "
        "`rotate-keys` encrypts everything anew.",
    )
    webhook_ports: str = Field(
        "443,8443",
        pattern=r"^ *[0-9]{1,5}( *, *[0-9]{1,5})* *$",
        description="Comma-separated ports to which webhooks and Subscriptions are sent; private "
        "targets are listed with their own.",
    )
    webhook_allow_private: str = Field(
        "",
        description="Comma-separated organization=host:port pairs: an organization's webhook "
        "targets that may be plain HTTP or private addresses (in-house receivers, the "
        "demonstration). Refused in production for plain HTTP.",
    )
    clock_offset_s: float = Field(
        0.0,
        description="Moves the clock of every process (tests and rehearsals). Production refuses "
        "it.",
    )
    clock_offset_file: str = Field(
        "",
        description="A file with the seconds to move the clock by, read again and again by every "
        "process: moves a running deployment in tests and rehearsals. Production refuses it.",
    )
    plans: str = Field(
        "",
        description="Comma-separated plans this deployment serves. Empty: all plans with policy "
        "files.",
    )
    policy_path: str = Field(
        "", description="A folder of policy files in place of the shipped ones."
    )
    policy_switches: str = Field(
        "",
        description="Rules of the policies that this deployment turns on or off: "
        "`sobering-center-age=on, cms-0057-f=off`. The others are as their files say.",
    )
    plan_member_phones: str = Field(
        "",
        description="Comma-separated plan=number pairs: the number that members of a plan call, "
        "where the plan's page has none, such as HPSM=650-555-0100. Letters and the catalog show "
        "it. Production demands one for each plan served whose page has none.",
    )
    body_limit_mb: int = Field(
        5, ge=1, le=32, description="Larger request bodies are answered 413."
    )
    attachment_types: str = Field(
        "",
        description="Comma-separated media types of inline documents that are taken beside the "
        "common clinical ones.",
    )
    connection_limit: int = Field(
        1000,
        ge=1,
        le=100_000,
        description="Connections of one service process; one more is answered 503 and closed.",
    )
    requests_per_minute: int = Field(
        6000,
        ge=0,
        le=10_000_000,
        description="Requests of one client in a minute, over all processes; one more is answered "
        "429 with Retry-After. 0: no limit.",
    )
    checked_members_per_day: int = Field(
        500,
        ge=1,
        le=10_000_000,
        description="Different members about whom one client may ask `$check` by their CIN in a "
        "day; the staff of a member's own plan are not counted.",
    )
    checked_misses_per_hour: int = Field(
        60,
        ge=1,
        le=10_000_000,
        description="Questions of one client to `$check` in an hour whose CIN identified nobody.",
    )
    demonstration: bool = Field(
        False,
        description="Registers the demonstration clients at start. Refused in production.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Log lines are JSON and never carry a value of a payload."
    )
    loop_monitor_ms: float = Field(
        0.0,
        ge=0,
        description="Development: logs every step of a request that holds the event loop for more "
        "milliseconds, with its route, and shows all steps in the metrics. 0: off.",
    )

    @field_validator("database_url", "migration_database_url", "database_listen_url")
    @classmethod
    def _names_a_postgresql(cls, url: str) -> str:
        try:
            named = not url or make_url(url).get_backend_name() in ("postgresql", "postgres")
        except (ArgumentError, ValueError):  # ValueError: a port that is no number
            named = False
        if not named:
            raise ValueError("write it as postgresql://user:password@host:5432/database")
        return url

    @field_validator("webhook_allow_private")
    @classmethod
    def _names_organizations(cls, pairs: str) -> str:
        if any(not _PAIR.fullmatch(pair.strip()) for pair in pairs.split(",") if pair.strip()):
            raise ValueError("write each as organization=host:port, with the organization's id")
        return pairs

    @field_validator("plan_member_phones")
    @classmethod
    def _names_phones(cls, pairs: str) -> str:
        if any(not _PHONE.fullmatch(pair.strip()) for pair in pairs.split(",") if pair.strip()):
            raise ValueError("write each as plan=number, such as HPSM=650-555-0100")
        return pairs

    @field_validator("attachment_types")
    @classmethod
    def _names_media_types(cls, types: str) -> str:
        if any(not _MEDIA_TYPE.fullmatch(one.strip()) for one in types.split(",") if one.strip()):
            raise ValueError("write each as type/subtype, such as audio/mpeg")
        return types

    @field_validator("oidc_issuers")
    @classmethod
    def _names_issuers(cls, text: str) -> str:
        read_issuers(text)
        return text

    @field_validator("webhook_key")
    @classmethod
    def _is_a_key(cls, keys: SecretStr) -> SecretStr:
        try:
            for key in keys.get_secret_value().split(","):
                Fernet(key.strip() or Fernet.generate_key())
        except ValueError:
            raise ValueError("must be 32 bytes in URL-safe base64 (a Fernet key)") from None
        return keys

    @model_validator(mode="after")
    def _production_is_strict(self) -> "Settings":
        if self.environment != "production":
            return self
        faults = [
            name
            for name, wrong in (
                ("DATABASE_URL must be set", not self.database_url),
                (_TOO_SHORT, not self.has_token_secret),
                ("WEBHOOK_KEY must be set", not self.webhook_key.get_secret_value()),
                ("DEMONSTRATION must be off", self.demonstration),
                ("CLOCK_OFFSET_S must be 0", self.clock_offset_s != 0),
                ("CLOCK_OFFSET_FILE must be empty", bool(self.clock_offset_file)),
                (
                    "OIDC_ISSUERS must begin with https://",
                    any(not one.issuer.startswith("https://") for one in self.issuers),
                ),
                (
                    "PUBLIC_URL must begin with https://",
                    not self.public_url.startswith("https://"),
                ),
            )
            if wrong
        ]
        if faults:
            raise ValueError("ENVIRONMENT=production: " + "; ".join(faults))
        return self

    @property
    def token_secrets(self) -> list[str]:
        """The secrets of `TOKEN_SECRET`: the first signs."""
        return [one.strip() for one in self.token_secret.get_secret_value().split(",")]

    @property
    def has_token_secret(self) -> bool:
        return all(len(one) >= 32 for one in self.token_secrets)

    def require_token_secret(self) -> None:
        """Raise `WrongSettings` without a secret; every process that serves or sends calls this."""
        if not self.has_token_secret:
            raise WrongSettings(f"{_TOO_SHORT}: openssl rand -base64 48 makes one.")

    @property
    def webhook_keys(self) -> list[str]:
        """The keys of `WEBHOOK_KEY`: the first encrypts."""
        keys = self.webhook_key.get_secret_value().split(",")
        return [key.strip() for key in keys if key.strip()]

    @property
    def target_ports(self) -> frozenset[int]:
        """The ports of `WEBHOOK_PORTS`."""
        return frozenset(int(port) for port in self.webhook_ports.split(","))

    @property
    def issuers(self) -> Sequence[OutsideIssuer]:
        """The issuers of `OIDC_ISSUERS`."""
        return read_issuers(self.oidc_issuers)

    @property
    def document_types(self) -> list[str]:
        """Media types of `ATTACHMENT_TYPES`."""
        return [one.strip().lower() for one in self.attachment_types.split(",") if one.strip()]

    @property
    def private_targets(self) -> list[tuple[str, str]]:
        """Pairs of `WEBHOOK_ALLOW_PRIVATE`: (organization, `host:port`)."""
        pairs = (pair.strip().partition("=") for pair in self.webhook_allow_private.split(","))
        return [(organization, target.lower()) for organization, _, target in pairs if target]

    @property
    def listen_url(self) -> str:
        """The URL to listen at; empty where only a pooler leads to the database."""
        return self.database_listen_url or ("" if self.database_pooled else self.database_url)

    @property
    def clock_offset(self) -> timedelta:
        return timedelta(seconds=self.clock_offset_s)

    @property
    def token_url(self) -> str:
        return self.public_url.rstrip("/") + "/oauth/token"

    @property
    def introspection_url(self) -> str:
        return self.public_url.rstrip("/") + "/oauth/introspect"

    @property
    def fhir_base(self) -> str:
        return self.public_url.rstrip("/") + "/fhir"


def read_settings() -> Settings:
    """Read the settings from the environment, and secrets from files that it names. Raises
    `WrongSettings`.
    """
    try:
        return Settings(**secrets_in_files())
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        texts = [
            f"{''.join(f'{name}: '.upper() for name in fault['loc'])}"
            f"{fault['msg'].removeprefix('Value error, ')}"
            for fault in faults
        ]
    except ValueError as fault:  # of a file
        texts = [str(fault)]
    raise WrongSettings("\n".join(texts))


@cache
def settings() -> Settings:
    """Return the settings of this process, read once. Raises `WrongSettings`."""
    return read_settings()


VERSION = "0.3.0"
