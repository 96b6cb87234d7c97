#!/usr/bin/env python3
"""Lists what the program and the Python package are made of: every crate that is linked into one of them or runs while it is built,
with its licence.

    tools/licences.py           writes LICENCES.md
    tools/licences.py --check   fails if LICENCES.md is out of date, a licence is not among those accepted, a crate comes
                                from elsewhere than the registry, or a build script has a word in it that downloading
                                would need
"""

import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIST = ROOT / "LICENCES.md"

# All of them allow use and redistribution in source and binary form, with notice.
ACCEPTED = {"MIT", "MIT-0", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause", "0BSD", "ISC",
            "Zlib", "Unlicense", "CC0-1.0", "BSL-1.0", "Unicode-3.0", "CDLA-Permissive-2.0"}

# A build script that fetched something would name a program or library for it, or open a socket.
DOWNLOADS = re.compile(r"\b(curl|wget|ureq|reqwest|hyper|TcpStream|UdpSocket|git clone|download)", re.IGNORECASE)

HEAD = """# Licences

Every crate that is linked into the program or the Python package, or runs while they are built, for x86-64 Linux, with the licence
that it declares; those of the feature `onnx-graphs` are among them. Those marked have a build script; none of these downloads anything: ring and zstd-sys compile the C and
assembly that they carry. `tools/licences.py` writes this list, and the gates check it. The program's own licence is MIT
or Apache-2.0.

| crate | version | build script | licence |
| --- | --- | --- | --- |
"""


def crates():
    command = ["cargo", "tree", "--locked", "--workspace", "--features", "papertrader/onnx-graphs", "--edges", "normal,build", "--prefix", "none", "--no-dedupe", "--target",
               "x86_64-unknown-linux-gnu", "--format", "{p}\t{l}"]
    output = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    found = set()
    for line in filter(None, output.splitlines()):
        package, _, licence = line.partition("\t")
        name, version, *where = package.split(" ")
        # Macros are named so; anything else in brackets is a path or another source.
        elsewhere = [word for word in where if word not in ("(proc-macro)", "(*)")]
        if name in ("papertrader", "papertrader-python"):
            continue
        if elsewhere:
            sys.exit(f"{name} {version} comes from {' '.join(elsewhere)}")
        found.add((name, version.removeprefix("v"), licence.strip()))
    return sorted(found)


def build_scripts(found):
    """The crates with a build script, after a look at what it and its modules say."""
    command = ["cargo", "metadata", "--locked", "--format-version", "1"]
    metadata = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)
    names = {(name, version) for name, version, _ in found}
    scripts = set()
    for package in metadata["packages"]:
        if (package["name"], package["version"]) not in names:
            continue
        for target in package["targets"]:
            if "custom-build" not in target["kind"]:
                continue
            main = pathlib.Path(target["src_path"])
            # One in a folder of its own may have modules there.
            beside = main.parent.rglob("*.rs") if main.parent != pathlib.Path(package["manifest_path"]).parent else []
            for source in {main, *beside}:
                word = DOWNLOADS.search(source.read_text(errors="replace"))
                if word:
                    sys.exit(f"the build script of {package['name']} {package['version']} says '{word[0]}': {source}")
            scripts.add((package["name"], package["version"]))
    return scripts


def accepts(expression):
    """Whether an SPDX expression can be met; a slash is an old way to say OR."""
    tokens = re.findall(r"\(|\)|[^()\s]+", expression.replace("/", " OR "))

    def alternatives(at):
        good, at = all_of(at)
        while at < len(tokens) and tokens[at] == "OR":
            other, at = all_of(at + 1)
            good = good or other
        return good, at

    def all_of(at):
        good, at = one(at)
        while at < len(tokens) and tokens[at] == "AND":
            other, at = one(at + 1)
            good = good and other
        return good, at

    def one(at):
        if tokens[at] == "(":
            good, at = alternatives(at + 1)
            return good, at + 1
        name, at = tokens[at], at + 1
        if at < len(tokens) and tokens[at] == "WITH":
            name, at = f"{name} WITH {tokens[at + 1]}", at + 2
        return name in ACCEPTED, at

    return bool(tokens) and alternatives(0) == (True, len(tokens))


def main():
    found = crates()
    unknown = [f"{name} {version}: {licence or 'none'}" for name, version, licence in found if not accepts(licence)]
    if unknown:
        sys.exit("licences that are not accepted:\n" + "\n".join(unknown))
    scripts = build_scripts(found)
    mark = {True: "yes", False: ""}
    lines = [f"| {name} | {version} | {mark[(name, version) in scripts]} | {licence} |\n" for name, version, licence in found]
    text = HEAD + "".join(lines)
    if sys.argv[1:] == ["--check"]:
        if not LIST.exists() or LIST.read_text() != text:
            sys.exit("LICENCES.md is out of date: run tools/licences.py")
        print(f"{len(found)} crates, all licences accepted")
    else:
        LIST.write_text(text)


if __name__ == "__main__":
    main()
