"""From a module to a verified run by the command line alone: keys, push, list, verify, pull, precompile, run."""

from __future__ import annotations

import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import guests
import pytest
from desk import Desk, settle
from registry_server import PASSWORD, USER, RegistryServer

from argosy.model.digest import Digest


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    chosen = settle(tmp_path, repositories=("layout/**", "127.0.0.1*/**"))
    return Desk(home=tmp_path, environment={**os.environ, **chosen, "DOCKER_CONFIG": str(tmp_path / "settings")})


def test_the_first_steps_make_a_key_and_a_policy_that_accept_what_is_pushed_next(tmp_path: Path) -> None:
    kept = ("XDG_CONFIG_HOME", "ARGOSY_CACHE")
    new = Desk(home=tmp_path, environment={**os.environ, **{name: str(tmp_path / name) for name in kept}})
    public = new.done("keys", "generate").partition("public key   ")[2].splitlines()[0]
    assert "layout/**" in new.done("keys", "trust", public, "layout/**")
    new.done("push", new.put("tiny", guests.say("hi")), "oci:layout:tiny")
    assert "accepted" in new.done("verify", "oci:layout:tiny")


def test_a_new_key_is_private_and_never_overwritten(desk: Desk) -> None:
    key = desk.home / "settings/argosy/argosy.key"
    before = key.read_bytes()
    assert key.stat().st_mode & 0o777 == 0o600
    assert before.startswith(b"-----BEGIN PRIVATE KEY-----")
    again = desk.argosy("keys", "generate")
    assert (again.returncode, key.read_bytes()) == (2, before)
    assert "never overwritten" in again.stderr


def test_a_key_and_its_public_half_have_one_fingerprint(desk: Desk) -> None:
    shown = [
        json.loads(desk.done("keys", "show", "--json", desk.home / f"settings/argosy/argosy.{half}"))
        for half in ("key", "pub")
    ]
    assert shown[0]["fingerprint"] == shown[1]["fingerprint"]
    assert [one["private"] for one in shown] == [True, False]
    policy = json.loads(desk.done("keys", "show", "--json"))
    assert policy["keys"] == {"argosy": shown[0]["fingerprint"]}
    assert [rule["match"] for rule in policy["rules"]] == ["layout/**", "127.0.0.1*/**"]


def test_a_passphrase_guards_a_key(desk: Desk) -> None:
    desk.done("keys", "generate", "--passphrase", "ci.key", ARGOSY_KEY_PASSWORD="open sesame")
    wasm = desk.put("tiny", guests.say("hi"))
    wrong = desk.argosy("push", "--key", "ci.key", wasm, "oci:layout:tiny", ARGOSY_KEY_PASSWORD="open barley")
    assert wrong.returncode == 1 and "passphrase is wrong" in wrong.stderr
    assert not (desk.home / "layout").exists()  # nothing unsigned was left behind
    desk.done("push", "--key", "ci.key", wasm, "oci:layout:tiny", ARGOSY_KEY_PASSWORD="open sesame")


def test_a_second_policy_does_not_replace_the_first(desk: Desk) -> None:
    again = desk.argosy("keys", "trust", desk.home / "settings/argosy/argosy.pub", "**")
    assert again.returncode == 2 and "there is a trust policy already" in again.stderr


def test_a_module_goes_through_a_folder_to_a_run(desk: Desk) -> None:
    wasm = desk.put("tiny", guests.say("ahoy\n", status=7))
    pushed = json.loads(desk.done("push", "--json", wasm, "oci:layout:tiny"))
    assert pushed["wasm"] == str(Digest.of(wasm.read_bytes()))
    assert pushed["signed_for"] == "layout/tiny"
    listed = json.loads(desk.done("list", "--json", "oci:layout"))
    assert listed["tags"] == [{"tag": "tiny", "digest": pushed["digest"], "signed": True}]
    assert "accepted" in desk.done("verify", "oci:layout:tiny")
    desk.done("pull", "-o", "mine.wasm", "oci:layout:tiny")
    assert (desk.home / "mine.wasm").read_bytes() == wasm.read_bytes()
    assert "compiled now" in desk.done("precompile", "oci:layout:tiny")
    assert "found in the cache" in desk.done("precompile", pushed["reference"])
    run = desk.argosy("run", "oci:layout:tiny")
    assert (run.stdout, run.stderr, run.returncode) == ("ahoy\n", "", 7)
    cache = json.loads(desk.done("list", "--json"))
    assert [module["recipe"]["name"] for module in cache["modules"]] == ["tiny"]
    assert [code["module"] for code in cache["native"]] == [Digest.parse(pushed["wasm"]).hex]


