#!/usr/bin/env python3
"""The C++ files of this tree, and what they include from it.

As a program: prints paths, one a line. With --changed only those that differ from
the branch point with main, and all that include them; with --compiled=BUILD only
those that are compiled there.
"""
import argparse
import json
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("common", "server", "client", "tests")
SKIPPED = {"node_modules", "build"}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def cxx_files(root=ROOT):
    """Paths relative to `root`, sorted."""
    return sorted(
        path.relative_to(root).as_posix()
        for folder in FOLDERS
        for path in (root / folder).rglob("*")
        if path.suffix in (".h", ".cc")
        and SKIPPED.isdisjoint(path.relative_to(root).parts))


def includes(path, root=ROOT):
    """Yields (line number, included path, whether in quotes)."""
    with open(root / path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            match = INCLUDE.match(line)
            if match:
                yield number, match[2], match[1] == '"'


def with_dependents(paths, root=ROOT):
    """`paths` and every file that includes one of them, directly or not."""
    files = cxx_files(root)
    included_by = {}
    for file in files:
        for _, included, _ in includes(file, root):
            included_by.setdefault(included, set()).add(file)
    found, left = set(), list(paths)
    while left:
        path = left.pop()
        if path not in found:
            found.add(path)
            left += included_by.get(path, ())
    return sorted(found.intersection(files))


def changed_files():
    """What differs from the branch point with main, committed or not; None
    where git can't tell."""
    def git(*arguments):
        return subprocess.run(("git", "-C", ROOT, *arguments), check=True,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True).stdout

    try:
        for main in ("origin/main", "main"):
            if git("for-each-ref", f"refs/heads/{main}", f"refs/remotes/{main}"):
                break
        base = git("merge-base", "HEAD", main).strip()
        if base == git("rev-parse", "HEAD").strip():
            base = "HEAD"
        return (git("diff", "--name-only", "--relative", base).splitlines() +
                git("ls-files", "--others", "--exclude-standard").splitlines())
    except (OSError, subprocess.CalledProcessError):
        return None


def compiled_files(build):
    """What the build folder has a compiler command for."""
    commands = json.loads((ROOT / build / "compile_commands.json").read_text())
    return {Path(command["directory"], command["file"]).resolve()
            for command in commands}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--changed", action="store_true")
    parser.add_argument("--compiled", metavar="BUILD")
    options = parser.parse_args()
    files = cxx_files()
    if options.changed and (changed := changed_files()) is not None:
        files = with_dependents(changed)
    if options.compiled:
        compiled = compiled_files(options.compiled)
        files = [file for file in files if ROOT / file in compiled]
    for file in files:
        print(file)


if __name__ == "__main__":
    main()
