"""Files that a site's other programs read: modulefiles by Lmod, units by systemd; and the list that units prefetch."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import guests
import pytest
from desk import Desk, settle
from needs import need, program

from argosy.site.modulefile import Modulefile

UTF8 = {"LC_ALL": "C.UTF-8"}
LMOD = Path("/usr/share/lmod/lmod/libexec/lmod")
NASTY = "a $HOME {b} [c] \\ \"d\" #e; 'f' %n\tg é"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A user whose policy trusts the key that signed `tiny`, which is in the layout folder."""
    made = Desk(home=tmp_path, environment={**os.environ, **settle(tmp_path, keys=("argosy", "stranger"))})
    made.push("tiny", guests.say("ahoy\n"))
    return made


def tiny(desk: Desk) -> str:
    return f"oci:{desk.home}/layout:tiny"


def loaded(modules: Path, name: str, then: str) -> str:
    """What bash prints that runs `then` after `module load name`, by the real Lmod."""
    if not LMOD.exists():
        need("Lmod", "apt-get install lmod")
    environment = {
        "MODULEPATH": str(modules),
        "PATH": "/usr/bin:/bin",
        "HOME": str(modules),
        "LMOD_CMD": str(LMOD),
    } | UTF8
    script = f'eval "$({LMOD} bash load {name})" && {then}'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env=environment, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(("form", "file"), [("lua", "app/1.lua"), ("tcl", "app/1")])
def test_what_a_modulefile_sets_arrives_letter_by_letter(tmp_path: Path, form: str, file: str) -> None:
    # Lmod 8.6 makes Lua of Tcl, and quotes backslashes, tabs and what is not ASCII wrongly on the way.
    text = NASTY if form == "lua" else NASTY.replace("\\", "/").replace("\t", " ").replace("é", "e")
    made = Modulefile(help=text, about={"Name": text}, variables={"VALUE": text}, path="/opt/our programs")
    (tmp_path / file).parent.mkdir()
    (tmp_path / file).write_text(made.text(form))  # type: ignore[arg-type]
    assert loaded(tmp_path, "app", 'printf "%s|%s" "$VALUE" "$PATH"') == f"{text}|/usr/bin:/bin:/opt/our programs"


def test_tcl_reads_every_letter_as_it_was(tmp_path: Path) -> None:
    tclsh = program("tclsh", "apt-get install tcl")
    made = Modulefile(help=NASTY, about={"Name": NASTY}, variables={"VALUE": NASTY})
    stand_ins = (
        "fconfigure stdout -encoding utf-8; proc module-whatis {text} {}; proc setenv {name value} {puts $value}"
    )
    (tmp_path / "file.tcl").write_text(f"{stand_ins}\n{made.text('tcl')}")
    done = subprocess.run([tclsh, tmp_path / "file.tcl"], capture_output=True, timeout=60, env=UTF8)
    assert (done.stdout.decode(), done.stderr) == (f"{NASTY}\n", b"")


@pytest.mark.parametrize("file", ["tiny/1.0.lua", "tiny/1.0"])
def test_a_module_names_an_application_by_the_digest_that_was_verified(desk: Desk, file: str) -> None:
    digest = json.loads(desk.done("verify", "--json", tiny(desk)))["digest"]
    desk.done("modulefile", "-o", f"modules/{file}", tiny(desk))
    shown = loaded(desk.home / "modules", "tiny", 'echo "$TINY_ARTIFACT"; alias tiny')
    assert shown.splitlines()[0] == f"oci:{desk.home}/layout@{digest}"
    assert "argosy run oci:" in shown and digest in shown.splitlines()[1]
    assert desk.done("run", shown.splitlines()[0]) == "ahoy\n"


def test_a_modulefile_of_what_is_not_trusted_is_not_written(desk: Desk) -> None:
    bad = desk.push("bad", guests.say("never\n"), key="stranger")
    refused = desk.argosy("modulefile", "-o", "bad.lua", bad)
    assert refused.returncode == 1 and "is not trusted" in refused.stderr and not (desk.home / "bad.lua").exists()