def test_a_module_goes_through_a_registry(desk: Desk, open_server: RegistryServer) -> None:
    place = f"{open_server.host}/cli/tiny"
    wasm = desk.put("tiny", guests.say("from afar\n"))
    pushed = json.loads(desk.done("push", "--json", wasm, f"{place}:1.0"))
    assert pushed["signed_for"] == place
    assert desk.done("list", place) == f"1.0  {pushed['digest']}  signed\n"
    assert json.loads(desk.done("verify", "--json", f"{place}@{pushed['digest']}"))["signers"] == ["argosy"]
    assert desk.argosy("run", f"{place}:1.0").stdout == "from afar\n"
    absent = desk.argosy("pull", f"{place}:2.0")
    assert absent.returncode == 1 and "2.0" in absent.stderr and "Traceback" not in absent.stderr


def test_a_registry_with_a_password_says_so(desk: Desk, locked_server: RegistryServer) -> None:
    wasm = desk.put("tiny", guests.say("hi"))
    place = f"{locked_server.host}/cli/locked:1"
    refused = desk.argosy("push", wasm, place)
    assert refused.returncode == 1 and "401" in refused.stderr
    desk.done("push", wasm, place, ARGOSY_USERNAME=USER, ARGOSY_PASSWORD=PASSWORD)


def test_an_unsigned_artifact_is_refused_everywhere_and_not_fetched(desk: Desk) -> None:
    desk.done("push", "--no-sign", desk.put("tiny", guests.say("hi")), "oci:layout:tiny")
    for command in ("pull", "precompile", "run", "verify"):
        refused = desk.argosy(command, "oci:layout:tiny")
        assert refused.returncode == 1
        assert "has no signature" in refused.stdout + refused.stderr
    assert not (desk.home / "cache/modules").exists()
    assert "not signed" in desk.done("list", "oci:layout")


def test_an_artifact_signed_by_another_key_is_refused_with_the_reason(desk: Desk) -> None:
    desk.done("keys", "generate", "stranger.key")
    desk.done("push", "--key", "stranger.key", desk.put("tiny", guests.say("hi")), "oci:layout:tiny")
    refused = desk.argosy("run", "oci:layout:tiny")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "was made by no key of" in refused.stderr
    assert json.loads(desk.argosy("verify", "--json", "oci:layout:tiny").stdout)["accepted"] is False


def test_a_tampered_layer_is_never_run(desk: Desk) -> None:
    wasm = desk.put("tiny", guests.say("good\n"))
    desk.done("push", wasm, "oci:layout:tiny")
    blob = desk.home / "layout/blobs/sha256" / Digest.of(wasm.read_bytes()).hex
    blob.write_bytes(blob.read_bytes().replace(b"good", b"evil"))
    refused = desk.argosy("run", "oci:layout:tiny")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "digest" in refused.stderr


def test_native_code_is_never_taken_from_a_registry_or_a_file(desk: Desk) -> None:
    compiled = json.loads(desk.done("precompile", "--json", "--unsigned", desk.put("tiny", guests.say("hi"))))
    native = Path(compiled["path"])
    refused = desk.argosy("run", native)
    assert refused.returncode == 2 and "is a file, which nobody has signed" in refused.stderr
    for words in (["run", "--unsigned", native], ["push", native, "oci:layout:native"]):
        refused = desk.argosy(*words)
        assert refused.returncode == 1 and "or is no wasm" in refused.stderr


