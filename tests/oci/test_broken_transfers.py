"""Transfers that break, by a cut connection, a killed client or a killed server, are finished and cost no more."""

from __future__ import annotations

import io
import os
import random
import signal
import threading
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from artifacts import artifact
from cutting_proxy import cutting_proxy
from lying_server import Answer, Asked, lying_server
from registry_server import KINDS, Kind, RegistryServer, registry_server
from transfer_client import transfer

from argosy.errors import ArgosyError
from argosy.files import resumable_file, sha256_of
from argosy.model.digest import Digest
from argosy.model.manifest import Descriptor
from argosy.model.reference import Reference
from argosy.oci import upload
from argosy.oci.open import open_registry
from argosy.oci.push import push
from argosy.oci.registry import Registry
from argosy.oci.transport import UnreachableError

SIZE = 1_000_000
CHUNK = 100_000
HEADERS = 20_000  # more bytes than all requests of one transfer have beside their bodies


def place(host: str, name: str, patience: float = 10) -> Registry:
    return open_registry(Reference.parse(f"{host}/{name}"), patience=patience)


def blob_of(data: bytes) -> Descriptor:
    return Descriptor(media_type="application/wasm", digest=Digest.of(data), size=len(data))


def ended(process: BaseProcess) -> int | None:
    process.join(60)
    return process.exitcode


def offsets(count: int, seed: int) -> list[int]:
    drawn = random.Random(seed)
    return [drawn.randrange(1, SIZE) for _ in range(count)]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ARGOSY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(upload, "WHOLE", CHUNK)
    monkeypatch.setattr(upload, "CHUNK", CHUNK)
    return tmp_path / "cache"


@pytest.mark.parametrize("offset", offsets(5, seed=1))
def test_a_download_that_is_cut_goes_on_where_it_was(each_server: RegistryServer, offset: int) -> None:
    data = os.urandom(SIZE)
    blob = blob_of(data)
    place(each_server.host, "down").put_blob(blob, data, lambda amount: None)
    with cutting_proxy(each_server.host) as proxy:
        proxy.cut_down = offset
        file, seen = io.BytesIO(), [0]
        place(proxy.host, "down").blob(blob, file, seen.append)
        assert proxy.cuts == 1 and file.getvalue() == data and sum(seen) == SIZE
        assert proxy.down < SIZE + HEADERS


@pytest.mark.parametrize("offset", offsets(20, seed=2))
def test_a_killed_clients_download_is_finished_by_the_next(
    each_server: RegistryServer, tmp_path: Path, cache: Path, offset: int
) -> None:
    data = os.urandom(SIZE)
    blob = blob_of(data)
    place(each_server.host, "down").put_blob(blob, data, lambda amount: None)
    path = tmp_path / "blob"
    with cutting_proxy(each_server.host) as proxy:
        started = threading.Event()

        def kill() -> None:
            started.wait()
            process.kill()

        proxy.at_cut, proxy.cut_down = kill, offset
        process = transfer("down", f"{proxy.host}/down", path, blob, CHUNK, cache)
        started.set()
        assert ended(process) == -signal.SIGKILL
        assert not path.exists()
        held = (tmp_path / ".blob.partial").stat().st_size if (tmp_path / ".blob.partial").exists() else 0
        before = proxy.down
        assert ended(transfer("down", f"{proxy.host}/down", path, blob, CHUNK, cache)) == 0
        assert sha256_of(path) == blob.digest.hex and not (tmp_path / ".blob.partial").exists()
        assert proxy.down - before <= SIZE - held + HEADERS


@pytest.mark.parametrize("offset", offsets(20, seed=3))
def test_a_killed_clients_upload_is_finished_by_the_next(
    each_server: RegistryServer, tmp_path: Path, cache: Path, offset: int
) -> None:
    path = tmp_path / "blob"
    path.write_bytes(os.urandom(SIZE))
    blob = blob_of(path.read_bytes())
    with cutting_proxy(each_server.host) as proxy:
        started = threading.Event()

        def kill() -> None:
            started.wait()
            process.kill()

        proxy.at_cut, proxy.cut_up = kill, offset
        process = transfer("up", f"{proxy.host}/up", path, blob, CHUNK, cache)
        started.set()
        assert ended(process) == -signal.SIGKILL
        assert not each_server.has("up", blob.digest.hex)
        arrived, proxy.up = max(0, proxy.up - HEADERS), 0
        assert ended(transfer("up", f"{proxy.host}/up", path, blob, CHUNK, cache)) == 0
        assert each_server.has("up", blob.digest.hex)
        if each_server.kind.continues == "byte":
            assert proxy.up < SIZE - arrived + HEADERS
        assert list((tmp_path / "cache" / "uploads").iterdir()) == []


