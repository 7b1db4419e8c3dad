"""The PBX's configuration as it is rendered, and where Asterisk and Redis come from."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import tomllib
import wave
from pathlib import Path

import pytest

from agent.errors import SetupError
from agent.service.asterisk import AsteriskServer
from agent.service.asterisk_config import (
    Installation,
    Role,
    find_asterisk,
    render,
    ways_to_dial,
)
from agent.service.redis_server import RedisServer
from agent.service.secrets import ensure_secrets
from agent.settings import CHECKOUT, Settings, load_settings

PARTS = CHECKOUT / "asterisk"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    ensure_secrets(tmp_path)
    return load_settings(home=tmp_path)


@pytest.fixture
def nowhere(tmp_path: Path) -> Installation:
    """Rendering needs an Asterisk's paths, not Asterisk."""
    return Installation(tmp_path / "asterisk", tmp_path, tmp_path, "22.10.1")


# ── secrets ─────────────────────────────────────────────────────────────────────────────


def test_secrets_are_made_once_for_this_user_only(tmp_path: Path) -> None:
    first = ensure_secrets(tmp_path / "new")
    text = first.read_text()
    assert stat.S_IMODE(first.stat().st_mode) == 0o600
    assert ensure_secrets(tmp_path / "new").read_text() == text
    assert list((tmp_path / "new").iterdir()) == [first]