def test_without_a_policy_nothing_is_trusted(desk: Desk) -> None:
    desk.done("push", desk.put("tiny", guests.say("hi")), "oci:layout:tiny")
    (desk.home / "settings/argosy/policy.toml").unlink()
    for command in ("pull", "run", "verify", "inspect"):
        refused = desk.argosy(command, "oci:layout:tiny")
        assert refused.returncode == 1 and "no trust policy" in refused.stderr


def test_a_file_runs_only_when_it_is_called_unsigned(desk: Desk) -> None:
    wasm = desk.put("tiny", guests.say("mine\n"))
    refused = desk.argosy("run", wasm)
    assert refused.returncode == 2 and f"--unsigned {wasm}" in refused.stderr
    assert desk.argosy("run", "--unsigned", wasm).stdout == "mine\n"
    both = desk.argosy("run", "--unsigned", wasm, "oci:layout:tiny")
    assert both.returncode == 2 and "name one application" in both.stderr
    assert desk.argosy("run").returncode == 2


def test_the_applications_arguments_follow_two_dashes(desk: Desk) -> None:
    wasm = desk.put("tiny", guests.say("hi"))
    wrong = desk.argosy("run", "--unsigned", wasm, "oci:x", "input.txt")
    assert wrong.returncode == 2 and "the application's own arguments follow --" in wrong.stderr
    command = desk.done("run", "--dry-run", "--unsigned", wasm, "--", "-v", "--help", "a b")
    assert command.strip().endswith("-v --help 'a b'")


def test_grants_are_passed_on_and_checked_first(desk: Desk) -> None:
    wasm = desk.put("tiny", guests.say("hi"))
    (desk.home / "data").mkdir()
    granted = desk.done(
        "run",
        "--dry-run",
        "--dir",
        "data::/d",
        "--read-only",
        ".::/r",
        "--env",
        "A=1",
        "--spawn=3",
        "--connect",
        "--unsigned",
        wasm,
    )
    assert f"--dir {desk.home}/data::/d --read-only {desk.home}::/r --env A=1 --spawn 3 --connect" in granted
    for words, told in (
        (["--dir", "absent"], "cannot grant absent"),
        (["--env", "=x"], "not a variable to grant"),
        (["--env", "NOT_SET_ANYWHERE"], "it is not set here"),
        (["--spawn=-1"], "a job may start 0 to"),
        (["-n", "2"], "does not use MPI"),
        (["-n", "two"], "invalid int value"),
    ):
        wrong = desk.argosy("run", *words, "--unsigned", wasm)
        assert wrong.returncode == 2 and told in wrong.stderr


def test_standard_input_reaches_the_application(desk: Desk) -> None:
    echo = guests.module("""
      (func (export "_start")
        (i32.store (i32.const 0) (i32.const 64))
        (i32.store (i32.const 4) (i32.const 100))
        (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
        (call $write (i32.const 64) (i32.load (i32.const 8))))
    """)
    assert desk.argosy("run", "--unsigned", desk.put("echo", echo), stdin="over the sea").stdout == "over the sea"


def test_a_module_that_imports_what_the_node_lacks_is_refused_by_name_before_it_starts(desk: Desk) -> None:
    body = '(func (export "_start") (call $write (i32.const 64) (i32.const 1)) (call $launch))'
    wasm = guests.module(body, extra_imports='(import "rocket" "launch" (func $launch))')
    refused = desk.argosy("run", "--unsigned", desk.put("rocket", wasm))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "rocket" in refused.stderr and "launch" in refused.stderr


def test_ctrl_c_ends_an_application_that_never_ends(desk: Desk) -> None:
    wasm = desk.put("endless", guests.module('(func (export "_start") (loop (br 0)))'))
    desk.done("precompile", "--unsigned", wasm)
    child = subprocess.Popen(
        [sys.executable, "-m", "argosy.cli", "run", "--unsigned", wasm], env=desk.environment, start_new_session=True
    )
    time.sleep(2)
    assert child.poll() is None
    os.killpg(child.pid, signal.SIGINT)
    assert child.wait(10) in (-signal.SIGINT, 130)


