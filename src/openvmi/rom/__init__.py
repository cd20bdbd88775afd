# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""ROM images: bytes to facts, facts to bytes, and the rules that decide who accepts an image. No I/O.

``build_image``, ``rebuild`` and ``with_mode`` make images; ``parse`` reads any option ROM; ``explain`` says what each
of its fields means; ``verify`` applies the rules of a mainline guest, of the 2.0 text and of a BIOS.
"""

from .builder import RomMetadata, build_image, loaded_bytes, loaded_pieces, rebuild, with_mode
from .explain import Entry, Section, explain, summary
from .layout import RomMode
from .model import Descriptor, ImageInfo, PciData, PnpHeader, RomFile, VmiHeader
from .parser import MAX_FILE_BYTES, parse
from .rules import RULES, Authority, Rule, Severity, is_blank
from .verify import Finding, accepted, check, refusals, verify

__all__ = [
    "MAX_FILE_BYTES",
    "RULES",
    "Authority",
    "Descriptor",
    "Entry",
    "Finding",
    "ImageInfo",
    "PciData",
    "PnpHeader",
    "RomFile",
    "RomMetadata",
    "RomMode",
    "Rule",
    "Section",
    "Severity",
    "VmiHeader",
    "accepted",
    "build_image",
    "check",
    "explain",
    "is_blank",
    "loaded_bytes",
    "loaded_pieces",
    "parse",
    "rebuild",
    "refusals",
    "summary",
    "verify",
    "with_mode",
]
