# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The rules: each has an image that breaks it and no other."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from openvmi import abi
from openvmi.errors import InputError
from openvmi.rom import RULES, Authority, Severity, accepted, check, parse, refusals, verify

Patch = Callable[[bytes, dict[int, bytes]], bytes]
Spoil = Callable[[bytes, Patch], bytes]


def word(value: int) -> bytes:
    return value.to_bytes(2, "little")


def pci(image: bytes, offset: int = 0) -> int:
    return int.from_bytes(image[0x18:0x1A], "little") + offset


def pnp(image: bytes, offset: int = 0) -> int:
    return int.from_bytes(image[0x1A:0x1C], "little") + offset


def grown(image: bytes, patch: Patch, size: int) -> bytes:
    """Return ``image`` padded to ``size`` bytes, with both lengths right."""
    changes = {2: bytes([size // 512]), pci(image, 16): word(size // 512)}
    return patch(image + bytes(size - len(image)), changes)


def circular(image: bytes, patch: Patch) -> bytes:
    at = pnp(image)
    checksum = (image[at + 9] - sum(word(at))) & 0xFF
    return patch(image, {at + 6: word(at), at + 9: bytes([checksum])})


SPOILED: dict[str, Spoil] = {
    "vmi-signature": lambda image, patch: patch(image, {8: b"cvmi"}),
    "api-version": lambda image, patch: patch(image, {13: b"\x04"}),
    "pci-pointer": lambda image, patch: patch(image, {0x18: word(0)}),
    "licence": lambda image, patch: patch(image, {0x16: word(0)}),
    "pci-device": lambda image, patch: patch(image, {pci(image, 6): b"\2"}),
    "names": lambda image, patch: patch(image, {0x1A: word(0)}),
    "top-alignment": lambda image, patch: patch(image, {0x10: b"\0\x08\xc0\xff"}),
    "top-room": lambda image, patch: patch(image, {0x10: b"\0\0\0\xc0"}),
    "jump-points": lambda image, patch: patch(image, {0x88: bytes(8)}),
    "reserved": lambda image, patch: patch(image, {0x0F: b"\1"}),
    "window": lambda image, patch: grown(image, patch, 100 * 1024),
    "length": lambda image, patch: patch(image, {2: b"\0", pci(image, 16): word(0)}),
    "truncated": lambda image, patch: patch(image, {})[:-512],
    "checksum": lambda image, patch: patch(image, {})[:-1] + b"\1",
    "entry": lambda image, patch: patch(image, {3: bytes(4)}),
    "length-unit": lambda image, patch: grown(image, patch, 2560),
    "pci-structure": lambda image, patch: patch(image, {pci(image): b"PCIX"}),
    "pci-code-type": lambda image, patch: patch(image, {pci(image, 20): b"\3"}),
    "pci-alignment": lambda image, patch: patch(image, {0x702: image[pci(image) :][:24], 0x18: word(0x702)}),
    "pci-length": lambda image, patch: patch(image, {pci(image, 10): b"\x14"}),
    "pci-image-length": lambda image, patch: patch(image, {pci(image, 16): b"\2"}),
    "pci-last": lambda image, patch: patch(image, {pci(image, 21): b"\0"}),
    "pnp-structure": lambda image, patch: patch(image, {pnp(image): b"$PNP"}),
    "pnp-checksum": lambda image, patch: patch(image, {pnp(image, 9): b"\0"}),
    "pnp-chain": circular,
    "trailing": lambda image, patch: patch(image, {}) + b"rest",
}
"""For each rule but one: how to break it, and nothing else."""


SPOILED_B: dict[str, Spoil] = {
    "vmi-signature": SPOILED["vmi-signature"],
    "slots": lambda image, patch: patch(image, {0x80 + 32: bytes(32)}),
    "landing": lambda image, patch: grown(image, patch, 18 * 1024),
    "reserved": lambda image, patch: patch(image, {0x13: b"\1"}),
    **{rule: SPOILED[rule] for rule in ("window", "length", "checksum", "entry", "pci-last", "pnp-chain", "trailing")},
}
"""The same of an image of generation B, for what it has another reason to break or another header to do so in."""
# 18 KiB are too long for the copies of guests, 100 KiB for the window, too.
BOTH_LENGTHS = {"window": {"window", "landing"}}


def test_the_rules_are_all_here() -> None:
    assert {rule.id for rule in RULES} == {*SPOILED, *SPOILED_B, "alignment"}
    assert len({rule.id for rule in RULES}) == len(RULES)


def test_a_good_image_breaks_none(image: bytes) -> None:
    assert verify(image) == []
    assert all(accepted(parse(image), authority) for authority in Authority)


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.id in SPOILED], ids=lambda rule: rule.id)
def test_a_rule_is_broken_alone(image: bytes, patch: Patch, rule: object) -> None:
    (finding,) = verify(SPOILED[rule.id](image, patch))  # type: ignore[attr-defined]
    assert finding.rule is rule
    assert finding.detail
    assert finding.as_dict()["source"]


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.id in SPOILED], ids=lambda rule: rule.id)
def test_who_refuses_follows_from_the_rule(image: bytes, patch: Patch, rule: object) -> None:
    data = SPOILED[rule.id](image, patch)  # type: ignore[attr-defined]
    (finding,) = verify(data)
    fatal = finding.rule.severity is not Severity.WARN
    for authority in Authority:
        refuses = fatal and authority in finding.rule.authorities
        assert accepted(parse(data), authority) != refuses
        assert [found.rule.id for found in refusals(data, authority)] == [finding.rule.id] * refuses


