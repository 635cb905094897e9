"""Profiles of other configurations that this user has."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ubiops_file_sync.config.load import load_settings, usual_places
from ubiops_file_sync.config.models import Profile
from ubiops_file_sync.config.overlap import overlaps
from ubiops_file_sync.errors import ConfigError


def met_elsewhere(profile: Profile, own: Path, env: Mapping[str, str], cwd: Path) -> str | None:
    """What is wrong if a profile of a file in the usual places, but for `own`, meets this one;
    None: none does."""
    for place in usual_places(env, cwd):
        if place == own or not place.is_file():
            continue
        try:
            others = dict(load_settings(place, env, cwd).profiles)
        except ConfigError:
            continue  # It runs nothing as it is.
        # Under no name that a profile can have: one of theirs may be called the same.
        for name, message in overlaps({**others, "": profile}):
            if name == "":
                return f"{message} (it is in {place})"
    return None