def test_inspect_tells_an_artifacts_signature_publisher_and_contents(desk: Desk) -> None:
    desk.done("push", desk.put("tiny", guests.say("hi")), "oci:layout:tiny")
    text = desk.done("inspect", "oci:layout:tiny")
    assert "accepted" in text and "signed by   argosy" in text
    assert "fd_write" in text
    report = json.loads(desk.done("inspect", "--json", "oci:layout:tiny"))
    assert report["signature"]["accepted"] is True
    assert report["description"]["name"] == "tiny"
    assert report["module"]["imports"] == {"wasi_snapshot_preview1": ["fd_write"]}


def test_inspect_shows_who_did_not_sign_without_fetching_the_module(desk: Desk) -> None:
    desk.done("push", "--no-sign", desk.put("tiny", guests.say("hi")), "oci:layout:tiny")
    report = json.loads(desk.done("inspect", "--json", "oci:layout:tiny"))
    assert (report["signature"]["accepted"], report["module"]) == (False, None)
    assert not (desk.home / "cache/modules").exists()


def test_inspect_reads_native_code(desk: Desk) -> None:
    entry = json.loads(desk.done("precompile", "--json", "--unsigned", desk.put("tiny", guests.say("hi"))))
    text = desk.done("inspect", entry["path"])
    assert "engine" in text and "CPU features" in text and "runs" in text
    report = json.loads(desk.done("inspect", "--json", entry["path"]))
    doctor = json.loads(desk.done("doctor", "--json"))
    processor = next(part for part in doctor["parts"]["run"] if part["name"] == "CPU")
    assert report["target"]["triple"] == processor["facts"]["triple"]
    assert report["target"]["features"] == processor["facts"]["features"]
    assert report["missing_here"] == []


@pytest.mark.parametrize("damage", [lambda data: data[:200], lambda data: data[:4] + bytes(len(data) - 4)])
def test_inspect_refuses_damaged_native_code(desk: Desk, damage: object) -> None:
    entry = json.loads(desk.done("precompile", "--json", "--unsigned", desk.put("tiny", guests.say("hi"))))
    broken = desk.home / "broken.cwasm"
    broken.write_bytes(damage(Path(entry["path"]).read_bytes()))  # type: ignore[operator]
    refused = desk.argosy("inspect", broken)
    assert refused.returncode == 1 and "broken.cwasm" in refused.stderr and "Traceback" not in refused.stderr


def test_names_in_a_module_cannot_steer_the_terminal(desk: Desk) -> None:
    wasm = guests.module('(func (export "_start"))', extra_imports='(import "a\\1b[2J" "b\\0a\\1b]0;x\\07" (func))')
    shown = desk.done("inspect", desk.put("odd", wasm))
    assert "\x1b" not in shown and "\x07" not in shown
    assert "a\\x1b[2J" in shown


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["push", "tiny.wasm", "nowhere"], "not a reference to an artifact: 'nowhere'"),
        (["push", "absent.wasm", "oci:layout:x"], "no file absent.wasm"),
        (["push", "text.wasm", "oci:layout:x"], "text.wasm is not a wasm module"),
        (["push", "tiny.wasm", "oci:layout@sha256:" + "0" * 64], "what is pushed has its own"),
        (["push", "--recipe", "nowhere", "tiny.wasm", "oci:layout:x"], "there is no such recipe"),
        (["pull", "oci:absent"], "there is no such folder"),
        (["list", "oci:layout:tag"], "its place is listed"),
        (["verify", "--policy", "absent.toml", "oci:layout"], "no trust policy at absent.toml"),
        (["keys", "show", "absent.pub"], "cannot read the key absent.pub"),
        (["inspect", "absent.wasm"], "no file absent.wasm"),
    ],
)
def test_wrong_input_is_told_without_a_traceback(desk: Desk, words: Sequence[str], told: str) -> None:
    desk.put("tiny", guests.say("hi"))
    (desk.home / "text.wasm").write_text("hello")
    failed = desk.argosy(*words)
    assert failed.returncode in (1, 2)
    assert failed.stderr.startswith("argosy: error: ") and told in failed.stderr
    assert "Traceback" not in failed.stderr and failed.stdout == ""


