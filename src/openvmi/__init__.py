# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""openvmi: an open implementation of VMI, the Virtual Machine Interface of 2006.

Layers, lowest first; each imports only what stands above it in this list:

* ``errors``: the exceptions and exit codes, known to all.
* ``abi``: the interface as data.
* ``rom``: bytes to ROM images and back.
* ``machine``: a PC, run by QEMU; knows nothing of VMI.
* ``toolchain``, ``images``: how the firmware and the bundled guest are built, and where they lie.
* ``hypervisor``: what is offered to a guest through the ROM.
* ``bench``: measured tables.
* ``cli``: one thin file for each command.
"""

__version__ = "0.1.0"