def test_a_killed_client_between_two_chunks_costs_no_byte_twice(each_server: RegistryServer, tmp_path: Path) -> None:
    data = os.urandom(SIZE)
    blob = blob_of(data)
    sent = 0

    class StopError(Exception):
        pass

    def stop(amount: int) -> None:
        nonlocal sent
        sent += amount
        if sent > 6 * CHUNK:
            raise StopError

    with cutting_proxy(each_server.host) as proxy:
        # Stops as the seventh chunk's first piece is read, before any of it is sent.
        with pytest.raises(StopError):
            place(proxy.host, "between").put_blob(blob, data, stop)
        before, shown = proxy.up, [0]
        place(proxy.host, "between").put_blob(blob, data, shown.append)
        assert sum(shown) == SIZE
    assert each_server.has("between", blob.digest.hex)
    if each_server.kind.continues:
        assert proxy.up - before < SIZE - 5 * CHUNK


@pytest.mark.parametrize("way", ["up", "down"])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_killed_server_that_comes_back_is_given_and_asked_the_rest(tmp_path: Path, kind: Kind, way: str) -> None:
    storage = tmp_path / "registry"
    with registry_server(storage, kind=kind) as lasting, cutting_proxy(lasting.host) as proxy:
        at_last = proxy.target
        for offset in offsets(20, seed=4):
            data = os.urandom(SIZE)
            blob = blob_of(data)
            if way == "down":
                place(lasting.host, "back").put_blob(blob, data, lambda amount: None)
            with registry_server(storage, kind=kind) as doomed:
                if way == "down" and not kind.keeps:
                    place(doomed.host, "back").put_blob(blob, data, lambda amount: None)
                proxy.target = ("127.0.0.1", int(doomed.host.partition(":")[2]))
                proxy.up = proxy.down = proxy.cuts = 0

                def fall(doomed: RegistryServer = doomed) -> None:
                    doomed.process.kill()
                    proxy.target = at_last  # another process over the same files, as a supervisor would start it

                proxy.at_cut = fall
                if way == "up":
                    proxy.cut_up = offset
                    place(proxy.host, "back").put_blob(blob, data, lambda amount: None)
                    assert lasting.has("back", blob.digest.hex)
                else:
                    proxy.cut_down = offset
                    file = io.BytesIO()
                    place(proxy.host, "back").blob(blob, file, lambda amount: None)
                    assert file.getvalue() == data
                    assert proxy.down < SIZE + HEADERS
                assert proxy.cuts == 1 and doomed.process.wait(10) == -signal.SIGKILL


def test_of_two_clients_at_once_each_has_the_whole_blob(
    each_server: RegistryServer, tmp_path: Path, cache: Path
) -> None:
    path = tmp_path / "blob"
    path.write_bytes(os.urandom(SIZE))
    blob = blob_of(path.read_bytes())
    with cutting_proxy(each_server.host) as proxy:
        both = [transfer("up", f"{proxy.host}/both", path, blob, CHUNK, cache) for _ in range(2)]
        assert [ended(one) for one in both] == [0, 0]
        both = [transfer("down", f"{proxy.host}/both", tmp_path / "got", blob, CHUNK, cache) for _ in range(2)]
        assert [ended(one) for one in both] == [0, 0]
    assert sha256_of(tmp_path / "got") == blob.digest.hex


def test_a_damaged_beginning_is_found_out_and_everything_asked_for_again(
    each_server: RegistryServer, tmp_path: Path
) -> None:
    data = os.urandom(SIZE)
    blob = blob_of(data)
    registry = place(each_server.host, "damaged")
    registry.put_blob(blob, data, lambda amount: None)
    for beginning in (b"x" * 1000, data[:5000] + b"x" * 10, data + b"x", data[:-1] + b"?"):
        (tmp_path / ".blob.partial").write_bytes(beginning)
        with resumable_file(tmp_path / "blob") as file:
            registry.blob(blob, file, lambda amount: None)
        assert (tmp_path / "blob").read_bytes() == data


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (206, "bytes 0-9/10"),
        (206, "bytes 5-9/11"),
        (206, "bytes 4-9/10"),
        (206, "bytes 5-10/10"),
        (206, ""),
        (206, "5"),
    ],
)
def test_a_wrong_content_range_is_refused(status: int, told: str) -> None:
    data = b"0123456789"
    with lying_server(lambda asked: Answer(status=status, headers={"Content-Range": told}, body=data[5:])) as server:
        file = io.BytesIO(data[:5])
        with pytest.raises(ArgosyError, match="asked for bytes 5 to 9"):
            place(server.host, "argo", patience=1).blob(blob_of(data), file, lambda amount: None)
        assert file.getvalue() == b""


@pytest.mark.parametrize("status", [200, 416])
def test_a_server_that_ignores_the_range_sends_everything(status: int) -> None:
    data = b"0123456789"

    def answer(asked: Asked) -> Answer:
        return Answer(status=status) if status == 416 and "Range" in asked.headers else Answer(body=data)

    with lying_server(answer) as server:
        file, seen = io.BytesIO(data[:5]), [0]
        place(server.host, "argo", patience=1).blob(blob_of(data), file, seen.append)
        assert file.getvalue() == data and sum(seen) == len(data)