def test_a_registry_that_is_down_is_told(desk: Desk) -> None:
    failed = desk.argosy("list", "127.0.0.1:1/nobody/home")
    assert failed.returncode == 1 and "127.0.0.1:1" in failed.stderr and "Traceback" not in failed.stderr


def test_a_cache_without_permission_is_told(desk: Desk) -> None:
    wasm = desk.put("tiny", guests.say("hi"))
    (desk.home / "cache").write_text("a file where the cache should be")
    failed = desk.argosy("run", "--unsigned", wasm)
    assert failed.returncode == 1 and "$ARGOSY_CACHE" in failed.stderr and "Traceback" not in failed.stderr


def test_the_shown_lock_is_the_one_beside_the_module(desk: Desk) -> None:
    wasm = desk.put("tiny", guests.say("hi"))
    (desk.home / "lock.json").write_text("{}")
    refused = desk.argosy("push", wasm, "oci:layout:tiny")
    assert refused.returncode == 2 and "lock.json" in refused.stderr
    assert not (desk.home / "layout").exists()
    shutil.rmtree(desk.home / "cache", ignore_errors=True)


def test_one_command_compiles_for_several_kinds_of_cpu_and_says_which_run_here(desk: Desk) -> None:
    wasm = desk.put("tiny", guests.say("hi\n"))
    machine = platform.machine()
    least, other = {"x86_64": ("x86-64", "rpi4"), "aarch64": ("aarch64", "x86-64-v3")}[machine]
    (desk.home / "here.cpuinfo").write_text(Path("/proc/cpuinfo").read_text())
    prepare = ("precompile", "--json", "--for", least, "--for", "here.cpuinfo", "--unsigned", wasm)
    for_least, for_here = json.loads(desk.done(*prepare))
    assert (for_least["for"], for_least["compiled"], for_here["compiled"]) == (least, True, True)
    assert not json.loads(desk.done("precompile", "--json", "--unsigned", wasm))["compiled"]  # it is this CPU
    assert "it runs" in desk.done("why-not", for_least["path"])
    refused = desk.argosy("why-not", "--json", for_here["path"], "--on", other)
    assert (refused.returncode, json.loads(refused.stdout)["runs"]) == (1, False)
    elsewhere = desk.argosy("precompile", "--for", other, "--unsigned", wasm)
    assert elsewhere.returncode == 1 and "run it on a machine with" in elsewhere.stderr
    profiles = json.loads(desk.done("doctor", "--cpu", "--json"))["profiles"]
    assert {one["profile"]["name"]: one["runs"] for one in profiles}[least] is True


def test_run_says_when_code_in_the_cache_was_refused(desk: Desk) -> None:
    wasm = desk.put("tiny", guests.say("hi\n"))
    entry = Path(json.loads(desk.done("precompile", "--json", "--unsigned", wasm))["path"])
    entry.write_bytes(entry.read_bytes()[:-1])
    run = desk.argosy("run", "--unsigned", wasm)
    assert (run.returncode, run.stdout) == (0, "hi\n")
    assert "compiled since" in run.stderr and "digest" in run.stderr


def test_the_cache_is_listed_verified_cleaned_and_carried(desk: Desk) -> None:
    wasm = desk.put("tiny", guests.say("hi\n"))
    entry = json.loads(desk.done("precompile", "--json", "--unsigned", wasm))
    (listed,) = json.loads(desk.done("cache", "ls", "--json"))["entries"]
    assert (listed["path"], listed["why_not"]) == (entry["path"], "")
    assert "this CPU" in desk.done("cache", "ls")
    assert "0 of them would not be loaded" in desk.done("cache", "verify")
    desk.done("cache", "export", "nodes.tar")
    code = Path(entry["path"])
    os.utime(code.with_suffix(".json"), (1e9, 1e9))
    assert "would remove" in desk.done("cache", "gc", "--limit", "0", "--dry-run")
    assert "not used for longest" in desk.done("cache", "gc", "--limit", "0")
    assert not code.exists()
    desk.done("keys", "generate", "stranger.key")
    refused = desk.argosy("cache", "import", "--trusted-key", "stranger.pub", "nodes.tar")
    assert refused.returncode == 1 and "not signed by" in refused.stderr and not code.exists()
    trusted = desk.home / "settings/argosy/argosy.pub"
    assert "imported 1 entries" in desk.done("cache", "import", "--trusted-key", trusted, "nodes.tar")
    code.write_bytes(code.read_bytes()[:-1])
    wrong = desk.argosy("cache", "verify")
    assert wrong.returncode == 1 and "digest is not the one noted" in wrong.stdout


