"""Machine settings: where things are, which ports, which models. Not the restaurant.

Read from, strongest first: environment (``PICKUP_…``, nested with ``__``), then the TOML
file named by ``PICKUP_SETTINGS`` (or ``pickup.toml`` in the home folder), then defaults
that run on loopback out of the checkout. Secrets are generated at set-up into
``<home>/secrets.toml`` (mode 600) and are never in git.
"""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from agent.errors import SettingsError

CHECKOUT: Final = Path(__file__).resolve().parent.parent
"""The checkout this package runs from; models, Asterisk's and dialplan's files lie in it."""


class Section(BaseModel):
    """Base of a settings section: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Agent(Section):
    """The agent's own server, to which Asterisk connects."""

    host: str = "127.0.0.1"
    port: int = 8765
    max_calls: int = Field(8, ge=1, description="further calls are refused and go to voicemail")
    ring_limit_seconds: float = Field(1200, gt=0, description="no call lasts longer than this")
    watchdog_seconds: float = Field(2.0, gt=0.2, description="a stall this long is fatal")


class Pbx(Section):
    """The restaurant's Asterisk, as the agent reaches it."""

    host: str = "127.0.0.1"
    http_port: int = 8088
    ari_user: str = "pickup"
    ari_password: SecretStr = SecretStr("")
    app: str = "pickup"
    sip_port: int = 5060
    ami_port: int = 5038
    ami_password: SecretStr = SecretStr("")
    rtp_first: int = 20000
    rtp_last: int = 20199


class Trunk(Section):
    """The SIP trunk that brings the forwarded calls."""

    peer: str = Field("127.0.0.1", description="the provider's signalling address or host")
    peer_port: int = 5070
    username: str = ""
    password: SecretStr = SecretStr("")


class Carrier(Section):
    """The stand-in phone company (demo, evals, tests only)."""

    http_port: int = 8089
    sip_port: int = 5070
    rtp_first: int = 20200
    rtp_last: int = 20399
    ari_user: str = "caller"
    ari_password: SecretStr = SecretStr("")
    ring_seconds: int = Field(2, ge=1, description="how long the staff phone rings")


class Redis(Section):
    """What is live and queued."""

    url: str = "redis://127.0.0.1:6390/0"


class Twilio(Section):
    """The text-message carrier. ``api_base`` is set only for the local stand-in."""

    account_sid: str = ""
    auth_token: SecretStr = SecretStr("")
    from_number: str = ""
    api_base: str = Field("", description="empty: Twilio itself")
    webhook_host: str = "127.0.0.1"
    webhook_port: int = 8766
    public_webhook_url: str = Field("", description="how Twilio reaches the webhook; empty: none")


class Models(Section):
    """Which engines' models to load; folders or files."""

    ear: Path = CHECKOUT / "stt_models" / "house-en"
    mouth: Path = CHECKOUT / "tts_models" / "house-en" / "voice.onnx"
    embedder: Path = CHECKOUT / "build" / "models" / "all-minilm-l6-v2.gguf"


class Settings(BaseSettings):
    """Everything the machine needs to know. See the module's text for where it comes from."""

    model_config = SettingsConfigDict(
        env_prefix="PICKUP_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    home: Path = CHECKOUT / "var"
    restaurant: Path = CHECKOUT / "evals" / "worlds" / "hikari.toml"
    agent: Agent = Agent()
    pbx: Pbx = Pbx()
    trunk: Trunk = Trunk()
    carrier: Carrier = Carrier()
    redis: Redis = Redis()
    twilio: Twilio = Twilio()
    models: Models = Models()

    @cached_property
    def calls(self) -> Path:
        """Folder of the evidence bundles."""
        return self.home / "calls"

    @cached_property
    def phrases(self) -> Path:
        """Folder of pre-spoken audio."""
        return self.home / "phrases"

    @cached_property
    def open_promises(self) -> Path:
        """Folder with one small file per promise that is not settled yet."""
        return self.home / "promises"

    @cached_property
    def voicemail(self) -> Path:
        """Folder in which the PBX keeps what callers left when the agent was away."""
        return self.home / "pbx" / "spool" / "voicemail"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: arguments, environment, settings file, generated secrets."""
        home = Path(os.environ.get("PICKUP_HOME", CHECKOUT / "var"))
        chosen = Path(os.environ.get("PICKUP_SETTINGS", home / "pickup.toml"))
        return (
            init_settings,
            env_settings,
            TomlConfigSettingsSource(settings_cls, chosen),
            TomlConfigSettingsSource(settings_cls, home / "secrets.toml"),
        )


def load_settings(**overrides: Any) -> Settings:
    """Return the machine's settings.

    Raises:
        SettingsError: a value is missing or wrong; the message names it.
    """
    chosen = os.environ.get("PICKUP_SETTINGS")
    if chosen and not Path(chosen).is_file():
        raise SettingsError(
            f"PICKUP_SETTINGS names {chosen}, which is no file.",
            remedy="Create it or unset the variable.",
        )
    try:
        return Settings(**overrides)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SettingsError(
            f"Setting {where}: {first['msg']}.",
            remedy="Correct it in the settings file or the PICKUP_ environment.",
        ) from error
