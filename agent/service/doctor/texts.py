"""The text-message carrier: reached, our account, our number; and by its clock, ours."""

from __future__ import annotations

import asyncio
from email.utils import parsedate_to_datetime
from typing import Any, Final

import requests
from twilio.request_validator import RequestValidator

from agent.promises.twilio import STATUS_PATH
from agent.service.doctor.finding import Finding, Patient, bad, warn, well

API: Final = "https://api.twilio.com"

SECONDS: Final = 10.0

MOST_SKEW: Final = 60.0
"""Seconds; Twilio's signatures and TLS bear more, the restaurant's hours less."""


async def texts(patient: Patient) -> Finding:
    """Twilio knows our account, and the number may send texts."""
    twilio = patient.settings.twilio
    if not twilio.account_sid:
        do = "Set [twilio] account_sid and from_number; docs/line.md, step 3."
        return warn("twilio", "No account is set: no text can be sent.", do)
    answer = await _ask(patient, "/Messages.json?PageSize=1")
    if answer is None:
        return bad(
            "twilio", "Twilio's API does not answer.", "Check the network and its status page."
        )
    if answer.status_code == 401:
        do = "Copy account_sid and auth_token from Twilio's console anew."
        return bad("twilio", "Twilio refuses our account or token (401).", do)
    if answer.status_code >= 400:
        saw = f"Twilio answers {answer.status_code}: {answer.text[:120]}"
        return bad("twilio", saw, "Look the code up at twilio.com/docs/api/errors.")
    number = twilio.from_number
    answer = await _ask(patient, "/IncomingPhoneNumbers.json", PhoneNumber=number)
    rows: list[dict[str, Any]] = answer.json().get("incoming_phone_numbers", []) if answer else []
    if not rows:
        return bad("twilio", f"{number} is no number of this account.", "Correct from_number.")
    if not rows[0].get("capabilities", {}).get("sms"):
        return bad("twilio", f"{number} can't send texts.", "Buy a number with SMS, or enable it.")
    if not twilio.public_webhook_url:
        do = "Set public_webhook_url; until then delivery is asked for every ten minutes."
        return warn(
            "twilio", "No webhook: delivery news come late, and no text from the owner.", do
        )
    return well("twilio", f"Account answers; {number} sends texts.")


async def webhook(patient: Patient) -> Finding:
    """What Twilio would tell us arrives, at the address that Twilio is given, with our token."""
    twilio = patient.settings.twilio
    if not twilio.public_webhook_url:
        return well("webhook", "None is set.")
    address = f"{twilio.public_webhook_url.rstrip('/')}{STATUS_PATH}"
    signer = RequestValidator(twilio.auth_token.get_secret_value())
    head = {"X-Twilio-Signature": signer.compute_signature(address, {})}

    def post() -> int | str:
        with requests.Session() as http:
            http.trust_env = not twilio.api_base
            try:
                return http.post(address, headers=head, timeout=SECONDS).status_code
            except requests.RequestException as error:
                return type(error).__name__

    answer = await asyncio.to_thread(post)
    if answer == 204:
        return well("webhook", f"{address} reaches our worker.")
    if answer == 403:
        saw = f"{address} refuses our signature."
        return bad("webhook", saw, "Restart the worker: it has another auth_token or address.")
    saw = f"{address} does not reach our worker ({answer})."
    do = "See the proxy (deploy/examples/Caddyfile). Some routers let only the outside in by it."
    return warn("webhook", saw, do)


async def clock(patient: Patient) -> Finding:
    """Our clock and Twilio's agree."""
    answer = await _ask(patient, "/Messages.json?PageSize=1")
    if answer is None or "Date" not in answer.headers:
        return well("clock", "Nobody to compare with.")
    theirs = parsedate_to_datetime(answer.headers["Date"]).timestamp()
    skew = patient.clock() - theirs
    if abs(skew) > MOST_SKEW:
        saw = f"This machine's clock is {abs(skew):.0f} s {'ahead' if skew > 0 else 'behind'}."
        return bad("clock", saw, "timedatectl set-ntp true: hours and evidence depend on it.")
    return well("clock", f"{abs(skew):.0f} s from Twilio's.")


async def _ask(patient: Patient, path: str, **query: str) -> requests.Response | None:
    twilio = patient.settings.twilio
    base = twilio.api_base or API
    url = f"{base}/2010-04-01/Accounts/{twilio.account_sid or 'unset'}{path}"
    auth = (twilio.account_sid, twilio.auth_token.get_secret_value())

    def get() -> requests.Response | None:
        with requests.Session() as http:
            http.trust_env = not twilio.api_base  # a proxy can't reach our loopback
            try:
                return http.get(url, params=query, auth=auth, timeout=SECONDS)
            except requests.RequestException:
                return None

    return await asyncio.to_thread(get)
