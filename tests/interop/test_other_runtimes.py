"""An application without MPI runs wherever wasm runs, and no other runtime needs to know Argosy."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import guests
import requests
import wasmtime
from needs import program
from registry_server import RegistryServer

from argosy.model.digest import Digest
from argosy.model.reference import Reference
from argosy.model.variant import VARIANTS
from argosy.pipeline.publish import Terms, publish, publish_variants
from argosy.tar import tarfile

TEXT = "ahoy from any runtime\n"


def plainly(wasm: Path, folder: Path) -> str:
    """What the module prints under wasmtime's own WASI, with nothing of Argosy."""
    engine = wasmtime.Engine()
    linker = wasmtime.Linker(engine)
    linker.define_wasi()
    store = wasmtime.Store(engine)
    wasi = wasmtime.WasiConfig()
    wasi.stdout_file = str(folder / "printed")
    store.set_wasi(wasi)
    instance = linker.instantiate(store, wasmtime.Module.from_file(engine, str(wasm)))
    start = instance.exports(store)["_start"]
    assert isinstance(start, wasmtime.Func)
    start(store)
    return (folder / "printed").read_text()


def guest(folder: Path, variant: str = "baseline") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "ahoy.wasm"
    path.write_bytes(guests.say(TEXT, more=guests.VECTORS[variant]))
    return path


def test_skopeo_pulls_it_and_wasmtime_runs_it(open_server: RegistryServer, tmp_path: Path) -> None:
    wasm = guest(tmp_path / "built")
    done = publish(wasm, Reference.parse(f"{open_server.host}/plain/ahoy:1.0"), None)
    skopeo = program("skopeo", "apt-get install skopeo")
    source = f"docker://{open_server.host}/plain/ahoy:1.0"
    subprocess.run([skopeo, "copy", "-q", "--src-tls-verify=false", source, f"dir:{tmp_path}/pulled"], check=True)
    manifest = json.loads((tmp_path / "pulled/manifest.json").read_bytes())
    assert str(done.digest) == str(Digest.of((tmp_path / "pulled/manifest.json").read_bytes()))
    (layer,) = manifest["layers"]
    assert layer["mediaType"] == "application/wasm"
    assert plainly(tmp_path / "pulled" / layer["digest"].removeprefix("sha256:"), tmp_path) == TEXT


def test_four_requests_by_hand_are_a_pull(open_server: RegistryServer, tmp_path: Path) -> None:
    publish(guest(tmp_path / "built"), Reference.parse(f"{open_server.host}/plain/hand:1.0"), None)
    accept = {"Accept": "application/vnd.oci.image.manifest.v1+json"}
    manifest = requests.get(open_server.url("plain/hand/manifests/1.0"), headers=accept, timeout=10).json()
    config = requests.get(open_server.url(f"plain/hand/blobs/{manifest['config']['digest']}"), timeout=10).json()
    assert (config["architecture"], config["os"]) == ("wasm", "wasip1")
    (digest,) = config["layerDigests"]
    (tmp_path / "hand.wasm").write_bytes(
        requests.get(open_server.url(f"plain/hand/blobs/{digest}"), timeout=10).content
    )
    assert plainly(tmp_path / "hand.wasm", tmp_path) == TEXT


def test_a_compatible_image_is_one_to_skopeo_and_holds_the_module(open_server: RegistryServer, tmp_path: Path) -> None:
    wasm = guest(tmp_path / "built")
    publish(wasm, Reference.parse(f"{open_server.host}/plain/image:1.0"), None, Terms(compatible=True))
    skopeo = program("skopeo", "apt-get install skopeo")
    source = f"docker://{open_server.host}/plain/image:1.0"
    told = subprocess.run(
        [skopeo, "inspect", "--tls-verify=false", source], check=True, capture_output=True, text=True
    ).stdout
    assert (json.loads(told)["Architecture"], json.loads(told)["Os"]) == ("wasm", "wasip1")
    archive = tmp_path / "image.tar"
    subprocess.run(
        [skopeo, "copy", "-q", "--src-tls-verify=false", source, f"docker-archive:{archive}:image:1.0"], check=True
    )
    with tarfile.open(archive) as saved:
        (entry,) = json.load(saved.extractfile("manifest.json") or b"")  # type: ignore[arg-type]
        layer = saved.extractfile(entry["Layers"][0])
        with tarfile.open(fileobj=layer) as content:
            content.extract("ahoy.wasm", tmp_path, filter="data")
    assert (tmp_path / "ahoy.wasm").read_bytes() == wasm.read_bytes()
    assert plainly(tmp_path / "ahoy.wasm", tmp_path) == TEXT


def test_a_reader_that_knows_no_variants_gets_the_one_that_runs_everywhere(
    open_server: RegistryServer, tmp_path: Path
) -> None:
    files = [(guest(tmp_path / name, name), None) for name in reversed(VARIANTS)]
    publish_variants(files, Reference.parse(f"{open_server.host}/plain/fleet:1.0"), None, Terms())
    skopeo = program("skopeo", "apt-get install skopeo")
    source = f"docker://{open_server.host}/plain/fleet:1.0"
    platform = ("--override-os=wasip1", "--override-arch=wasm")
    subprocess.run(
        [skopeo, *platform, "copy", "-q", "--src-tls-verify=false", source, f"dir:{tmp_path}/pulled"], check=True
    )
    (layer,) = json.loads((tmp_path / "pulled/manifest.json").read_bytes())["layers"]
    pulled = tmp_path / "pulled" / layer["digest"].removeprefix("sha256:")
    assert pulled.read_bytes() == (tmp_path / "baseline/ahoy.wasm").read_bytes()
    assert plainly(pulled, tmp_path) == TEXT
