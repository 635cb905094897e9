"""Which settings stand where in a file: at its top, in a profile, within another setting."""

from __future__ import annotations

from pydantic import ConfigDict

from ubiops_file_sync.config import addresses, fields
from ubiops_file_sync.config.models import (
    ONE_SCHEDULE_ONLY,
    ONE_TOKEN_ONLY,
    SCHEDULE_SETTINGS,
    TOKEN_SETTINGS,
    Profile,
    Trash,
)
from ubiops_file_sync.config.service import Log, Metrics, Service

SHARED = ("bandwidth_limit", "quota_share")
"""Settings that a profile has, and that a file may only say for all of them."""
PROFILE_SETTINGS = tuple(n for n in Profile.model_fields if n != "name" and n not in SHARED)
INNER = {
    name: tuple(model.model_fields)
    for name, model in (("trash", Trash), ("log", Log), ("metrics", Metrics))
}
"""Settings that have settings of their own."""
EITHER = (
    (TOKEN_SETTINGS, "is one token too many", ONE_TOKEN_ONLY),
    (SCHEDULE_SETTINGS, "is one schedule too many", ONE_SCHEDULE_ONLY),
)
"""Settings of which a level has one at most, and what is said of more. One replaces whichever of
them is inherited."""
INHERITED = ("api_host", "timezone", *SHARED, *TOKEN_SETTINGS)
"""Settings that may stand at the top of the file for all profiles."""


class Top(Service):
    """The top of the file, without its profiles."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    api_host: addresses.ApiHost = addresses.DEFAULT_API_HOST
    token: fields.Token | None = None
    token_env: fields.VariableName | None = None
    token_file: fields.TokenPath | None = None
    state_dir: fields.LocalPath | None = None
    bandwidth_limit: fields.Rate | None = None
    quota_share: fields.Share = fields.DEFAULT_QUOTA_SHARE


TOP_SETTINGS = ("version", *Top.model_fields, "defaults", "profiles")
