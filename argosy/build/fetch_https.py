"""Getting a file over https; a transfer that broke is continued where it stopped."""

from __future__ import annotations

from pathlib import Path

import requests

from argosy import process
from argosy.errors import ArgosyError
from argosy.progress import progress

_TIMEOUT = (10.0, 60.0)  # seconds: to connect, and without a byte
_PIECE = 1 << 16  # what a broken transfer loses at most


def fetch_https(url: str, part: Path) -> None:
    """Get `url` into the file `part`, after the bytes already there. Raises ArgosyError with a short reason."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        with requests.get(url, stream=True, timeout=_TIMEOUT, headers=headers) as answer:
            if answer.status_code == requests.codes.range_not_satisfiable:
                return  # all of it is here already; its digest will tell
            if answer.status_code not in (requests.codes.ok, requests.codes.partial):
                raise ArgosyError(f"the server answers {answer.status_code} {answer.reason}")
            continued = answer.status_code == requests.codes.partial
            length = int(answer.headers.get("Content-Length") or 0) or None
            with part.open("ab" if continued else "wb") as file, progress(f"download {part.name}", length) as advance:
                for piece in answer.iter_content(_PIECE):
                    process.stop_if_interrupted()
                    file.write(piece)
                    advance(len(piece))
    except requests.Timeout as error:
        raise ArgosyError("the server does not answer in time") from error
    except requests.exceptions.SSLError as error:
        raise ArgosyError("the server's certificate is not trusted") from error
    except requests.ConnectionError as error:
        raise ArgosyError("no connection to the server") from error
    except requests.RequestException as error:
        raise ArgosyError(f"the transfer failed: {type(error).__name__}") from error
    except OSError as error:
        raise ArgosyError(f"cannot write {part}: {error.strerror or error}") from error