def with_grants(desk: Desk, lines: str) -> Path:
    """The desk's policy with this table of what runs may be granted, in a folder of its own."""
    policy = desk.home / "settings/argosy/policy.toml"
    text = policy.read_text()
    first, rest = text.split("[[repositories]]", 1)
    head, *others = rest.split("[[repositories]]")
    limited = policy.with_name("limited.toml")
    limited.write_text(
        first
        + "[[repositories]]"
        + head
        + "[repositories.grants]\n"
        + lines
        + "\n"
        + "".join(f"[[repositories]]{one}" for one in others)
    )
    return limited


def test_a_run_that_asks_for_more_than_the_policy_grants_does_not_start(desk: Desk) -> None:
    desk.done("push", desk.put("tiny", guests.say("hi\n")), "oci:layout:tiny")
    (desk.home / "data").mkdir()
    policy = with_grants(desk, f'memory = "1MiB"\ntime = "1h"\nread = ["{desk.home.resolve()}/data"]\nwrite = []')
    words = ("--policy", policy, "oci:layout:tiny")
    assert desk.argosy("run", "--read-only", "data", *words).stdout == "hi\n"
    for options, said in (
        (("--memory", "2MiB"), "bytes of memory"),
        (("--wall-time", "2h"), "7200 seconds"),
        (("--dir", "data"), "data to write"),
        (("--read-only", "."), "to read"),
    ):
        refused = desk.argosy("run", *options, *words)
        assert (refused.returncode, refused.stdout) == (1, "") and said in refused.stderr
    granted = json.loads(desk.done("run", "--explain", "--json", "--read-only", "data", *words))["granted"]
    assert (granted["memory"], granted["seconds"], granted["network"]) == (1 << 20, 3600, False)


def test_explain_says_what_is_asked_for_and_not_granted(desk: Desk) -> None:
    recipe = desk.home / "tiny"
    recipe.mkdir()
    (recipe / "tiny.c").write_text("int main(void) { return 0; }\n")
    (recipe / "recipe.toml").write_text(
        'name = "tiny"\nversion = "1"\nlicence = "MIT"\ndescription = "asks for things"\nmpi = false\n'
        '[[source]]\nfolder = "."\n[build]\nkind = "sources"\nsources = ["tiny.c"]\n[[program]]\nname = "tiny"\n[run]\n'
        '[capabilities]\nfolders = [{ path = "/mesh" }, { path = ".", writable = true }]\nenvironment = ["LANG"]\n'
        'memory = "3GiB"\ntime = "2h"\n'
    )
    desk.done("push", "--recipe", recipe, desk.put("tiny", guests.say("hi\n")), "oci:layout:tiny")
    told = desk.done("run", "--explain", "--memory", "2GiB", "--dir", ".", "oci:layout:tiny")
    assert "as '.', read and write" in told and "2 GiB in each process" in told and "network" in told
    asked = json.loads(desk.done("run", "--explain", "--json", "--memory", "2GiB", "--dir", ".", "oci:layout:tiny"))
    assert asked["asks"] == {
        "folders": ["/mesh:ro", "."],
        "variables": ["LANG"],
        "memory": ["3 GiB"],
        "time": ["7200 seconds"],
    }
    assert asked["not_granted"] == [
        "the folder /mesh: --read-only HOST::/mesh",
        "the variable LANG: --env LANG",
        "3 GiB of memory",
    ]
