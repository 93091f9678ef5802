"""How fast artifacts move between a folder and a registry on loopback: argosy, skopeo and crane in turn.

One large artifact is pushed from an image layout to an empty docker-registry, and pulled into an empty layout; many
small ones are copied from one registry to another. Each is one command, from start to exit, with its processor time
beside it, which a busy machine disturbs less; of the small ones the requests are counted too. The source is read once
before, so that it is in memory.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import ratios

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from artifacts import artifact
from registry_programs import crane
from registry_server import registry_server

from argosy.model.artifact import Description
from argosy.model.reference import Reference
from argosy.oci.open import open_registry
from argosy.oci.pack import pack
from argosy.oci.push import push

ARGOSY, SKOPEO, CRANE = "argosy", "skopeo", "crane"
Command = list[str]


def module(path: Path, size: int) -> Path:
    """A wasm module of `size` MiB in one custom section, with the same random MiB over and over."""
    piece, content = os.urandom(1 << 20), (size << 20) + 6
    length = bytes([content >> shift & 0x7F | (0x80 if shift < 28 else 0) for shift in (0, 7, 14, 21, 28)])
    with path.open("wb") as file:
        file.write(b"\0asm\1\0\0\0\0" + length + b"\x05cargo")
        for _ in range(size):
            file.write(piece)
    return path


def run(command: Command, folder: Path) -> tuple[float, float]:
    """Seconds from start to exit, and of processor time; the program's home and caches are in `folder`."""
    home = folder / "home"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    environment = {**os.environ, "HOME": str(home), "ARGOSY_CACHE": str(home / "argosy"), "XDG_RUNTIME_DIR": str(home)}
    begin = time.perf_counter()
    with (folder / "output").open("wb") as output:
        child = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
        _, status, used = os.wait4(child.pid, 0)
    taken = time.perf_counter() - begin
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise SystemExit(f"{' '.join(command)}\nexited with {child.returncode}:\n{(folder / 'output').read_text()}")
    return taken, used.ru_utime + used.ru_stime


def pushing(layout: Path, host: str) -> dict[str, Command]:
    source, target = f"oci:{layout}:big", f"{host}/big:1"
    return {
        ARGOSY: [sys.executable, "-m", "argosy.cli", "copy", source, target],
        SKOPEO: ["skopeo", "copy", "-q", "--all", "--dest-tls-verify=false", source, f"docker://{target}"],
        CRANE: [str(crane()), "push", "--insecure", str(layout), target],
    }


def pulling(host: str, layout: Path) -> dict[str, Command]:
    source, target = f"{host}/big:1", f"oci:{layout}:big"
    return {
        ARGOSY: [sys.executable, "-m", "argosy.cli", "copy", source, target],
        SKOPEO: ["skopeo", "copy", "-q", "--all", "--src-tls-verify=false", f"docker://{source}", target],
        CRANE: [str(crane()), "pull", "--insecure", "--format=oci", source, str(layout)],
    }


def copying(source: str, target: str) -> dict[str, Command]:
    options = ["--src-tls-verify=false", "--dest-tls-verify=false", "--src", "docker", "--dest", "docker"]
    return {
        ARGOSY: [sys.executable, "-m", "argosy.cli", "copy", "--all", "--alone", f"{source}/small", f"{target}/small"],
        SKOPEO: ["skopeo", "sync", "--all", *options, f"{source}/small", target],
        CRANE: [str(crane()), "copy", "--insecure", "--all-tags", f"{source}/small", f"{target}/small"],
    }


def pushed(subject: str, layout: Path, folder: Path, size: int) -> Mapping[str, float]:
    place = Path(tempfile.mkdtemp(dir=folder))
    with registry_server(place / "registry") as server:
        taken, processor = run(pushing(layout, server.host)[subject], place)
        found = open_registry(Reference.parse(f"{server.host}/big")).resolve("1").digest
        assert found == open_registry(Reference.parse(f"oci:{layout}")).resolve("big").digest, subject
    shutil.rmtree(place)
    return {"push": size / taken, "push, processor": processor}