def test_a_header_of_another_generation_is_not_read_as_ours(image: bytes, patch: Patch) -> None:
    (finding,) = verify(patch(image, {13: b"\x06", 0x10: b"\1\2\3\4", 0x16: word(0), 0x80: bytes(16)}))
    assert finding.rule.id == "api-version"


def test_an_image_of_generation_b_breaks_none(image_b: bytes) -> None:
    assert verify(image_b) == []
    assert all(accepted(parse(image_b), authority) for authority in Authority)
    (found,) = parse(image_b).images
    assert found.vmi is not None
    assert (found.vmi.generation, found.vmi.virtual_top, found.vmi.licence) == ("B", 0, None)


def test_what_only_mainline_looks_at_is_no_rule_of_generation_b(image_b: bytes, patch: Patch) -> None:
    """No PCI data, no names, and bytes in the place of virtual_top and the licence: reserved3 is private."""
    assert verify(patch(image_b, {0x14: b"\1\2\3\4", 0x18: word(0), 0x1A: word(0)})) == []


@pytest.mark.parametrize("rule", SPOILED_B)
def test_a_rule_is_broken_alone_in_generation_b(image_b: bytes, patch: Patch, rule: str) -> None:
    found = {finding.rule.id for finding in verify(SPOILED_B[rule](image_b, patch))}
    assert found == BOTH_LENGTHS.get(rule, {rule})


def test_older_roms_have_fewer_slots(image_b: bytes, patch: Patch) -> None:
    without = {32 * number: bytes(32) for number in (85, 86, 87)}
    assert [finding.detail for finding in verify(patch(image_b, without))] == ["no code: 85, 86, 87"]
    assert verify(patch(image_b, {**without, 12: b"\0"})) == []
    (found,) = verify(patch(image_b, {32 * number: bytes(32) for number in range(4, 88)}))
    assert found.detail == "no code: 4, 5, 6, 7, 8, 9 and 78 more"


def test_an_image_that_ends_before_its_slots(image_b: bytes, patch: Patch) -> None:
    short = patch(image_b[:0x800], {2: b"\4", 0x18: word(0), 0x1A: word(0)})
    assert {finding.rule.id for finding in verify(short)} == {"slots"}


def test_an_image_that_a_scan_steps_over(image: bytes, patch: Patch) -> None:
    first = patch(grown(image, patch, 2560), {8: bytes(4), pci(image, 21): b"\0"})
    found = [finding for finding in verify(first + image) if finding.image == 1]
    assert [finding.rule.id for finding in found] == ["alignment"]
    assert not accepted(parse(first + image), Authority.GUEST)
    assert accepted(parse(first + image), Authority.BIOS)


def test_a_guest_goes_on_to_the_next_image(image: bytes, patch: Patch) -> None:
    stranger = patch(image, {13: b"\x06", pci(image, 21): b"\0"})
    assert {finding.rule.id for finding in verify(stranger + image)} == {"api-version"}
    assert accepted(parse(stranger + image), Authority.GUEST)
    assert refusals(stranger + image) == []
    assert [str(finding) for finding in refusals(stranger)] == ["API major is 3 or 13: the ROM's interface is 6.0"]


def test_an_image_for_another_machine_has_other_bytes_and_that_is_fine(image: bytes, patch: Patch) -> None:
    efi = patch(image, {pci(image, 20): b"\3", pci(image, 16): b"\3"})[:-1] + b"\1"
    assert [finding.rule.id for finding in verify(efi)] == ["pci-code-type"]


def test_a_licence_in_any_other_words_is_refused(image: bytes, patch: Patch) -> None:
    for text in ("BSD", "GPLv2", "gpl", "GPL v3", "GPL ", ""):
        (finding,) = verify(patch(image, {0x700: text.encode() + b"\0", 0x16: word(0x700)}))
        assert finding.rule.id == "licence"
    assert verify(patch(image, {0x700: b"GPL v2\0", 0x16: word(0x700)})) == []
    for offset, words in ((0, "unspecified"), (0xFFF0, "no string")):
        (finding,) = verify(patch(image, {0x16: word(offset)}))
        assert words in finding.detail


def test_every_test_of_a_mainline_guest_has_its_rule(image: bytes, patch: Patch) -> None:
    rules = {
        "vrom_signature": "vmi-signature",
        "version": "api-version",
        "pci_header": "pci-pointer",
        "pci_device": "pci-device",
        "license": "licence",
    }
    severities = {"skip": Severity.REFUSE, "reject": Severity.REFUSE, "warn": Severity.WARN}
    by_id = {rule.id: rule for rule in RULES}
    for test in abi.load().acceptance:
        if test.name == "rom_signature":
            with pytest.raises(InputError):
                verify(patch(image, {0: bytes(2)}))
            continue
        rule = by_id[rules[test.name]]
        assert Authority.GUEST in rule.authorities
        assert rule.severity is severities[test.failure]


def test_findings_come_in_the_order_of_the_rules(image: bytes, patch: Patch) -> None:
    found = check(parse(patch(image, {0x16: word(0), 0x18: word(0), 0x0F: b"\1", 3: bytes(4)})))
    order = [rule.id for rule in RULES]
    ids = [finding.rule.id for finding in found]
    assert ids == sorted(ids, key=order.index)
    assert set(ids) == {"licence", "pci-pointer", "reserved", "entry"}