def test_every_home_has_its_own_secrets_and_settings_read_them(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    passwords = []
    for home in (one, two):
        ensure_secrets(home)
        settings = load_settings(home=home)
        passwords += [
            settings.pbx.ari_password.get_secret_value(),
            settings.pbx.ami_password.get_secret_value(),
            settings.carrier.ari_password.get_secret_value(),
            settings.twilio.auth_token.get_secret_value(),
            settings.redis.url,
        ]
    assert len(set(passwords)) == 10
    assert all(len(password) >= 24 for password in passwords)
    assert tomllib.loads((one / "secrets.toml").read_text()).keys() == {
        "pbx",
        "carrier",
        "redis",
        "twilio",
    }


# ── rendering ───────────────────────────────────────────────────────────────────────────


def test_render_names_what_it_does_not_know() -> None:
    assert render("port = @port@ ; @", {"port": "5060"}) == "port = 5060 ; @"
    with pytest.raises(SetupError, match="@prot@"):
        render("port = @prot@", {"port": "5060"})


@pytest.mark.parametrize("value", ["a;b", "a\nb", "a\r[trunk]"])
def test_render_lets_no_value_break_the_syntax(value: str) -> None:
    with pytest.raises(SetupError, match="can't stand"):
        render("user = @user@", {"user": value})


@pytest.mark.parametrize("role", ["pbx", "carrier"])
def test_every_template_renders_for_this_user_only(
    role: Role, settings: Settings, nowhere: Installation
) -> None:
    server = AsteriskServer(role, settings, nowhere)
    server.render()
    server.render()
    written = {file.name for file in server.etc.iterdir()}
    assert {file.name for file in (PARTS / role).glob("*.conf")} <= written
    for file in server.etc.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert not re.search(r"@[a-z_]+@", file.read_text()), file.name


def test_a_file_of_an_older_version_does_not_linger(
    settings: Settings, nowhere: Installation
) -> None:
    server = AsteriskServer("pbx", settings, nowhere)
    server.render()
    (server.etc / "pjsip_old.conf").write_text("[anyone]\n")
    server.render()
    assert not (server.etc / "pjsip_old.conf").exists()


def test_numbers_are_known_in_every_way_a_trunk_writes_them(
    settings: Settings, nowhere: Installation
) -> None:
    assert ways_to_dial("+13165550142") == ("13165550142", "3165550142")
    assert ways_to_dial("+442071838750") == ("442071838750", "2071838750")
    server = AsteriskServer("pbx", settings, nowhere)
    server.render()
    numbers = re.search(r"^NUMBERS = (.*)$", (server.etc / "extensions.conf").read_text(), re.M)
    assert numbers is not None
    assert numbers[1] == "13165550143-3165550143-13165550142-3165550142"


def test_the_restaurants_name_cannot_become_configuration(
    tmp_path: Path, nowhere: Installation
) -> None:
    hikari = (CHECKOUT / "evals" / "worlds" / "hikari.toml").read_text()
    world = tmp_path / "world.toml"
    world.write_text(hikari.replace('name = "Hikari', 'name = "A,b;c\\n[d]=> Hikari', 1))
    server = AsteriskServer("pbx", load_settings(home=tmp_path, restaurant=world), nowhere)
    server.render()
    assert "restaurant => ,A b c  d    Hikari Sushi" in (server.etc / "voicemail.conf").read_text()


def test_a_home_too_deep_for_the_control_socket_is_refused(
    tmp_path: Path, nowhere: Installation
) -> None:
    deep = tmp_path / ("d" * 80)
    with pytest.raises(SetupError, match="too long"):
        AsteriskServer("pbx", load_settings(home=deep), nowhere).start()


def test_redis_elsewhere_is_not_ours_to_start(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path, redis={"url": "redis://db.example:6379/0"})
    with pytest.raises(SetupError, match="not on this machine"):
        RedisServer(settings).start()


# ── nothing dials out, nothing listens ──────────────────────────────────────────────────


def test_the_pbx_loads_nothing_that_dials_runs_programs_or_takes_strangers() -> None:
    modules = (PARTS / "pbx" / "modules.conf").read_text()
    assert "autoload = no" in modules
    for name in (
        "app_dial",
        "app_originate",
        "app_system",
        "app_exec",
        "app_transfer",
        "app_disa",
        "app_queue",
        "func_shell",
        "func_curl",
        "pbx_spool",
        "res_pjsip_refer",
        "res_pjsip_registrar",
        "res_pjsip_endpoint_identifier_anonymous",
        "res_pjsip_endpoint_identifier_user",
        "res_clioriginate",
    ):
        assert f"load = {name}.so" not in modules


def test_by_default_everything_listens_on_loopback(
    settings: Settings, nowhere: Installation
) -> None:
    for role, host in (("pbx", "127.0.0.1"), ("carrier", "127.0.0.2")):
        server = AsteriskServer(role, settings, nowhere)  # type: ignore[arg-type]
        server.render()
        for file in server.etc.glob("*.conf"):
            bound = re.findall(
                r"^(?:bind|bindaddr|media_address) = ([\d.]+)", file.read_text(), re.M
            )
            assert set(bound) <= {host}, file.name


def test_the_apology_is_what_a_telephone_line_can_play() -> None:
    for name in ("apology", "not-kept"):
        with wave.open(str(PARTS / "sounds" / f"{name}.wav")) as prompt:
            assert (prompt.getframerate(), prompt.getnchannels()) == (8000, 1)
            assert prompt.getsampwidth() == 2
            assert prompt.getnframes() > 8000


# ── asterisk/install ────────────────────────────────────────────────────────────────────


def fake_asterisk(root: Path, version: str, *, websocket: bool = True, sounds: bool = True) -> Path:
    """Lay out an installation that says which version it is."""
    binary = root / "sbin" / "asterisk"
    modules = root / "lib" / "asterisk" / "modules"
    prompts = root / "share" / "asterisk" / "sounds" / "en"
    for folder in (binary.parent, modules, prompts):
        folder.mkdir(parents=True)
    binary.write_text(f"#!/bin/sh\necho 'Asterisk {version}'\n")
    binary.chmod(0o755)
    if websocket:
        (modules / "chan_websocket.so").touch()
    if sounds:
        (prompts / "vm-intro.gsm").touch()
    return binary


def install(root: Path, binary: Path) -> subprocess.CompletedProcess[str]:
    """Run a copy of the installer that has no Debian to fall back to."""
    here = root / "asterisk"
    here.mkdir()
    shutil.copy(PARTS / "install", here)
    (here / "unpack-debs").write_text("#!/bin/sh\necho 'would unpack'\nexit 1\n")
    (here / "unpack-debs").chmod(0o755)
    path = f"{binary.parent}:{os.environ['PATH']}"
    return subprocess.run(
        [here / "install", "asterisk"],
        env={"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("version", ["20.18.0", "22.8.0", "22.10.1~dfsg+~cs6", "23.2.1", "24.0.0"])
def test_a_fitting_asterisk_on_path_is_used(tmp_path: Path, version: str) -> None:
    binary = fake_asterisk(tmp_path / "usr", version)
    done = install(tmp_path, binary)
    assert done.returncode == 0, done.stderr
    found = find_asterisk(tmp_path / "build")
    assert found.binary == binary
    assert found.modules == tmp_path / "usr" / "lib" / "asterisk" / "modules"
    assert found.data == tmp_path / "usr" / "share" / "asterisk"
    assert version.startswith(found.version)


@pytest.mark.parametrize(
    ("version", "lacks"),
    [
        ("16.28.0", ""),
        ("20.17.0", ""),
        ("21.12.0", ""),
        ("22.7.0", ""),
        ("23.1.0", ""),
        ("SVN-trunk", ""),
        ("22.10.1", "websocket"),
        ("22.10.1", "sounds"),
    ],
)
def test_an_asterisk_that_does_not_fit_is_passed_over(
    tmp_path: Path, version: str, lacks: str
) -> None:
    has = {name: name != lacks for name in ("websocket", "sounds")}
    done = install(tmp_path, fake_asterisk(tmp_path / "usr", version, **has))
    assert done.returncode != 0
    assert "would unpack" in done.stdout
    assert not (tmp_path / "build" / "asterisk.toml").exists()


def test_what_was_never_set_up_says_so(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="make setup"):
        find_asterisk(tmp_path)


# ── asterisk/unpack-debs ────────────────────────────────────────────────────────────────

SOURCES = {
    "deb822": (
        "debian.sources",
        "Types: deb deb-src\n# a comment\nURIs: http://deb.test/debian/\n"
        "Suites: {release} {release}-updates\nComponents: main contrib\n\n"
        "Types: deb\nURIs: http://security.test/debian-security\n"
        "Suites: {release}-security\nComponents: main\n",
    ),
    "one line": ("debian.list", "deb [arch=amd64] http://deb.test/debian/ {release} main # yes\n"),
    "others too": (
        "all.list",
        "# deb http://old.test/debian {release} main\n"
        "deb http://tools.test/apt {release} main\n"
        "deb https://docker.test/linux/debian {release} stable\n"
        "deb http://deb.test/debian/ {release} main\n",
    ),
    "disabled": (
        "a.sources",
        "Enabled: no\nTypes: deb\nURIs: http://off.test/debian\nSuites: {release}\n"
        "Components: main\n\nTypes: deb\nURIs:\n http://deb.test/debian/\nSuites: {release}\n"
        "Components: main\n",
    ),
}


def unpack(tmp_path: Path, name: str, text: str) -> subprocess.CompletedProcess[str]:
    """Run unpack-debs with apt sources of our own; no network, so it names what it tried."""
    parts = tmp_path / "sources"
    parts.mkdir()
    release = re.search(r"^VERSION_CODENAME=(\w+)", Path("/etc/os-release").read_text(), re.M)
    assert release is not None
    (parts / name).write_text(text.format(release=release[1]))
    config = tmp_path / "apt.conf"
    config.write_text(
        f'Dir::Etc::sourcelist "/dev/null"; Dir::Etc::sourceparts "{parts}";\n'
        'Acquire::Retries "0"; Acquire::http::Proxy "http://127.0.0.1:9/";\n'
    )
    return subprocess.run(
        [PARTS / "unpack-debs", "forky", tmp_path / "out", "hello"],
        env={"PATH": os.environ["PATH"], "APT_CONFIG": str(config)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.skipif(not shutil.which("apt-get"), reason="apt is Debian's")
@pytest.mark.parametrize("form", SOURCES)
def test_the_mirror_is_read_from_the_machines_own_sources(tmp_path: Path, form: str) -> None:
    done = unpack(tmp_path, *SOURCES[form])
    tried = re.findall(r"^Reading Debian forky from (\S+) ", done.stdout, re.M)
    assert tried[0] == "http://deb.test/debian"
    assert not {"http://off.test/debian", "http://old.test/debian"} & set(tried)
    assert not any("docker" in mirror or "security" in mirror for mirror in tried)
    assert done.returncode == 1
    assert "Is the network up?" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(not shutil.which("apt-get"), reason="apt is Debian's")
def test_without_a_debian_mirror_the_remedy_is_said(tmp_path: Path) -> None:
    done = unpack(tmp_path, "none.list", "deb http://tools.test/apt jammy universe\n")
    assert done.returncode == 1
    assert "Set MIRROR" in done.stderr
