"""Read the settings: the only module that reads the environment.

Every setting is the environment variable `SENTIMENT_<NAME>`. The embedded default writes the addresses of its
database to `<home>/embedded.env`, which is read here too; a real variable wins over it. A relative path is one of
the folder in which the command is typed; processes that work in another one get it absolute, by `resolved_paths`.
"""

from __future__ import annotations

import os
import re
from functools import lru_cache
from pathlib import Path

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from sentiment.errors import ParameterError, quoted
from sentiment.labels import UNCERTAIN_HIGH, UNCERTAIN_LOW

PROJECT_ROOT = Path(__file__).resolve().parents[2]
DEFAULT_HOME = PROJECT_ROOT / ".local"
EMBEDDED_ENV = "embedded.env"
PATHS = ("home", "cache", "lake", "models", "data_docs", "dumps", "sources", "jars", "failure_note")
"""Settings that name a file or folder of this machine, or where they may, an address like `s3a://bucket/prefix`."""
MEMORY_PATTERN = r"^\d+[kmgtKMGT]?$"
SOURCE_PATTERN, MODEL_PATTERN = r"^[a-z][a-z0-9_]{0,30}$", r"^[A-Za-z0-9][\w.-]{0,99}$"


class Settings(BaseSettings):
    """What differs between one machine and a cluster; each field's description is its row in the README."""

    model_config = SettingsConfigDict(env_prefix="SENTIMENT_", env_ignore_empty=True, extra="ignore")

    home: Path = Field(DEFAULT_HOME, description="folder with all state of the embedded default")
    cache: Path = Field(
        Path("~/.cache/sentiment"),
        description="folder for jars and the archive of their classes, shared by checkouts",
    )

    database_url: SecretStr | None = Field(
        None, description="reviews database as the writer role, `postgresql://user:password@host:port/name`"
    )
    owner_url: SecretStr | None = Field(None, description="the same database as the owner role: migrations only")
    reader_url: SecretStr | None = Field(None, description="the same database as the reader role")
    superuser_url: SecretStr | None = Field(
        None, description="an administrator's address on a server of your own: only for `sentiment db roles`"
    )
    airflow_url: SecretStr | None = Field(
        None, description="address of Airflow's database on that server, whose role `sentiment db roles` makes"
    )
    postgres_port: int = Field(0, ge=0, le=65535, description="port of the embedded Postgres; 0: a free one")
    airflow_port: int = Field(8080, ge=1, le=65535, description="port of Airflow's UI on 127.0.0.1")

    lake: str = Field("", description="the run workspace: Parquet between steps, a folder or `s3a://`; `<home>/lake`")
    models: Path = Field(
        Path(""), description="folder of added models, which a cluster's workers must read too; `<home>/models`"
    )
    data_docs: Path = Field(Path(""), description="folder of Great Expectations' pages; `<home>/data_docs`")
    dumps: str = Field("", description="where scheduled nights look, `{night}` is the date; `<home>/dumps/*{night}*`")
    dump_wait_minutes: int = Field(180, ge=0, description="how long a scheduled night waits for its dump")
    source: str = Field("allocine", pattern=SOURCE_PATTERN, description="default source")
    sources: Path | None = Field(None, description="folder of your own source profiles, `<name>.toml`")
    model: str = Field("cinema-fr", pattern=MODEL_PATTERN, description="default model")

    spark_master: str = Field("local[*]", description="`local[*]`, `spark://host:7077`, `yarn`, `k8s://…`")
    spark_driver_memory: str = Field(
        "2560m", pattern=MEMORY_PATTERN, description="memory of the driver (locally: of everything)"
    )
    spark_executor_memory: str = Field("4g", pattern=MEMORY_PATTERN, description="memory of one executor on a cluster")
    spark_conf: dict[str, str] = Field(default_factory=dict, description="more Spark settings, as JSON")
    jars: str = Field("", description="folder with the jars; empty: fetched to `<cache>/jars`")

    max_record_bytes: int = Field(16 << 20, gt=0, description="longest record read, in bytes")
    max_decompression_ratio: float = Field(200.0, gt=1, description="most bytes out per compressed byte in")
    min_text_chars: int = Field(1, ge=1, le=1000, description="shortest review text accepted, in visible characters")
    max_text_chars: int = Field(50_000, gt=0, description="longest review text accepted, in characters")
    check_language: bool = Field(True, description="whether texts long enough to tell must be French")
    max_quarantine_share: float = Field(0.2, ge=0, le=1, description="share quarantined that stops a night")
    max_unread_share: float = Field(
        0.2, ge=0, le=1, description="share of a column's values that can't be read that stops a night"
    )
    min_night_share: float = Field(
        0.2,
        ge=0,
        le=1,
        description="records, and accepted reviews, as a share of recent nights' median: below it a night stops",
    )
    min_full_share: float = Field(
        0.9, ge=0, le=1, description="the same of records, where a source profile's dumps list everything again"
    )
    max_night_share: float = Field(5.0, ge=1, description="the same: above it a night stops")
    uncertain_low: float = Field(UNCERTAIN_LOW, ge=0, le=1, description="p_positive from here is uncertain")
    uncertain_high: float = Field(UNCERTAIN_HIGH, ge=0, le=1, description="p_positive up to here is uncertain")
    statement_timeout_s: int = Field(
        1800, gt=0, description="longest statement while publishing, in seconds; at most the task's timeout"
    )
    lock_timeout_s: int = Field(60, gt=0, description="longest wait for a lock of the reviews database, in seconds")

    keep_superseded_days: int = Field(
        90, ge=1, description="versions and refused records of superseded runs, and failures without a run, are kept"
    )
    keep_quarantine_days: int = Field(30, ge=1, description="payloads of quarantined records are kept, in days")
    keep_lake_days: int = Field(14, ge=1, description="Parquet of a night that is over is kept, in days")
    keep_retired_days: int = Field(30, ge=1, description="scores of a retired model are kept, in days")
    keep_night_months: int = Field(
        24, ge=1, description="which reviews each night listed is kept (`night_review`), in months"
    )
    maintain_removes: bool = Field(False, description="whether scheduled runs of maintain_store remove, or only list")

    failure_note: Path | None = Field(
        None, description="file for a night's run, or its failed task's error; set by `make nightly`"
    )

    @field_validator(*PATHS, mode="before")
    @classmethod
    def _resolve(cls, value: object) -> object:
        # Of defaults, which come here too, none is text but the empty one.
        if not isinstance(value, str) or not value or "://" in value:
            return value
        # Not `resolve`: a folder that is a link keeps the name by which others know it.
        try:
            return os.path.abspath(Path(value).expanduser())
        except RuntimeError as error:  # ~name, and there is no such user
            raise ValueError(str(error)) from None

    @model_validator(mode="after")
    def _derive_folders(self) -> Settings:
        self.home = self.home.expanduser().resolve()
        self.cache = self.cache.expanduser().resolve()
        self.lake = self.lake.rstrip("/") or str(self.home / "lake")
        self.dumps = self.dumps or str(self.home / "dumps" / "*{night}*")
        if self.models == Path(""):
            self.models = self.home / "models"
        if self.data_docs == Path(""):
            self.data_docs = self.home / "data_docs"
        if self.uncertain_low > self.uncertain_high:
            raise ValueError("SENTIMENT_UNCERTAIN_LOW must not exceed SENTIMENT_UNCERTAIN_HIGH")
        return self

    def resolved_paths(self) -> dict[str, str]:
        """Return variable -> absolute path or address of every setting in `PATHS` that has a value."""
        values = {name: getattr(self, name) for name in PATHS}
        return {f"SENTIMENT_{name.upper()}": str(value) for name, value in values.items() if value}

    @property
    def embedded_url(self) -> str | None:
        """The address of this home's own server as the writer, whether it runs or not; None before its first start."""
        return dotenv_values(self.home / EMBEDDED_ENV).get("SENTIMENT_DATABASE_URL")

    @property
    def models_served(self) -> Path:
        """Return the folder of copies that networks are loaded from, with fused graph and shielded vocabulary."""
        return self.models / ".served"


