"""The files from which systemd hands tokens to a service."""

from __future__ import annotations

from pathlib import Path

from ubiops_file_sync.config import DEFAULT_TOKEN_ENV, SYSTEM_CONFIG_DIR, Settings


def delivered_tokens(settings: Settings, folder: Path = SYSTEM_CONFIG_DIR) -> dict[str, Path]:
    """The file of each token that a profile reads from a variable, by the variable's name."""
    names = [
        profile.token_env or DEFAULT_TOKEN_ENV
        for profile in settings.profiles.values()
        if profile.token is None and profile.token_file is None
    ]
    return {
        name: folder / ("token" if name == DEFAULT_TOKEN_ENV else f"token.{name}") for name in names
    }
