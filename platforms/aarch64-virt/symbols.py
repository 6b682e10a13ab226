#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The table of functions inside the image, for its back traces (symbols.c).

The image is linked twice: without the table, and with the table made from the first link. Code comes
before the table in image.lds, so that it lies at the same addresses in both.

symbols.py table NM FIRST.elf OUT.S             write the table
symbols.py check NM FIRST.elf FINAL.elf OUT     fail if a function has moved; else write OUT
"""

import subprocess
import sys

START, END = "virt_image_start", "virt_code_end"


def read(nm, elf):
    """{name: address} of what begins and ends the code, [(address, name)] of functions."""
    text = subprocess.run([nm, "--defined-only", elf], check=True, capture_output=True,
                          text=True).stdout
    marks, found = {}, []
    for line in text.splitlines():
        address, kind, name = line.split(maxsplit=2)
        if name in (START, END):
            marks[name] = int(address, 16)
        elif kind in "tTwW" and name[0] not in ".$":
            # Of several names for one address the global one is sorted first.
            found.append((int(address, 16), kind.islower(), name))
    if marks.get(START) != 0 or END not in marks:
        sys.exit(f"symbols.py: {elf}: {START} is not 0, or there is no {END}: see image.lds")
    return marks, [(address, name) for address, _, name in sorted(found) if address < marks[END]]


def table(functions):
    """The assembler source; symbols.c knows the layout."""
    unique = {}
    for address, name in functions:
        unique.setdefault(address, name)
    lines = ["\t.section .weir_symbols, \"a\"", "\t.balign 8", f"\t.word {len(unique)}, 0"]
    names, at = [], 8 + 8 * len(unique)
    for address, name in unique.items():
        lines.append(f"\t.word {address:#x}, {at}")
        names.append(f"\t.asciz \"{name}\"")
        at += len(name) + 1
    return "\n".join(lines + names) + "\n"


def moved(first, final):
    """The first function (or end of code) that differs between the two links, or None."""
    for one, other in zip(first[1], final[1]):
        if one != other:
            return f"{one[1]} at {one[0]:#x}, then {other[1]} at {other[0]:#x}"
    if first[0] != final[0] or len(first[1]) != len(final[1]):
        return "the end of the code"
    return None


def main():
    what, nm, elf, *rest = sys.argv[1:]
    marks, functions = read(nm, elf)
    if what == "table":
        text, out = table(functions), rest[0]
    else:
        problem = moved((marks, functions), read(nm, rest[0]))
        if problem:
            sys.exit(f"symbols.py: code moved between the two links: {problem}")
        text, out = f"{len(functions)} functions\n", rest[1]
    with open(out, "w", encoding="utf-8") as f:
        f.write(text)


if __name__ == "__main__":
    main()
