"""A registry that lies is found out, costs little, and learns nothing."""

from __future__ import annotations

import base64
import io
import itertools
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from email.utils import formatdate
from pathlib import Path

import pytest
from artifacts import artifact
from lying_server import Answer, Asked, LyingServer, lying_server

from argosy.errors import ArgosyError
from argosy.model.digest import Digest
from argosy.model.manifest import INDEX, MANIFEST, Descriptor, Manifest
from argosy.model.reference import Reference
from argosy.oci import upload
from argosy.oci.open import open_registry
from argosy.oci.push import push
from argosy.oci.registry import Registry
from argosy.oci.transport import UnreachableError

USER, PASSWORD = "captain", "ithaca-0451"
BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
BLOB = Descriptor(media_type="application/wasm", digest=Digest.of(b"cargo"), size=5)
Start = Callable[[Callable[[Asked], Answer]], LyingServer]


@pytest.fixture
def start() -> Iterator[Start]:
    with ExitStack() as stack:
        yield lambda answer: stack.enter_context(lying_server(answer))


@pytest.fixture(autouse=True)
def known_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARGOSY_USERNAME", USER)
    monkeypatch.setenv("ARGOSY_PASSWORD", PASSWORD)


def registry(server: LyingServer, patience: float = 1) -> Registry:
    return open_registry(Reference.parse(f"{server.host}/argo"), patience=patience)


def fetch(place: Registry) -> bytes:
    file = io.BytesIO()
    try:
        place.blob(BLOB, file, lambda amount: None)
    finally:
        assert len(file.getvalue()) <= BLOB.size
    return file.getvalue()


def endless() -> Iterator[bytes]:
    return itertools.repeat(b"x" * 65536)


def test_a_manifest_of_another_digest_is_refused(start: Start, tmp_path: Path) -> None:
    packed = artifact(tmp_path)
    server = start(lambda asked: Answer(headers={"Content-Type": MANIFEST}, body=packed.manifest))
    assert registry(server).manifest(packed.digest).data == packed.manifest
    with pytest.raises(ArgosyError, match="gave a manifest with digest"):
        registry(server).manifest(Digest.of(b"other"))


def test_a_manifest_that_is_not_what_its_header_says_is_refused(start: Start, tmp_path: Path) -> None:
    headers = {"Content-Type": MANIFEST, "Docker-Content-Digest": str(Digest.of(b"other"))}
    server = start(lambda asked: Answer(headers=headers, body=artifact(tmp_path).manifest))
    with pytest.raises(ArgosyError, match="gave a manifest with digest"):
        registry(server).manifest("1.0")
    headers["Docker-Content-Digest"] = "sha256:../../x"
    with pytest.raises(ArgosyError, match="not a digest"):
        registry(server).manifest("1.0")
    with pytest.raises(ArgosyError, match="not a digest"):
        registry(server).resolve("1.0")


def test_a_manifest_is_not_taken_for_an_index(start: Start, tmp_path: Path) -> None:
    server = start(lambda asked: Answer(headers={"Content-Type": INDEX}, body=artifact(tmp_path).manifest))
    stored = registry(server).manifest("1.0")
    with pytest.raises(ArgosyError, match="media type"):
        Manifest.parse(stored.data, media_type=stored.descriptor.media_type)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Answer(body=b"carg0"), "bytes with digest"),
        (Answer(body=b"cargo and more"), "more than the 5 bytes"),
        (Answer(body=b"car"), "3 of the 5 bytes"),
        (Answer(body=b""), "0 of the 5 bytes"),
        (Answer(body=b"car", headers={"Content-Length": "5"}), "connection broke|3 of the 5"),
        (
            Answer(headers={"Content-Length": "1000000000000"}, body=b"x" * 100),
            "connection broke|more than the 5 bytes",
        ),
        (Answer(headers={"Content-Encoding": "gzip"}, body=b"nogzip"), "more than the 5 bytes"),
        (Answer(status=206, headers={"Content-Range": "bytes 0-1/5"}, body=b"ca"), "206"),
    ],
)
def test_a_blob_that_is_not_the_one_that_was_asked_for_is_refused(start: Start, answer: Answer, message: str) -> None:
    server = start(lambda asked: answer)
    with pytest.raises(ArgosyError, match=message):
        fetch(registry(server))


