"""A step's words taken apart: arguments, conditions, targets, functions, variables.

``APPLICATIONS`` and ``FUNCTIONS`` say which module brings each (Asterisk 22); a step that needs a
module that is not loaded would hang up on the caller.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

APPLICATIONS: Final[Mapping[str, str]] = {
    name.lower(): module
    for module, names in {
        "": "Answer Hangup Goto GotoIf GotoIfTime NoOp Set MSet Wait WaitExten Ringing Progress"
        " Proceeding Busy Congestion Background BackGround ExecIfTime ImportVar Incomplete"
        " RaiseException SetAMAFlags SayAlpha SayDigits SayNumber SayPhonetic",
        "app_playback.so": "Playback",
        "app_verbose.so": "Verbose Log",
        "app_voicemail.so": "VoiceMail VoiceMailMain",
        "app_stasis.so": "Stasis",
        "res_agi.so": "AGI EAGI DeadAGI",
        "app_exec.so": "Exec ExecIf TryExec",
        "app_stack.so": "Gosub GosubIf Return StackPop",
        "app_dial.so": "Dial RetryDial",
        "app_originate.so": "Originate",
        "app_system.so": "System TrySystem",
        "app_transfer.so": "Transfer",
        "app_queue.so": "Queue",
        "app_disa.so": "DISA",
        "app_page.so": "Page",
        "app_followme.so": "FollowMe",
        "app_confbridge.so": "ConfBridge",
        "app_record.so": "Record",
        "app_read.so": "Read",
        "app_senddtmf.so": "SendDTMF",
        "app_mixmonitor.so": "MixMonitor StopMixMonitor",
        "app_echo.so": "Echo",
        "app_milliwatt.so": "Milliwatt",
        "app_macro.so": "Macro MacroIf",
        "res_musiconhold.so": "MusicOnHold StartMusicOnHold StopMusicOnHold",
        "app_playtones.so": "PlayTones StopPlayTones",
        "app_bridgewait.so": "BridgeWait",
        "app_sms.so": "SMS",
        "app_externalivr.so": "ExternalIVR",
        "app_chanisavail.so": "ChanIsAvail",
        "app_sendtext.so": "SendText",
        "app_messagesend.so": "MessageSend",
    }.items()
    for name in names.split()
}

FUNCTIONS: Final[Mapping[str, str]] = {
    name: module
    for module, names in {
        "": "PP_EACH_EXTENSION EXTENSION_STATE_NONE",
        "func_callerid.so": "CALLERID CONNECTEDLINE REDIRECTING CALLERPRES DIALEDPEERNAME",
        "func_channel.so": "CHANNEL CHANNELS MASTER_CHANNEL CHANNEL_EXISTS",
        "func_logic.so": "IF IFTIME ISNULL SET EXISTS IMPORT TRUE FALSE",
        "func_strings.so": "FILTER LEN REGEX TOLOWER TOUPPER FIELDNUM FIELDQTY REPLACE QUOTE"
        " CSV_QUOTE STRFTIME STRPTIME STRREPLACE EVAL HASH KEYPADHASH SHIFT POP PUSH UNSHIFT"
        " PASSTHRU LISTFILTER STRBETWEEN TRIM LTRIM RTRIM ARRAY HASHKEYS CLEARHASH",
        "func_timeout.so": "TIMEOUT",
        "func_uri.so": "URIENCODE URIDECODE",
        "func_dialplan.so": "DIALPLAN_EXISTS VALID_EXTEN",
        "func_cut.so": "CUT SORT",
        "func_global.so": "GLOBAL SHARED",
        "func_math.so": "MATH INC DEC",
        "func_rand.so": "RAND",
        "func_db.so": "DB DB_EXISTS DB_DELETE DB_KEYS",
        "func_env.so": "ENV STAT FILE FILE_COUNT_LINE FILE_FORMAT BASENAME DIRNAME",
        "func_shell.so": "SHELL",
        "func_curl.so": "CURL CURLOPT",
        "func_groupcount.so": "GROUP GROUP_COUNT GROUP_MATCH_COUNT GROUP_LIST",
        "res_pjsip_header_funcs.so": "PJSIP_HEADER PJSIP_HEADERS PJSIP_HEADER_PARAM",
        "chan_pjsip.so": "PJSIP_DIAL_CONTACTS PJSIP_MEDIA_OFFER PJSIP_DTMF_MODE",
        "func_devstate.so": "DEVICE_STATE HINT",
        "func_presencestate.so": "PRESENCE_STATE",
    }.items()
    for name in names.split()
}

GIVEN: Final = frozenset(
    {
        "EXTEN",
        "CONTEXT",
        "PRIORITY",
        "CHANNEL",
        "UNIQUEID",
        "LINKEDID",
        "EPOCH",
        "DATETIME",
        "HANGUPCAUSE",
        "ACCOUNTCODE",
        "CALLINGPRES",
        "INVALID_EXTEN",
        "ENTITYID",
        "SYSTEMNAME",
        "ANSWEREDTIME",
        "DIALEDTIME",
        "DIALSTATUS",
        "VMSTATUS",
        "AGISTATUS",
        "STASISSTATUS",
        "PLAYBACKSTATUS",
        "ASTETCDIR",
        "ASTSPOOLDIR",
        "ASTDATADIR",
        "ASTVARLIBDIR",
        "BLINDTRANSFER",
        "TRANSFERERNAME",
        "SIPCALLID",
        "GOSUB_RETVAL",
        "ARGC",
        "READSTATUS",
        "RECORD_STATUS",
        "GATE_VERDICT",
        "GATE_REASON",
        "GATE_SCRIPT",
        "PICKUP_ENDED",
        "PICKUP_VOICEMAIL",
        "PROBE",
    }
)
"""Variables that are there without a Set() in the dialplan."""

DIAL_OUT: Final = frozenset(
    {
        "dial",
        "retrydial",
        "originate",
        "queue",
        "followme",
        "page",
        "disa",
        "confbridge",
        "transfer",
        "bridgewait",
        "chanisavail",
        "sms",
        "sendtext",
        "messagesend",
    }
)
"""Applications that call, or let a caller call, somebody else."""

SYSTEM: Final = frozenset(
    {"system", "trysystem", "eagi", "deadagi", "externalivr", "exec", "tryexec", "macro", "macroif"}
)
"""Applications that run programs, or hide what they run from this check."""

FORBIDDEN_FUNCTIONS: Final = frozenset({"SHELL", "CURL", "EVAL", "FILE", "DB"})

HANGUPS: Final = frozenset({"hangup", "busy", "congestion"})


def split(arguments: str, separator: str = ",") -> list[str]:
    """Split at ``separator`` outside brackets and quotes; parts are stripped."""
    parts, depth, quoted, part = [], 0, False, ""
    for index, sign in enumerate(arguments):
        if sign == '"' and (index == 0 or arguments[index - 1] != "\\"):
            quoted = not quoted
        elif sign in "({[" and not quoted:
            depth += 1
        elif sign in ")}]" and not quoted:
            depth -= 1
        if sign == separator and depth <= 0 and not quoted:
            parts.append(part.strip())
            part = ""
        else:
            part += sign
    return [*parts, part.strip()]


@dataclass(frozen=True, slots=True)
class Branch:
    """A GotoIf or GotoIfTime: where to, if so and if not; an empty target is the next step."""

    condition: str
    then: str
    otherwise: str


def branch(arguments: str) -> Branch | None:
    """Return what a conditional jump's arguments mean; None if they have no ``?``."""
    condition, *targets = split(arguments, "?")
    if len(targets) != 1:
        return None
    then, *otherwise = split(targets[0], ":")
    if len(otherwise) > 1:
        return None
    return Branch(condition, then, otherwise[0] if otherwise else "")


