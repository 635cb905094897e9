"""Settings: a YAML file of profiles, or environment variables alone, checked by pydantic.

`load_settings` is the way in. Everything that is wrong with a file is reported at once, in one
`ConfigError`, one line each; no token is ever part of a message (invariant I9).
"""

from ubiops_file_sync.config.addresses import DEFAULT_API_HOST, Address, normalise_api_host
from ubiops_file_sync.config.check import HOST_VARIABLE
from ubiops_file_sync.config.environment import (
    environment_settings,
    newer_files_are_preserved,
    speaks_of_a_profile,
)
from ubiops_file_sync.config.load import find_config, load_settings, user_config_dir
from ubiops_file_sync.config.models import (
    DEFAULT_TOKEN_ENV,
    SYSTEM_CONFIG_DIR,
    SYSTEM_STATE_DIR,
    Profile,
    Settings,
)
from ubiops_file_sync.config.quantities import parse_duration
from ubiops_file_sync.config.service import Log, LogFormat, LogLevel, Metrics

__all__ = [
    "DEFAULT_API_HOST",
    "DEFAULT_TOKEN_ENV",
    "HOST_VARIABLE",
    "SYSTEM_CONFIG_DIR",
    "SYSTEM_STATE_DIR",
    "Address",
    "Log",
    "LogFormat",
    "LogLevel",
    "Metrics",
    "Profile",
    "Settings",
    "environment_settings",
    "find_config",
    "load_settings",
    "newer_files_are_preserved",
    "normalise_api_host",
    "parse_duration",
    "speaks_of_a_profile",
    "user_config_dir",
]