def test_endless_bodies_are_not_read_to_the_end(start: Start) -> None:
    server = start(lambda asked: Answer(headers={"Content-Length": str(1 << 40)}, pieces=endless()))
    begin = time.monotonic()
    with pytest.raises(ArgosyError, match="more than 4194304 bytes"):
        registry(server, patience=20).manifest("1.0")
    with pytest.raises(ArgosyError, match="more than 4194304 bytes"):
        registry(server, patience=20).tags()
    with pytest.raises(ArgosyError, match="more than the 5 bytes"):
        fetch(registry(server))
    assert time.monotonic() - begin < 10


def test_a_body_that_drips_is_given_up(start: Start) -> None:
    def drip() -> Iterator[bytes]:
        while True:
            time.sleep(0.1)
            yield b" " * 70000

    server = start(lambda asked: Answer(headers={"Content-Length": str(1 << 40)}, pieces=drip()))
    begin = time.monotonic()
    with pytest.raises(ArgosyError, match="too slowly"):
        registry(server, patience=0.5).manifest("1.0")
    assert time.monotonic() - begin < 5


@pytest.mark.parametrize(
    "body", [b'{"tags":["../x"]}', b'{"tags":[1]}', b'{"tags":"x"}', b"[]", b'{"tags":[],"tags":[]}']
)
def test_a_list_of_tags_that_are_none_is_refused(start: Start, body: bytes) -> None:
    with pytest.raises(ArgosyError):
        registry(start(lambda asked: Answer(body=body))).tags()


def test_a_list_goes_on_page_by_page_and_ends(start: Start) -> None:
    def page(asked: Asked) -> Answer:
        number = int(asked.path.partition("last=")[2] or 0)
        more = {"Link": f'</v2/argo/tags/list?last={number + 1}>; rel="next"'} if number < 3 else {}
        return Answer(headers=more, body=json.dumps({"name": "argo", "tags": [f"t{number % 4}"]}).encode())

    server = start(page)
    assert registry(server).tags() == ["t0", "t1", "t2", "t3"]
    server.answer = lambda asked: Answer(headers={"Link": f'<{asked.path}>; rel="next"'}, body=b'{"tags":["a"]}')
    with pytest.raises(ArgosyError, match="does not end"):
        registry(server).tags()


def asks_for_password(asked: Asked) -> Answer | None:
    """401 to whoever does not give the right password."""
    if asked.headers.get("Authorization") == BASIC:
        return None
    return Answer(status=401, headers={"WWW-Authenticate": 'Basic realm="argosy"'})


def test_the_next_page_at_a_foreign_host_is_not_asked_for(start: Start) -> None:
    foreign = start(lambda asked: Answer(body=b'{"tags":[]}'))
    link = {"Link": f'<http://{foreign.host}/v2/argo/tags/list?last=a>; rel="next"'}
    server = start(lambda asked: asks_for_password(asked) or Answer(headers=link, body=b'{"tags":["a"]}'))
    with pytest.raises(ArgosyError, match="another host"):
        registry(server).tags()
    assert server.saw(BASIC) and foreign.asked == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_a_foreign_host_carries_no_credentials(start: Start, status: int) -> None:
    foreign = start(lambda asked: Answer(body=b"cargo"))
    to_foreign = {"Location": f"http://{foreign.host}/storage"}
    server = start(lambda asked: asks_for_password(asked) or Answer(status=status, headers=to_foreign))
    assert fetch(registry(server)) == b"cargo"
    assert server.saw(BASIC)
    assert len(foreign.asked) == 1 and not foreign.saw("Authorization")


def test_a_foreign_host_that_asks_for_a_password_gets_none(start: Start) -> None:
    challenge = {"WWW-Authenticate": 'Basic realm="argosy"'}
    foreign = start(lambda asked: Answer(status=401, headers=challenge))
    to_foreign = {"Location": f"http://{foreign.host}/storage"}
    server = start(lambda asked: asks_for_password(asked) or Answer(status=307, headers=to_foreign))
    with pytest.raises(ArgosyError, match=f"{foreign.host} answered 401"):
        fetch(registry(server))
    assert not foreign.saw("Authorization")