@dataclass(frozen=True, slots=True)
class Target:
    """Where a jump goes; an empty part is the current one."""

    context: str
    exten: str
    priority: str


def target(text: str) -> Target | None:
    """Return what ``context,exten,priority`` in its three lengths means; None if nothing."""
    parts = split(text)
    if not 1 <= len(parts) <= 3 or not all(parts):
        return None
    context, exten, priority = ("", "", *parts)[-3:]
    return Target(context, exten, priority)


def expand(text: str, values: Mapping[str, str]) -> str:
    """Replace ``${NAME}`` by its value where the values know it."""
    for _ in range(8):
        done = re.sub(r"\$\{([A-Za-z_]\w*)\}", lambda found: values.get(found[1], found[0]), text)
        if done == text:
            break
        text = done
    return text


def variables(text: str) -> Iterator[str]:
    """Yield the names of variables that ``text`` reads; functions' arguments included."""
    for found in re.finditer(r"\$\{(?:\w+:)?([A-Za-z_]\w*)(?=[}:])", text):
        yield found[1].lstrip("_")


def functions(text: str) -> Iterator[str]:
    """Yield the names of functions that ``text`` calls."""
    for found in re.finditer(r"\$\{([A-Z_][A-Z0-9_]*)\(", text):
        yield found[1]


def assigned(step_app: str, arguments: str) -> Iterator[tuple[str, str]]:
    """Yield what a Set or MSet assigns: names (or functions with arguments) and values."""
    if step_app.lower() not in ("set", "mset"):
        return
    for part in split(arguments) if step_app.lower() == "mset" else [arguments]:
        name, equals, value = part.partition("=")
        if equals:
            yield name.strip().lstrip("_"), value.strip()