def pulled(subject: str, host: str, folder: Path, size: int) -> Mapping[str, float]:
    place = Path(tempfile.mkdtemp(dir=folder))
    taken, processor = run(pulling(host, place / "layout")[subject], place)
    shutil.rmtree(place)
    return {"pull": size / taken, "pull, processor": processor}


def copied(subject: str, source: str, log: Path, count: int, folder: Path) -> Mapping[str, float]:
    place = Path(tempfile.mkdtemp(dir=folder))
    before = requests_in(log)
    with registry_server(place / "registry", settings=ACCESS_LOG) as server:
        idle = requests_in(place / "registry" / "log")
        taken, processor = run(copying(source, server.host)[subject], place)
        asked = requests_in(log) - before + requests_in(place / "registry" / "log") - idle
        assert len(open_registry(Reference.parse(f"{server.host}/small")).tags()) == count, subject
    shutil.rmtree(place)
    return {"copy small": taken, "copy small, processor": processor, "copy small, requests": asked}


ACCESS_LOG = {"REGISTRY_LOG_ACCESSLOG_DISABLED": "false"}


def requests_in(log: Path) -> int:
    time.sleep(0.1)
    return len(re.findall(r'"(?:GET|HEAD|POST|PUT|PATCH|DELETE) /v2/\S* HTTP', log.read_text()))


def measure(options: argparse.Namespace, folder: Path, subjects: Sequence[str]) -> list[ratios.Row]:
    layout = folder / "layout"
    packed = pack(module(folder / "big.wasm", options.size), Description(name="big"))
    push(packed, open_registry(Reference.parse(f"oci:{layout}")), tag="big")
    packed.wasm.unlink()
    medians: dict[str, dict[str, float]] = {subject: {} for subject in subjects}

    def add(measured: Mapping[str, Callable[[], Mapping[str, float]]]) -> None:
        for subject, taken in ratios.in_turn(measured, options.rounds).items():
            medians[subject] |= taken

    if options.size:
        add({one: partial(pushed, one, layout, folder, options.size) for one in subjects})
        with registry_server(folder / "pull") as server:
            run(pushing(layout, server.host)[ARGOSY], folder)
            add({one: partial(pulled, one, server.host, folder, options.size) for one in subjects})
    if options.small:
        with registry_server(folder / "small", settings=ACCESS_LOG) as server:
            registry = open_registry(Reference.parse(f"{server.host}/small"))
            for number in range(options.small):
                push(artifact(folder / "one", cargo=os.urandom(10_000)), registry, tag=f"v{number}")
            log = folder / "small" / "log"
            add({one: partial(copied, one, server.host, log, options.small, folder) for one in subjects})
    rows = []
    for name in medians[subjects[0]]:
        unit = "" if "requests" in name else "MiB/s" if name in ("push", "pull") else "s"
        more = unit == "MiB/s"
        rows.append(
            ratios.Row(name=name, unit=unit, more_is_better=more, medians={one: medians[one][name] for one in subjects})
        )
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=1024, help="the large artifact, in MiB; 0: none (default 1024)")
    parser.add_argument("--small", type=int, default=200, help="how many small ones; 0: none (default 200)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is run, in turn (default 5)")
    parser.add_argument("--folder", type=Path, help="where the files go (default: the system's temporary folder)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    options = parser.parse_args()
    subjects = [ARGOSY, SKOPEO, CRANE]
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        rows = measure(options, Path(name), subjects)
    if options.json:
        print(ratios.as_json(rows, ARGOSY, rounds=options.rounds, cores=os.cpu_count()))
    else:
        print(ratios.table(rows, ARGOSY))
    return 0


if __name__ == "__main__":
    sys.exit(main())