@lru_cache(maxsize=1)
def load() -> Settings:
    """Return the settings, read once a process; `load.cache_clear()` makes the next call read them again.

    Raises ParameterError, naming the variables, for values that their settings don't take.
    """
    # Read by hand, since the file with the other settings lies there.
    home = os.environ.get("SENTIMENT_HOME") or DEFAULT_HOME
    try:
        return Settings(_env_file=Path(home).expanduser() / EMBEDDED_ENV)
    except ValidationError as error:
        raise _wrong_values("; ".join(_fault(one) for one in error.errors())) from None
    except RuntimeError as error:
        raise _wrong_values(f"SENTIMENT_HOME is {home!r}: {error}") from None
    except SettingsError as error:  # a value that is no JSON; its text names the field
        name = re.findall(r'field "(\w+)"', str(error))[0]
        raise _wrong_values(f"SENTIMENT_{name.upper()} is no JSON") from None


def _fault(error: ErrorDetails) -> str:
    if not error["loc"]:  # of several settings together; its text names them
        return error["msg"]
    return f"SENTIMENT_{str(error['loc'][0]).upper()} is {error['input']!r}: {error['msg']}"


def _wrong_values(faults: str) -> ParameterError:
    variables = sorted(set(re.findall(r"SENTIMENT_[A-Z_]+", faults)))
    return ParameterError(f"{faults}; expected what the README lists.", f"unset {' '.join(map(quoted, variables))}")
