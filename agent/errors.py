"""Every error Pickup raises on purpose, as one tree.

::

    PickupError
    ├── SettingsError          machine settings can't be read or don't fit      (settings.*)
    ├── RestaurantError        the restaurant file is wrong: line and remedy    (restaurant.*)
    ├── SetupError             something the machine needs is missing           (setup.*)
    │   └── DialplanError      the dialplan can't be put to use, or taken back  (setup.dialplan)
    ├── PhoneError             Asterisk, ARI, media                             (phone.*)
    │   ├── AriError           a REST request to Asterisk was refused           (phone.ari)
    │   └── CallGone           the caller hung up while we were still working   (phone.gone)
    ├── EngineError            a speech or language engine                      (engine.*)
    │   ├── EarError           Vosk or the VAD                                  (engine.ear)
    │   ├── MindError          llama.cpp or the model behind it                 (engine.mind)
    │   │   └── UnbackedClaim  a sentence that nothing backs was stopped        (engine.mind.claim)
    │   └── MouthError         Piper or the audio it made                       (engine.mouth)
    ├── PromiseError           a text or a message could not be carried out     (promise.*)
    │   ├── QueueDown          Redis did not take the job                       (promise.queue)
    │   ├── CarrierRefused     the carrier's API said no, for good              (promise.refused)
    │   └── CarrierUnreachable the carrier's API did not answer, or: later (promise.unreachable)
    │       └── CarrierAccount our key, account or sender is not accepted   (promise.account)
    ├── EvidenceError          a bundle can't be written or read                (evidence.*)
    │   └── NewerBundle        it was written by a newer Pickup                 (evidence.newer)
    └── CaseError              a case file is wrong: line and remedy            (case)

Each has a stable ``code`` for programs and a ``remedy``: one sentence that says what to do.
"""

from __future__ import annotations

from typing import ClassVar


class PickupError(Exception):
    """Base of all errors raised on purpose.

    Attributes:
        code: Stable dotted identifier, safe to match on and to put into metrics.
        remedy: What a person should do about it, one sentence; may be empty.
    """

    code: ClassVar[str] = "pickup"

    def __init__(self, message: str, *, remedy: str = "") -> None:
        """Say what happened (``message``) and what to do about it (``remedy``)."""
        super().__init__(message)
        self.remedy = remedy

    def __str__(self) -> str:
        """Return the message, followed by the remedy where there is one."""
        message = super().__str__()
        return f"{message} {self.remedy}" if self.remedy else message


class SettingsError(PickupError):
    """Machine settings (environment or TOML) can't be read or don't fit together."""

    code = "settings"


class RestaurantError(PickupError):
    """The restaurant file is wrong; the message names file and line."""

    code = "restaurant"


class SetupError(PickupError):
    """Something the machine needs is missing or unusable."""

    code = "setup"


class DialplanError(SetupError):
    """The dialplan is wrong, or could not be put to use or taken back."""

    code = "setup.dialplan"


class PhoneError(PickupError):
    """Something between us and Asterisk went wrong."""

    code = "phone"


class AriError(PhoneError):
    """Asterisk refused a REST request.

    Attributes:
        status: The HTTP status Asterisk answered with.
    """

    code = "phone.ari"

    def __init__(self, message: str, *, status: int, remedy: str = "") -> None:
        """Keep the HTTP ``status`` beside the message."""
        super().__init__(message, remedy=remedy)
        self.status = status


class CallGone(PhoneError):
    """The caller's channel no longer exists; whatever was under way is pointless."""

    code = "phone.gone"


class EngineError(PickupError):
    """A speech or language engine failed."""

    code = "engine"


class EarError(EngineError):
    """The recogniser or the voice activity detector failed."""

    code = "engine.ear"


class MindError(EngineError):
    """The language engine failed or its model does not fit."""

    code = "engine.mind"


class UnbackedClaim(MindError):
    """A sentence is no known phrase, no fact and no receipt: it must not be spoken."""

    code = "engine.mind.claim"


class MouthError(EngineError):
    """The speech synthesiser failed or its voice does not fit."""

    code = "engine.mouth"


class PromiseError(PickupError):
    """A promise could not be carried out (yet)."""

    code = "promise"


class QueueDown(PromiseError):
    """Redis did not take the job; the promise is on disk and will be queued later."""

    code = "promise.queue"


class CarrierRefused(PromiseError):
    """The carrier's API refused for good; trying again would not help.

    Attributes:
        carrier_code: The carrier's own error code (Twilio: 21211, 21610, …), 0 if none.
    """

    code = "promise.refused"

    def __init__(self, message: str, *, carrier_code: int = 0, remedy: str = "") -> None:
        """Keep the carrier's own error code beside the message."""
        super().__init__(message, remedy=remedy)
        self.carrier_code = carrier_code


class CarrierUnreachable(PromiseError):
    """The carrier's API did not answer, or asked us to come back later.

    Attributes:
        carrier_code: The carrier's own error code or HTTP status, 0 if there was no answer.
        retry_after: Seconds the carrier asked us to wait, None if it did not say.
        uncertain: True if the message may have been taken although we were not told so.
    """

    code = "promise.unreachable"

    def __init__(
        self,
        message: str,
        *,
        carrier_code: int = 0,
        retry_after: float | None = None,
        uncertain: bool = False,
        remedy: str = "",
    ) -> None:
        """Keep what the carrier said about when and whether to try again."""
        super().__init__(message, remedy=remedy)
        self.carrier_code = carrier_code
        self.retry_after = retry_after
        self.uncertain = uncertain


class CarrierAccount(CarrierUnreachable):
    """The carrier does not accept our key, our account or our sender's number.

    Nothing can be sent until a person repairs it; promises wait meanwhile.
    """

    code = "promise.account"


class EvidenceError(PickupError):
    """An evidence bundle can't be written or read."""

    code = "evidence"


class NewerBundle(EvidenceError):
    """The bundle was written by a newer Pickup than this one."""

    code = "evidence.newer"


class CaseError(PickupError):
    """A case can't be read or is wrong; the message names file and line."""

    code = "case"
