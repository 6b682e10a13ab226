# SPDX-License-Identifier: MIT
"""Compile src/, and what else is freestanding, as an embedder would, and ask what came out.

Used by scripts/size and tests/.
"""

import concurrent.futures
import dataclasses
import os
import re
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

WARNINGS = ["-Wall", "-Wextra", "-Werror", "-Wshadow", "-Wundef", "-Wstrict-prototypes",
            "-Wmissing-prototypes", "-Wvla", "-Wpointer-arith"]
COMMON = ["-std=gnu11", "-ffreestanding", "-nostdlib", "-fno-pic", "-fno-stack-protector",
          "-fno-asynchronous-unwind-tables"]
X86 = ["-mno-red-zone", "-mgeneral-regs-only"]
ARM = ["-mgeneral-regs-only"]
V8_0 = ["-march=armv8-a", "-mno-outline-atomics"]  # exclusive loads and stores
LSE = ["-march=armv8.1-a"]

MEMORY_FUNCTIONS = {"memcpy", "memset", "memmove", "memcmp"}


@dataclasses.dataclass
class Toolchain:
    """A compiler with the flags of one target. The binutils are the target's own."""
    name: str
    cc: list
    flags: list
    prefix: str

    def present(self):
        return shutil.which(self.cc[0]) and shutil.which(self.prefix + "nm")

    def tool(self, name):
        return self.prefix + name

    def command(self):
        """No system header but the compiler's own (gcc's limits.h is told not to ask for libc's)."""
        found = [run(self.cc + [f"-print-file-name={d}"]).strip()
                 for d in ("include", "include-fixed")]
        if "clang" in self.cc[0]:
            found = [os.path.join(run(self.cc + ["-print-resource-dir"]).strip(), "include")]
        isystem = [arg for d in found if os.path.isdir(d) for arg in ("-isystem", d)]
        return self.cc + self.flags + COMMON + ["-nostdinc", "-D_LIBC_LIMITS_H_", *isystem]


CROSS = "aarch64-linux-gnu-"
TOOLCHAINS = [
    Toolchain("gcc x86-64", ["gcc"], X86, ""),
    Toolchain("gcc aarch64 v8.0", [CROSS + "gcc"], ARM + V8_0, CROSS),
    Toolchain("gcc aarch64 LSE", [CROSS + "gcc"], ARM + LSE, CROSS),
    Toolchain("clang x86-64", ["clang", "--target=x86_64-unknown-none-elf"], X86, ""),
    Toolchain("clang aarch64 v8.0", ["clang", "--target=aarch64-none-elf"], ARM + V8_0, CROSS),
    Toolchain("clang aarch64 LSE", ["clang", "--target=aarch64-none-elf"], ARM + LSE, CROSS),
]


def toolchains():
    """Those that are installed; with WEIR_TOOLCHAINS=all a missing one is an error."""
    missing = [t.name for t in TOOLCHAINS if not t.present()]
    if missing and os.environ.get("WEIR_TOOLCHAINS") == "all":
        sys.exit(f"missing: {', '.join(missing)}")
    if missing:
        print(f"not installed, left out: {', '.join(missing)}")
    return [t for t in TOOLCHAINS if t.present()]


def run(command, **kwargs):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **kwargs)
    if done.returncode:
        sys.exit(f"{' '.join(command[:3])} ... failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def sources(folder="src"):
    """The list that the build takes too: paths relative to `folder`."""
    with open(os.path.join(ROOT, folder, "sources.txt"), encoding="utf-8") as f:
        lines = [line.split("#")[0].strip() for line in f]
    return [line for line in lines if line]


def compile_one(command, source, obj):
    os.makedirs(os.path.dirname(obj), exist_ok=True)
    run(command + ["-c", source, "-o", obj], cwd=ROOT)
    return obj


def compile_all(command, files, out, folder="src"):
    """{file: object}, each file relative to `folder`; objects below `out`."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = {f: pool.submit(compile_one, command, f"{folder}/{f}",
                               os.path.join(out, f[:-2] + ".o")) for f in files}
        return {f: job.result() for f, job in jobs.items()}


def compile_folder(chain, folder, include, out, flags=()):
    """The sources of `folder`, with include/ and the folders `include` on the path."""
    command = chain.command() + ["-Iinclude", *[f"-I{path}" for path in include], *flags]
    return compile_all(command, sources(folder), out, folder)


def compile_src(chain, out, flags=()):
    return compile_folder(chain, "src", ["src"], out, flags)


def symbols(nm, obj):
    """[(type letter, name)] of an object."""
    lines = [line.split() for line in run([nm, "-P", obj]).splitlines()]
    return [(line[1], line[0]) for line in lines if len(line) >= 2]


def undefined(nm, objects):
    """What these objects need and none of them has."""
    needs, has = set(), set()
    for obj in objects:
        for kind, name in symbols(nm, obj):
            if kind in "Uw":
                needs.add(name)
            elif kind.isupper():
                has.add(name)
    return needs - has


def platform_symbols():
    """All that a host may be asked for."""
    text = run(["gcc", "-E", "-P", "-Iinclude", "include/weir/platform.h"], cwd=ROOT)
    return set(re.findall(r"\b(plat_\w+)\s*\(", text)) | MEMORY_FUNCTIONS