def test_redirects_end(start: Start) -> None:
    server = start(lambda asked: Answer(status=302, headers={"Location": asked.path}))
    with pytest.raises(ArgosyError, match="redirects more than"):
        fetch(registry(server))
    server.answer = lambda asked: Answer(status=302, headers={"Location": "file:///etc/passwd"})
    with pytest.raises(ArgosyError, match="not a URL"):
        fetch(registry(server))


def test_an_upload_to_a_foreign_location_carries_no_credentials(start: Start) -> None:
    foreign = start(lambda asked: Answer(status=201))

    def answer(asked: Asked) -> Answer:
        if refusal := asks_for_password(asked):
            return refusal
        if asked.method == "HEAD":
            return Answer(status=404)
        return Answer(status=202, headers={"Location": f"http://{foreign.host}/upload?state=1"})

    server = start(answer)
    registry(server).put_blob(BLOB, b"cargo", lambda amount: None)
    assert [(one.method, one.body) for one in foreign.asked] == [("PUT", b"cargo")]
    assert f"state=1&digest={BLOB.digest}" in foreign.asked[0].path
    assert server.saw(BASIC) and not foreign.saw("Authorization")


def test_an_upload_without_a_location_is_told(start: Start) -> None:
    server = start(lambda asked: Answer(status=404 if asked.method == "HEAD" else 202))
    with pytest.raises(ArgosyError, match="did not say where"):
        registry(server).put_blob(BLOB, b"cargo", lambda amount: None)


def test_a_registry_that_stores_under_another_digest_is_told(start: Start, tmp_path: Path) -> None:
    other = {"Docker-Content-Digest": str(Digest.of(b"other")), "Location": "/x"}
    statuses = {"HEAD": 404, "POST": 202, "PUT": 201}
    server = start(lambda asked: Answer(status=statuses[asked.method], headers=other))
    with pytest.raises(ArgosyError, match="stored it as"):
        registry(server).put_blob(BLOB, b"cargo", lambda amount: None)
    with pytest.raises(ArgosyError, match="stored it as"):
        registry(server).put_manifest(artifact(tmp_path).manifest, MANIFEST, "1.0")


def bearer(realm: str) -> Answer:
    header = f'Bearer realm="{realm}",service="registry",scope="repository:argo:pull repository:mast:pull"'
    return Answer(status=401, headers={"WWW-Authenticate": header})


def test_a_token_is_got_from_the_registrys_own_realm_and_renewed_when_it_expires(start: Start) -> None:
    valid = {"token": "t1"}

    def answer(asked: Asked) -> Answer:
        if asked.path.startswith("/token"):
            assert asked.headers.get("Authorization") == BASIC
            assert "scope=repository%3Aargo%3Apull&scope=repository%3Amast%3Apull" in asked.path
            return Answer(body=json.dumps(valid).encode())
        if asked.headers.get("Authorization") != f"Bearer {valid['token']}":
            return bearer(f"http://{server.host}/token")
        return Answer(body=b"cargo")

    server = start(answer)
    place = registry(server)
    assert fetch(place) == fetch(place) == b"cargo"
    assert len([one for one in server.asked if one.path.startswith("/token")]) == 1
    valid["token"] = "t2"
    assert fetch(place) == b"cargo"


def with_token(server: Callable[[], LyingServer], answer: Callable[[Asked], Answer]) -> Callable[[Asked], Answer]:
    """Like `answer`, for those alone who have got a token with the password."""

    def guarded(asked: Asked) -> Answer:
        if asked.path.startswith("/token"):
            return asks_for_password(asked) or Answer(body=b'{"token":"t0ken"}')
        if asked.headers.get("Authorization") != "Bearer t0ken":
            return bearer(f"http://{server().host}/token")
        return answer(asked)

    return guarded


