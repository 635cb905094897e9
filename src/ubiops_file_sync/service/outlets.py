"""Where the service tells of its work: the log and the metrics, as the configuration wants them."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Self

from ubiops_file_sync.config import Address, Log, Profile, Settings
from ubiops_file_sync.errors import ConfigError
from ubiops_file_sync.logs import open_log_of_service
from ubiops_file_sync.metrics import Listener, Metrics
from ubiops_file_sync.service.lanes import Lane
from ubiops_file_sync.status import read_history


class Outlets:
    """The log and the metrics; opened again with each new configuration."""

    def __init__(self) -> None:
        self.metrics: Metrics | None = None
        """None: nobody wants any."""
        self._listener: Listener | None = None
        self._listens_on: Address | None = None
        self._log: Log | None = None
        self._remembered: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._listener is not None:
            self._listener.close()

    def open(self, settings: Settings) -> None:
        """Be as `settings` say. Raises `ConfigError`, and nothing is changed then."""
        wanted = None if settings.metrics is None else settings.metrics.listen
        metrics = self.metrics
        if settings.metrics is not None and metrics is None:
            metrics = Metrics()
        listener = self._listener
        if wanted != self._listens_on:
            listener = None
            if wanted is not None and metrics is not None:
                listener = metrics.listen(wanted.host, wanted.port)
        try:
            if settings.log != self._log:
                open_log_of_service(settings.log)
        except BaseException:
            if listener is not None and listener is not self._listener:
                listener.close()
            raise
        if self._listener is not None and self._listener is not listener:
            self._listener.close()
        self.metrics = None if settings.metrics is None else metrics
        self._listener, self._listens_on, self._log = listener, wanted, settings.log

    def keep_only(self, settings: Settings, lanes: Iterable[Lane]) -> None:
        """Tell of these profiles and no others, and of what an earlier service did for them."""
        if self.metrics is None:
            return
        lanes = list(lanes)
        self.metrics.keep_only({lane.profile.name for lane in lanes})
        for lane in lanes:
            if lane.profile.name not in self._remembered:
                self._remember(self.metrics, lane.profile, settings)
            self.tell_due(lane)

    def _remember(self, metrics: Metrics, profile: Profile, settings: Settings) -> None:
        """Tell when the passes of an earlier service were, so that an alert outlives a restart."""
        self._remembered.add(profile.name)
        last_s = last_ok_s = None
        with suppress(ConfigError):  # The next pass will tell of it.
            for one in read_history(profile, settings.state_dir):
                if one.ended_us is None:
                    continue
                last_s = last_s or one.ended_us / 1e6
                if one.exit_code == 0:
                    last_ok_s = one.ended_us / 1e6
                    break
        metrics.remember(profile.name, last_s, last_ok_s)

    def tell_due(self, lane: Lane) -> None:
        """Tell when the next pass of a profile is due."""
        if self.metrics is not None and not lane.is_retired:
            when = None if lane.is_paused else lane.due.at.timestamp()
            self.metrics.due(lane.profile.name, when)
