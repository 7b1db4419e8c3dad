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
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
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
    gate_port: int = Field(8767, description="FastAGI: shall this call be taken?")
    max_calls: int = Field(8, ge=1, description="further calls are refused and go to voicemail")
    longest_call_seconds: float = Field(1200, gt=0, description="then it is wound up")
    watchdog_seconds: float = Field(2.0, gt=0.2, description="a stall this long is fatal")


class Pbx(Section):
    """The restaurant's Asterisk, as the agent reaches it."""

    host: str = "127.0.0.1"
    http_port: int = 8088
    ari_user: str = "pickup"
    ari_password: SecretStr = SecretStr("")
    app: str = "pickup"
    sip_host: str = Field("127.0.0.1", description="where SIP and RTP listen; a real trunk's side")
    sip_port: int = 5060
    ami_user: str = "pickup"
    ami_port: int = 5038
    ami_password: SecretStr = SecretStr("")
    rtp_first: int = 20000
    rtp_last: int = 20199


class Trunk(Section):
    """The SIP trunk that brings the forwarded calls."""

    peer: str = Field("127.0.0.2", description="the provider's signalling address or host")
    peer_port: int = 5070
    number: str = Field("+13165550143", description="the number that calls are forwarded to")


class Carrier(Section):
    """The stand-in phone company (demo, evals, tests only).

    It has a loopback address of its own, so that the trunk is recognised by address alone,
    as a real provider's is.
    """

    host: str = "127.0.0.2"
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
    timeout_seconds: float = Field(
        30, gt=0, description="wait for an answer; Twilio itself gives up after about 26 s"
    )


class Promises(Section):
    """How patiently promises are kept. All in seconds."""

    retry_first_seconds: float = Field(2, gt=0, description="first pause; doubles every time")
    retry_most_seconds: float = Field(300, gt=0, description="no pause is longer")
    uncertain_seconds: float = Field(
        40, gt=0, description="after an attempt of unknown outcome, before the carrier is asked"
    )
    link_give_up_seconds: float = Field(2 * 3600, gt=0, description="a late link only puzzles")
    message_give_up_seconds: float = Field(48 * 3600, gt=0, description="messages to the owner")
    delivery_check_seconds: float = Field(600, gt=0, description="no news? then ask; then rarer")
    delivery_limit_seconds: float = Field(24 * 3600, gt=0, description="stop waiting for news")
    sweep_seconds: float = Field(1, gt=0, description="how often open promises are looked at")


Policy = Literal["take", "voicemail", "reject"]
"""What the gate does with a kind of call: the agent, the mailbox, or a busy signal."""


class Gate(Section):
    """Which calls the agent takes. Hours and holidays stand in the restaurant file."""

    closed: Policy = Field("take", description="outside opening hours, and on holidays")
    anonymous: Policy = Field("take", description="callers who withhold their number")
    failed_attestation: Policy = Field("take", description="STIR/SHAKEN: TN-Validation-Failed")
    spam: Policy = Field("reject", description="numbers listed in <home>/spam.txt")
    staff_only: tuple[str, ...] = Field((), description='e.g. "friday 17:00-20:00": staff alone')
    vip: tuple[str, ...] = Field((), description="numbers that ring through to the staff")
    ring_through: bool = Field(False, description="dialplan/recipes/ring-staff is in place")
    most_load: float = Field(50, gt=0, description="load average per core; more: voicemail")
    rush_calls: int = Field(12, ge=1, description="so many calls in rush_minutes: short script")
    rush_minutes: float = Field(10, gt=0)


class Alerts(Section):
    """Who is told when the line is in danger. Texts go through Twilio, e-mail through smtp_host."""

    sms: tuple[str, ...] = Field((), description="numbers, E.164")
    email: tuple[str, ...] = ()
    email_from: str = "pickup@localhost"
    smtp_host: str = "127.0.0.1"
    smtp_port: int = 25
    settle_seconds: float = Field(30, ge=0, description="a fault shorter than this is not told")


class DialOut(Section):
    """Who may be called from this box. Empty, as it comes: nobody, and no code that could."""

    numbers: tuple[str, ...] = Field((), description="through the trunk, E.164; for the canary")
    phones: tuple[str, ...] = Field((), description="PJSIP endpoints: the restaurant's own phones")


class Canary(Section):
    """The line's own test call; possible once ``dial_out.numbers`` has the public number."""

    at: tuple[str, ...] = Field((), description='local times, as "10:15"; never in open hours')
    text_to: str = Field("", description="test number for the text, E.164; empty: no text")
    within_seconds: float = Field(45, gt=0, description="the call has to be back by then")


class Models(Section):
    """Which engines' models to load; folders or files."""

    ear: Path = CHECKOUT / "stt_models" / "house-en"
    mouth: Path = CHECKOUT / "tts_models" / "house-en" / "voice.onnx"
    embedder: Path = CHECKOUT / "build" / "models" / "all-minilm-l6-v2.gguf"
    mind: Path = CHECKOUT / "llm_models" / "house"
    decide: Path | None = Field(
        None, description="GGUF instruct model asked when the heads are unsure; none: the heads"
    )


class Mind(Section):
    """How the caller's words are taken."""

    decide_seconds: float = Field(
        0.4, gt=0, description="a language model later than this is not waited for"
    )
    decide_all: bool = Field(
        False, description="it decides whatever the heads are unsure of, whatever its file says"
    )


class Review(Section):
    """The review of calls. Without a judge the computed checks stand alone."""

    judge: Path | None = Field(None, description="a chat model's .gguf: the second opinion")
    judge_seconds: float = Field(300, gt=0, description="one answer may take this long")


class Web(Section):
    """The owner's page (``pickup web``); it is served on loopback only."""

    port: int = 8780


class Metrics(Section):
    """Figures for Prometheus, served by the watch at /metrics; nothing in them is personal."""

    host: str = "127.0.0.1"
    port: int = Field(8769, ge=0, description="0: not served; <home>/metrics.prom has them too")


class Backup(Section):
    """Where backups are expected; `pickup doctor` says when the newest is old."""

    folder: Path | None = Field(None, description="none: nobody looks")


class Retention(Section):
    """How long evidence stays. Flagged calls stay until somebody has looked at them."""

    redact_after_days: int = Field(
        90, ge=0, description="then numbers and names are replaced, sound is deleted; 0: never"
    )
    delete_after_days: int = Field(365, ge=0, description="then the folder goes; 0: never")


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
    promises: Promises = Promises()
    gate: Gate = Gate()
    alerts: Alerts = Alerts()
    canary: Canary = Canary()
    dial_out: DialOut = DialOut()
    models: Models = Models()
    mind: Mind = Mind()
    review: Review = Review()
    web: Web = Web()
    metrics: Metrics = Metrics()
    retention: Retention = Retention()
    backup: Backup = Backup()

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
        asked = init_settings.init_kwargs if isinstance(init_settings, InitSettingsSource) else {}
        home = Path(asked.get("home") or os.environ.get("PICKUP_HOME") or CHECKOUT / "var")
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
