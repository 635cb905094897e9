"""What a configuration says of the service as a whole, and not of one profile."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, model_validator

from ubiops_file_sync.config import addresses, fields
from ubiops_file_sync.parts import MIB

NO_METRICS = "names no place for the metrics; add listen, textfile or both below it"


class LogLevel(StrEnum):
    """What is told: these messages, and those of greater weight."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """How a message is written."""

    TEXT = "text"
    """A line for people."""
    JSON = "json"
    """A line that is a JSON object, for programs."""


class Log(BaseModel):
    """What is logged and where. Several processes may write the same file."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    file: fields.LocalPath | None = None
    """Absolute; None: standard error, which systemd gives to the journal."""
    level: LogLevel = LogLevel.INFO
    """What is told: these messages, and those of greater weight."""
    format: LogFormat = LogFormat.TEXT
    """`text`: lines for people; `json`: lines for programs."""
    max_size: fields.LogSize = 10 * MIB
    """Bytes at which a file is set aside and a new one begun."""
    backups: fields.Backups = 5
    """How many files that were set aside are kept."""


class Metrics(BaseModel):
    """Where Prometheus finds the metrics: at an address, in a file, or both."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    listen: addresses.Listen | None = None
    """Where they are served over HTTP; anyone who can connect may read them."""
    textfile: fields.MetricsPath | None = None
    """The file that node_exporter's textfile collector reads, absolute; its name ends in .prom."""

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        if not self.model_fields_set:
            raise ValueError(NO_METRICS)
        return self


class Service(BaseModel):
    """The settings of a service, as they stand at the top of a file."""

    timezone: fields.TimeZone | None = None
    """IANA name in which the schedules of profiles without one are read; None: the system's."""
    max_concurrent_profiles: fields.Workers = 4
    """How many profiles are passed over at the same time."""
    stop_timeout: fields.Seconds = 30.0
    """Seconds that the transfers under way are given when the service is stopped."""
    history_days: fields.Days = 90
    """Days for which what passes did is kept."""
    log: Log = Log()
    """What is logged and where."""
    metrics: Metrics | None = None
    """Where Prometheus finds the metrics; None: nowhere."""
    """None: there are none."""
