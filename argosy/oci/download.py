"""Getting a blob from a registry: hashed on its way, continued where it broke (distribution specification, "Pull").

What a file holds of an earlier attempt is only a guess until the digest of the whole comes out right. Where it does
not, and some of it came from earlier, everything is asked for once more.
"""

from __future__ import annotations

import re
from typing import IO

import requests

from argosy.errors import ArgosyError
from argosy.model.manifest import Descriptor
from argosy.oci.patience import Patience
from argosy.oci.registry import Advance, Intake
from argosy.oci.transport import Transport, UnreachableError

_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19}|\*)")


def download(
    transport: Transport,
    url: str,
    descriptor: Descriptor,
    file: IO[bytes],
    advance: Advance,
    *,
    action: str,
    place: str,
) -> None:
    """Write the blob at `url` to `file`, after the beginning of it that the file may hold.

    A broken connection is taken up again from the byte where it broke, as long as the transport's patience lasts
    without a byte more. Raises UnreachableError with what came so far left in `file`; any other ArgosyError, for bytes
    that are not the blob's, with nothing left in it.
    """
    intake = Intake(descriptor, file, advance, place)
    earlier = intake.take_up()
    try:
        _complete(transport, url, intake, action)
        if earlier and not intake.is_right():
            intake.start_over()
            _complete(transport, url, intake, action)
        intake.check()
    except UnreachableError:
        raise
    except ArgosyError:
        intake.start_over()
        raise


def _complete(transport: Transport, url: str, intake: Intake, action: str) -> None:
    """Ask until all bytes are there, or the server says that there are no more."""
    patience = Patience(transport.patience)
    furthest = intake.size
    asked = False
    while not asked or intake.missing:
        try:
            asked = _ask(transport, url, intake, action)
        except UnreachableError:
            # A server that always begins anew and breaks off at the same place does not get on.
            if intake.size > furthest:
                furthest = intake.size
                patience.progressed()
            if not patience.wait():
                raise


def _ask(transport: Transport, url: str, intake: Intake, action: str) -> bool:
    """One request for what is missing. False when the server has no use for its range: the next asks for everything."""
    begin = intake.size
    if begin and not intake.missing:
        return True
    # With its end, without which some servers do not understand it.
    headers = {"Range": f"bytes={begin}-{intake.descriptor.size - 1}"} if begin else {}
    expected = {200, 206, 416} if begin else {200}
    with transport.send("GET", url, action=action, expected=expected, headers=headers) as response:
        if response.status_code == 206:
            _check_range(response, intake, action)
        elif begin:
            intake.start_over()
            if response.status_code == 416:
                return False
        for piece in transport.pieces(response, action=action):
            intake.take(piece)
    if intake.missing:
        intake.check()  # the answer ended where it said it would, and that is too early
    return True


def _check_range(response: requests.Response, intake: Intake, action: str) -> None:
    told = response.headers.get("Content-Range", "")
    match = _RANGE.fullmatch(told.strip())
    total = intake.descriptor.size
    if match is None or int(match[1]) != intake.size or match[3] not in ("*", str(total)) or int(match[2]) >= total:
        raise ArgosyError(
            f"cannot {action}: asked for bytes {intake.size} to {total - 1}, it answers with {told[:100]!r}",
            advice="do not use this registry",
        )
