"""Generated passwords: made once per home folder, never in git, never a default."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final

from agent.settings import Redis

FILE_NAME: Final = "secrets.toml"

_TEXT: Final = """\
# Made by Pickup. Only this machine's own programs need these; delete the file and restart to renew.

[pbx]
ari_password = "{ari}"
ami_password = "{ami}"

[carrier]
ari_password = "{carrier}"

[redis]
url = "{redis_url}"

# For Twilio's local stand-in; the token of a real account, in pickup.toml, is stronger.
[twilio]
auth_token = "{twilio}"
"""


def ensure_secrets(home: Path) -> Path:
    """Write ``<home>/secrets.toml`` (mode 600) unless it is there, and return its path.

    The file has the shape that ``Settings`` reads, so load the settings after this.
    Two processes may call this at once: the first one's passwords stay.
    """
    home.mkdir(parents=True, exist_ok=True)
    path = home / FILE_NAME
    if path.exists():
        return path
    # 144 bits each; letters, digits, - and _ only, so they need no quoting in any .conf file.
    names = ("ari", "ami", "carrier", "twilio")
    redis_url = Redis().url.replace("://", f"://:{secrets.token_urlsafe(18)}@", 1)
    text = _TEXT.format(**{n: secrets.token_urlsafe(18) for n in names}, redis_url=redis_url)
    draft = home / f".{FILE_NAME}.{os.getpid()}"
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return path
