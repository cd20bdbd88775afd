# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""``openvmi rom``: what it prints, and its exit codes."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from openvmi import images
from openvmi.cli import main
from openvmi.rom import RomMode, parse, with_mode

Patch = Callable[[bytes, dict[int, bytes]], bytes]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Return a function that runs ``openvmi rom`` with its arguments: status, standard output, standard error."""

    def runs(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["openvmi", "rom", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        assert isinstance(ended.value.code, int)
        assert "Traceback" not in err
        return ended.value.code, out, err

    before = signal.getsignal(signal.SIGINT)
    yield runs
    signal.signal(signal.SIGINT, before)  # the command lets go of it at its end


@pytest.fixture
def good(tmp_path: Path, image: bytes) -> Path:
    path = tmp_path / "good.rom"
    path.write_bytes(image)
    return path


@pytest.fixture
def base(tmp_path: Path, image: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the package's own image be the synthetic one: no compiler is needed here."""
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "openvmi.rom").write_bytes(with_mode(image, RomMode.DECLINE))
    monkeypatch.setattr(images, "FOLDER", folder)


def test_info_shows_every_field(run: Run, good: Path) -> None:
    status, out, err = run("info", good)
    assert (status, err) == (0, "")
    assert out.startswith("image 0 at 0x0: VMI ROM, interface 3.0, 2048 bytes, mode native: openvmi VMI ROM\n")
    assert "0x000010      4  virtual_top       0x00000000" in out


def test_info_as_json(run: Run, good: Path) -> None:
    status, out, _ = run("info", good, "--json")
    content = json.loads(out)
    assert (status, content["size"], content["images"]) == (0, 2048, [{"offset": 0, "bytes": 2048}])
    assert content["sections"][0]["title"] == "header"


def test_info_escapes_what_a_terminal_obeys(run: Run, good: Path, image: bytes, patch: Patch) -> None:
    at = image.index(b"openvmi\0VMI ROM")
    good.write_bytes(patch(image, {at: b"\x1b]0;\x07\x9b"}))
    status, out, _ = run("info", good)
    assert status == 0
    assert not set(out) & set("\x1b\x07\x9b")


def test_verify_of_a_good_image(run: Run, good: Path) -> None:
    status, out, _ = run("verify", good)
    assert status == 0
    assert out.count("takes it") == 3


def test_verify_says_who_refuses_and_why(run: Run, good: Path, image: bytes) -> None:
    good.write_bytes(image[:-1] + b"\1")
    status, out, _ = run("verify", good)
    assert status == 1
    assert "refuse checksum" in out
    assert "mainline guest: takes it" in out
    assert "BIOS: would not run it" in out
    assert "2.0 text: would not run it" in out


def test_verify_as_json(run: Run, good: Path, image: bytes, patch: Patch) -> None:
    good.write_bytes(patch(image, {0x16: b"\0\0"}))
    status, out, _ = run("verify", "--json", good)
    content = json.loads(out)
    assert (status, content["accepted"]) == (1, {"guest": False, "text": True, "bios": True})
    assert [finding["rule"] for finding in content["findings"]] == ["licence"]


def test_a_warning_alone_is_fine(run: Run, good: Path, image: bytes) -> None:
    good.write_bytes(image + b"rest")
    status, out, _ = run("verify", good)
    assert status == 0
    assert "warn   trailing" in out


@pytest.mark.parametrize("name", ["missing", "folder", "text", "empty"])
@pytest.mark.parametrize("what", ["info", "verify"])
def test_what_can_not_be_read(run: Run, tmp_path: Path, what: str, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "text").write_text("hello")
    (tmp_path / "empty").write_bytes(b"")
    status, out, err = run(what, tmp_path / name)
    assert (status, out) == (2, "")
    assert err.startswith(f"openvmi: {tmp_path / name}: ")


@pytest.mark.usefixtures("base")
def test_build_needs_no_compiler(run: Run, tmp_path: Path) -> None:
    target = tmp_path / "mine.rom"
    options = ("--virtual-top", "0xfc000000", "--manufacturer", "me", "--product", "mine")
    status, out, _ = run("build", "--mode", "stubs-jump", *options, "-o", target)
    assert (status, out) == (0, f"{target}: 2048 bytes, mode stubs-jump\n")
    (found,) = parse(target.read_bytes()).images
    assert found.vmi is not None
    assert found.descriptor is not None
    assert (found.vmi.virtual_top, found.descriptor.mode) == (0xFC000000, RomMode.STUBS_JUMP)
    assert (found.pnp[0].manufacturer, found.pnp[0].product) == ("me", "mine")
    assert {path.name for path in tmp_path.iterdir()} == {target.name, "images"}


@pytest.mark.usefixtures("base")
@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--virtual-top", "top"), "top"),
        (("--virtual-top", "0xfc000001"), "multiple of 4 KiB"),
        (("--manufacturer", ""), "manufacturer"),
        (("--mode", "fast"), "fast"),
        ((), "-o"),
    ],
)
def test_build_refuses(run: Run, tmp_path: Path, options: tuple[str, ...], words: str) -> None:
    output = ("-o", tmp_path / "x.rom") if options else ()
    status, _, err = run("build", *options, *output)
    assert status == 2
    assert words in err
    assert not (tmp_path / "x.rom").exists()


@pytest.mark.usefixtures("base")
def test_build_keeps_what_it_can_not_replace(run: Run, tmp_path: Path) -> None:
    status, _, err = run("build", "-o", tmp_path / "no" / "x.rom")
    assert status == 2
    assert "can't write there" in err
    status, _, err = run("build", "-o", tmp_path / "images")
    assert status == 2
    status, _, err = run("build", "-o", "/dev/full")
    assert status == 2
    assert "No space left" in err


def test_build_without_images_says_what_to_do(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "FOLDER", tmp_path)
    status, _, err = run("build", "-o", tmp_path / "x.rom")
    assert status == 125
    assert "make images" in err


def test_named_pipes_are_refused_and_not_waited_for(run: Run, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for words in (("info", fifo), ("verify", fifo), ("build", "-o", fifo)):
        assert run(*words)[0] == 2


@pytest.mark.usefixtures("base")
@pytest.mark.parametrize("name", ["", ".", "/", "/etc/passwd/x", "loop", "x" * 252, "y" * 300])
def test_build_into_names_that_are_odd(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("loop").symlink_to("loop")
    assert run("build", "-o", name)[0] == (0 if name == "x" * 252 else 2)
    assert not list(tmp_path.glob(".*"))


def test_info_takes_time_in_proportion_to_the_file(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "many.rom"
    file.write_bytes((b"\x55\xaa\x01" + bytes(509)) * 8000)
    began = time.monotonic()
    assert run("info", file)[0] == 0
    assert time.monotonic() - began < 20