def test_a_token_goes_to_no_foreign_host(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither by a redirect, nor by an upload in chunks, nor by the next process that goes on with it."""
    monkeypatch.setattr(upload, "WHOLE", 2)
    monkeypatch.setattr(upload, "CHUNK", 2)
    monkeypatch.setenv("ARGOSY_CACHE", str(tmp_path))
    statuses = {"GET": 200, "PATCH": 202, "PUT": 201}
    foreign = start(lambda asked: Answer(status=statuses[asked.method], body=b"cargo", headers={"Location": "/more"}))

    def answer(asked: Asked) -> Answer:
        if asked.method == "HEAD":
            return Answer(status=404)
        location = {"Location": f"http://{foreign.host}/storage"}
        return Answer(status=202 if asked.method == "POST" else 307, headers=location)

    server = start(with_token(lambda: server, answer))
    assert fetch(registry(server)) == b"cargo"
    registry(server).put_blob(BLOB, b"cargo", lambda amount: None)
    assert [one.method for one in foreign.asked] == ["GET", "PATCH", "PATCH", "PATCH", "PUT"]
    assert server.saw("t0ken") and server.saw(BASIC)
    assert not foreign.saw("Authorization") and not foreign.saw("t0ken") and not foreign.saw(PASSWORD)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and foreign.host in path.read_text()]


def test_a_token_that_expires_in_a_download_is_renewed_for_the_rest(start: Start) -> None:
    valid = ["t1"]

    def answer(asked: Asked) -> Answer:
        if asked.path.startswith("/token"):
            return Answer(body=json.dumps({"token": valid[0]}).encode())
        if asked.headers.get("Authorization") != f"Bearer {valid[0]}":
            return bearer(f"http://{server.host}/token")
        if "Range" not in asked.headers:
            valid[0] = "t2"
            return Answer(headers={"Content-Length": "5"}, body=b"ca")
        return Answer(status=206, headers={"Content-Range": "bytes 2-4/5"}, body=b"rgo")

    server = start(answer)
    assert fetch(registry(server, patience=5)) == b"cargo"
    assert [one.headers.get("Range") for one in server.asked if "/blobs/" in one.path] == [
        None,
        None,
        "bytes=2-4",
        "bytes=2-4",
    ]


def test_a_manifest_whose_201_is_lost_is_stored_once_more(start: Start, tmp_path: Path) -> None:
    stored: list[bytes] = []

    def answer(asked: Asked) -> Answer:
        stored.append(asked.body)
        return answer_nothing() if len(stored) == 1 else Answer(status=201)

    packed = artifact(tmp_path)
    registry(start(answer), patience=5).put_manifest(packed.manifest, MANIFEST, "1.0")
    assert stored == [packed.manifest] * 2


def test_a_foreign_token_server_is_asked_without_credentials(start: Start) -> None:
    foreign = start(lambda asked: Answer(body=b'{"token":"t"}'))
    server = start(lambda asked: bearer(f"http://{foreign.host}/token"))
    with pytest.raises(ArgosyError, match="401"):
        fetch(registry(server))
    assert len(foreign.asked) >= 1 and not foreign.saw("Authorization") and not foreign.saw(PASSWORD)


def test_a_token_servers_own_account_is_used_where_the_user_has_one(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = start(lambda asked: asks_for_password(asked) or Answer(body=b'{"token":"t"}'))
    server = start(
        lambda asked: (
            Answer(body=b"cargo")
            if asked.headers.get("Authorization") == "Bearer t"
            else bearer(f"http://{tokens.host}/token")
        )
    )
    monkeypatch.delenv("ARGOSY_USERNAME")
    monkeypatch.delenv("ARGOSY_PASSWORD")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    accounts = {"auths": {tokens.host: {"username": USER, "password": PASSWORD}}}
    (tmp_path / "config.json").write_text(json.dumps(accounts))
    assert fetch(registry(server)) == b"cargo"
    assert tokens.saw(BASIC) and not server.saw(BASIC)


def test_a_token_server_that_redirects_is_not_followed(start: Start) -> None:
    foreign = start(lambda asked: Answer(body=b'{"token":"t"}'))

    def answer(asked: Asked) -> Answer:
        if asked.path.startswith("/token"):
            return Answer(status=307, headers={"Location": f"http://{foreign.host}/token"})
        return bearer(f"http://{server.host}/token")

    server = start(answer)
    with pytest.raises(ArgosyError, match="answered 307"):
        fetch(registry(server))
    assert server.saw(BASIC) and foreign.asked == []


def test_a_netrc_file_is_not_consulted(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login captain password from-netrc\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    server = start(lambda asked: Answer(body=b"cargo"))
    assert fetch(registry(server)) == b"cargo"
    assert not server.saw("Authorization")


@pytest.mark.parametrize("date", [False, True])
@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_registry_is_waited_for_as_long_as_it_asks(start: Start, status: int, date: bool) -> None:
    answers = [Answer(status=status, headers={"Retry-After": formatdate(time.time() + 1.5) if date else "1"})]
    server = start(lambda asked: answers.pop() if answers else Answer(body=b"cargo"))
    begin = time.monotonic()
    assert fetch(registry(server, patience=10)) == b"cargo"
    assert 0.4 < time.monotonic() - begin < 5


def test_a_registry_that_stays_busy_is_given_up_within_the_patience(start: Start) -> None:
    server = start(lambda asked: Answer(status=503))
    begin = time.monotonic()
    with pytest.raises(ArgosyError, match="503") as refusal:
        fetch(registry(server, patience=1.5))
    assert "try again later" in refusal.value.advice
    assert time.monotonic() - begin < 3 and len(server.asked) > 1
    server.answer = lambda asked: Answer(status=429, headers={"Retry-After": "86400"})
    with pytest.raises(ArgosyError, match="429"):
        fetch(registry(server))


def test_a_forbidden_push_says_so(start: Start, tmp_path: Path) -> None:
    body = b'{"errors":[{"code":"DENIED","message":"captain:ithaca-0451 may not"}]}'
    server = start(lambda asked: Answer(status=403, body=body))
    with pytest.raises(ArgosyError, match=r"answered 403 \(DENIED\)") as refusal:
        registry(server).put_manifest(artifact(tmp_path).manifest, MANIFEST, "1.0")
    assert "no right" in refusal.value.advice and PASSWORD not in str(refusal.value)


def test_what_the_server_writes_into_its_errors_is_not_repeated(start: Start) -> None:
    body = json.dumps({"errors": [{"code": "\x1b[31mRED", "message": "x"}, {"code": 7}, "x"]}).encode()
    server = start(lambda asked: Answer(status=400, body=body))
    with pytest.raises(ArgosyError, match="answered 400") as refusal:
        fetch(registry(server))
    assert "\x1b" not in str(refusal.value)


def test_a_connection_that_breaks_is_tried_again(start: Start, tmp_path: Path) -> None:
    packed = artifact(tmp_path)
    server = start(
        lambda asked: (
            answer_nothing()
            if len(server.asked) < 3
            else Answer(headers={"Content-Type": MANIFEST}, body=packed.manifest)
        )
    )
    assert registry(server, patience=5).manifest("1.0").data == packed.manifest
    assert len(server.asked) == 3


def test_a_push_begins_again_when_the_connection_breaks(start: Start, tmp_path: Path) -> None:
    puts: list[bytes] = []

    def answer(asked: Asked) -> Answer:
        if asked.method == "PUT" and "/upload" in asked.path:
            puts.append(asked.body)
            if len(puts) == 1:
                raise ConnectionResetError
        if asked.method == "HEAD":
            return Answer(status=404)
        return Answer(status={"POST": 202, "PUT": 201}[asked.method], headers={"Location": "/upload"})

    server = start(answer)
    advanced: list[int] = []
    registry(server).put_blob(BLOB, b"cargo", advanced.append)
    assert puts == [b"cargo", b"cargo"] and sum(advanced) == 5
    server.answer = lambda asked: Answer(status=404) if asked.method == "HEAD" else answer_nothing()
    with pytest.raises(UnreachableError, match="connection broke"):
        push(artifact(tmp_path), registry(server), tag="1.0")


def answer_nothing() -> Answer:
    raise ConnectionResetError