def test_prefetch_compiles_what_changed_and_goes_on_after_what_is_refused(desk: Desk) -> None:
    bad = desk.push("bad", guests.say("never\n"), key="stranger")
    (desk.home / "list.txt").write_text(f"# ours\n{bad}\n\n{tiny(desk)}  # the good one\n")

    def prefetched() -> tuple[int, list[dict[str, str]]]:
        done = desk.argosy("prefetch", "--json", "list.txt")
        return done.returncode, json.loads(done.stdout)["artifacts"]

    status, (refused, first) = prefetched()
    assert status == 1 and "is not trusted" in refused["problem"] and refused["native_code"] is None
    assert (first["did"], first["problem"]) == ("compiled", None) and Path(first["native_code"]).exists()
    assert prefetched()[1][1]["did"] == "nothing: it was ready"
    desk.push("tiny", guests.say("a newer one\n"))
    _, (_, newer) = prefetched()
    assert newer["did"] == "compiled" and newer["digest"] != first["digest"]


def test_a_line_that_is_no_reference_is_named(desk: Desk) -> None:
    (desk.home / "list.txt").write_text(f"{tiny(desk)}\noci:relative:tag\n")
    wrong = desk.argosy("prefetch", "list.txt")
    assert wrong.returncode == 2 and "list.txt:2: oci:relative:tag is relative" in wrong.stderr
    (desk.home / "list.txt").write_text(f"{tiny(desk)}\n" + "#" * (1 << 20))
    long = desk.argosy("prefetch", "list.txt")
    assert long.returncode == 2 and "list.txt has more than 1048576 bytes" in long.stderr


def test_units_run_prefetch_by_the_words_that_were_given(desk: Desk) -> None:
    listed = desk.home / "my l$ist 100%.txt"
    listed.write_text(f"{tiny(desk)}\n")
    desk.done("prefetch", "--units", "units", "--every", "30min", listed.name)
    names = {f"argosy-prefetch.{kind}" for kind in ("service", "timer", "path")}
    assert {path.name for path in (desk.home / "units").iterdir()} == names
    service = (desk.home / "units/argosy-prefetch.service").read_text()
    assert 'prefetch "' + str(listed).replace("$", "$$").replace("%", "%%") + '"' in service
    assert "OnUnitActiveSec=30min\n" in (desk.home / "units/argosy-prefetch.timer").read_text()
    wrong = desk.argosy("prefetch", "--units", "others", "--every", "often", listed.name)
    assert wrong.returncode == 2 and "not a span of time" in wrong.stderr and not (desk.home / "others").exists()
    analyze = shutil.which("systemd-analyze")
    if analyze is not None:
        (desk.home / "runtime").mkdir(mode=0o700)
        command = [
            analyze,
            "verify",
            "--user",
            "--man=no",
            *(str(desk.home / "units" / name) for name in sorted(names)),
        ]
        environment = {**os.environ, "XDG_RUNTIME_DIR": str(desk.home / "runtime")}
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_prolog_prepares_for_the_bounds_that_it_was_written_for(desk: Desk) -> None:
    policy = desk.home / "settings/argosy/policy.toml"
    desk.done("slurm", "prolog", "--write", "prolog", "--bounds", "check", "--cache", "site", "--policy", policy)
    job = {"SLURM_JOB_ID": "1", "SLURM_JOB_UID": str(os.getuid()), "SLURM_JOB_COMMENT": f"argosy={tiny(desk)}"}
    subprocess.run([desk.home / "prolog"], env={**desk.environment, **job}, check=True, timeout=300)
    (made,) = json.loads(desk.done("cache", "ls", "--json", ARGOSY_CACHE=str(desk.home / "site")))["entries"]
    assert made["bounds"] == "check"
    refused = desk.argosy("slurm", "prolog", "--bounds", "chek")
    assert refused.returncode == 2 and "did you mean 'check'" in refused.stderr
