"""Units of systemd that keep a machine's artifacts ready: a service, and what starts it, a timer and a changed list.

They are for a user's own manager (systemctl --user) and need nothing that only root has.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from argosy.errors import UsageError

NAME = "argosy-prefetch"
# systemd.time(7), in the forms that people use.
_SPAN = re.compile(r"([0-9]+ ?(s|sec|m|min|h|hr|d|day|days|w|week|weeks|hour|hours|minute|minutes) ?)+")


def prefetch_units(command: Sequence[str], settings: Mapping[str, str], watched: Path, every: str) -> dict[str, str]:
    """The units by file name: `command` is run `every` so often, and when the file `watched` changes.

    Raises UsageError for a time that systemd would not take.
    """
    if not _SPAN.fullmatch(every):
        raise UsageError(f"--every {every}: not a span of time", advice="as in 30min, 1h or 1day")
    service = f"""\
[Unit]
Description=Verify, fetch and compile the artifacts that {_percent(str(watched))} names
Documentation=man:systemd.service(5)

[Service]
Type=oneshot
ExecStart={" ".join(quoted(word.replace("$", "$$")) for word in command)}
{"".join(f"Environment={quoted(f'{name}={value}')}{chr(10)}" for name, value in settings.items())}\
Nice=10
NoNewPrivileges=yes
TimeoutStartSec=1h
"""
    timer = f"""\
[Unit]
Description=Look every {every} for artifacts that changed

[Timer]
OnBootSec=2min
OnUnitActiveSec={every}
RandomizedDelaySec=1min

[Install]
WantedBy=timers.target
"""
    path = f"""\
[Unit]
Description=Fetch what is new in {_percent(str(watched))}

[Path]
PathChanged={_percent(str(watched))}

[Install]
WantedBy=paths.target
"""
    return {f"{NAME}.service": service, f"{NAME}.timer": timer, f"{NAME}.path": path}


def quoted(word: str) -> str:
    """A word for Environment=, whose specifiers are not expanded (systemd.exec(5)); ExecStart= doubles each $ besides
    (systemd.service(5), "Command lines")."""
    if any(not letter.isprintable() for letter in word):
        raise UsageError(f"{word!r} cannot stand in a unit of systemd")
    text = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{_percent(text)}"' if re.search(r"[^A-Za-z0-9_=:,.@/%+-]", word) else _percent(text)


def _percent(text: str) -> str:
    return text.replace("%", "%%")
