"""How a child process gets the very settings its parent has: by its environment."""

from __future__ import annotations

import json
import os
from typing import Any

from pydantic import SecretStr

from agent.settings import Settings


def child_environment(settings: Settings) -> dict[str, str]:
    """Return the environment for a child that is to see ``settings``.

    Secrets are left out: the child reads them from ``<home>/secrets.toml`` itself. Only
    Redis's address carries its password; the environment is shown to the same user alone.
    """
    environment = dict(os.environ)
    for name in type(settings).model_fields:
        value = _without_secrets(getattr(settings, name))
        environment[f"PICKUP_{name.upper()}"] = (
            json.dumps(value) if isinstance(value, dict) else str(value)
        )
    return environment


def _without_secrets(value: Any) -> Any:
    if not hasattr(value, "model_fields_set"):
        return value
    return {
        name: str(part) if hasattr(part, "__fspath__") else part
        for name in type(value).model_fields
        if not isinstance(part := getattr(value, name), SecretStr)
    }