def test_a_server_that_always_breaks_off_at_the_same_place_is_given_up() -> None:
    data = b"0123456789"
    with lying_server(lambda asked: Answer(headers={"Content-Length": "10"}, body=data[:5])) as server:
        with pytest.raises(UnreachableError, match="connection broke"):
            place(server.host, "argo", patience=2).blob(blob_of(data), io.BytesIO(), lambda amount: None)
        assert len(server.asked) > 1


def test_a_lost_201_is_not_taken_for_a_failure() -> None:
    stored: list[bytes] = []

    def answer(asked: Asked) -> Answer:
        if asked.method == "PUT":
            stored.append(asked.body)
            raise ConnectionResetError
        if asked.method == "HEAD":
            return Answer(status=200 if stored else 404)
        return Answer(status=202, headers={"Location": "/upload"})

    with lying_server(answer) as server:
        seen: list[int] = []
        place(server.host, "argo").put_blob(blob_of(b"cargo"), b"cargo", seen.append)
        assert stored == [b"cargo"] and sum(seen) == 5


@pytest.mark.parametrize("status", [429, 503])
def test_a_registry_that_gets_busy_in_the_middle_is_waited_for(status: int) -> None:
    got = bytearray()
    busy = [True]
    data = os.urandom(3 * CHUNK)

    def answer(asked: Asked) -> Answer:
        if asked.method == "HEAD":
            return Answer(status=404)
        if asked.method == "GET":
            return Answer(status=204, headers={"Range": f"0-{len(got) - 1}", "Location": "/upload"})
        if len(got) == CHUNK and busy.pop() if busy else False:
            return Answer(status=status, headers={"Retry-After": "1"})
        got.extend(asked.body)
        return Answer(status={"POST": 202, "PATCH": 202, "PUT": 201}[asked.method], headers={"Location": "/upload"})

    with lying_server(answer) as server:
        place(server.host, "argo").put_blob(blob_of(data), data, lambda amount: None)
        assert bytes(got) == data


def test_an_expired_token_in_the_middle_of_an_upload_is_renewed() -> None:
    got = bytearray()
    valid = ["t1"]
    data = os.urandom(3 * CHUNK)

    def answer(asked: Asked) -> Answer:
        if asked.path.startswith("/token"):
            return Answer(body=b'{"token":"%s"}' % valid[0].encode())
        if len(got) == 2 * CHUNK:
            valid[0] = "t2"
        if asked.headers.get("Authorization") != f"Bearer {valid[0]}":
            header = f'Bearer realm="http://{server.host}/token",service="s",scope="repository:argo:pull,push"'
            return Answer(status=401, headers={"WWW-Authenticate": header})
        if asked.method == "HEAD":
            return Answer(status=404)
        got.extend(asked.body)
        return Answer(status={"POST": 202, "PATCH": 202, "PUT": 201}[asked.method], headers={"Location": "/upload"})

    with lying_server(answer) as server:
        seen: list[int] = []
        place(server.host, "argo").put_blob(blob_of(data), data, seen.append)
        assert bytes(got) == data and sum(seen) == len(data)


def test_chunks_are_as_large_as_the_registry_asks() -> None:
    sizes: list[int] = []
    data = os.urandom(5 * CHUNK)

    def answer(asked: Asked) -> Answer:
        if asked.method == "HEAD":
            return Answer(status=404)
        if asked.method == "PATCH":
            sizes.append(len(asked.body))
        headers = {"Location": "/upload", "OCI-Chunk-Min-Length": str(2 * CHUNK)}
        return Answer(status={"POST": 202, "PATCH": 202, "PUT": 201}[asked.method], headers=headers)

    with lying_server(answer) as server:
        place(server.host, "argo").put_blob(blob_of(data), data, lambda amount: None)
    assert sizes == [2 * CHUNK, 2 * CHUNK, CHUNK]


def test_a_full_disk_gives_back_what_a_broken_pull_took(tmp_path: Path) -> None:
    with pytest.raises(ArgosyError, match="free some space"), resumable_file(tmp_path / "blob") as file:
        file.write(b"x" * 100)
        raise OSError(28, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_a_pushed_artifact_is_whole_after_a_cut(each_server: RegistryServer, tmp_path: Path) -> None:
    packed = artifact(tmp_path, cargo=os.urandom(SIZE))
    with cutting_proxy(each_server.host) as proxy:
        proxy.cut_up = SIZE // 2
        push(packed, place(proxy.host, "cut"), tag="1.0")
        assert proxy.cuts == 1
        assert place(each_server.host, "cut").resolve("1.0").digest == packed.digest
