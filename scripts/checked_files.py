"""Which files the costly checks look at, and with which compiler flags.

Without an argument: the pure folders, and what has changed (in the working tree, and in the commits that main has not).
"""
import hashlib
import json
import pathlib
import re
import shlex
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
# A test costs clang-tidy ten seconds (gtest, rapidcheck); only scripts/lint-all.sh looks at them.
TEST = re.compile(r"_(test|bench|fuzz|test_support)\.(cc|h)$")
PURE_FOLDERS = ["base", "core", "engine"]
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)


def _git(*arguments):
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.split("\n") if done.returncode == 0 else []


def changed():
    names = set(_git("diff", "--name-only", "HEAD")) | set(_git("ls-files", "--others", "--exclude-standard"))
    base = _git("merge-base", "HEAD", "main")
    if base and base[0] != (_git("rev-parse", "HEAD") or [""])[0]:
        names |= set(_git("diff", "--name-only", base[0], "HEAD"))
    else:
        names |= set(_git("diff", "--name-only", "HEAD~1", "HEAD"))
    return {ROOT / name for name in names if name}


def select(suffix, everything):
    """Files of src/ with that suffix: all, or those of the pure folders and those that changed."""
    files = sorted((ROOT / "src").rglob("*" + suffix))
    if everything:
        return files
    touched = changed()
    return [f for f in files if f.relative_to(ROOT / "src").parts[0] in PURE_FOLDERS or f in touched]


def compile_commands(build):
    path = build / "compile_commands.json"
    if not path.exists():
        subprocess.run(["cmake", "--preset", build.name], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    if not path.exists():  # not one source file is compiled yet
        return []
    return json.loads(path.read_text())


def flags_by_folder(build):
    """One set of compiler flags for each folder of src/, precompiled headers, output and input taken off."""
    found = {}
    for entry in compile_commands(build):
        path = pathlib.Path(entry["file"])
        if not path.is_relative_to(ROOT / "src"):
            continue
        words = shlex.split(entry["command"])
        start = next(i for i, word in enumerate(words) if word.endswith("clang++-19"))
        flags, skip = [], 0
        for i, word in enumerate(words[start + 1:], start + 1):
            if skip:
                skip -= 1
            elif word == "-Xclang" and words[i + 1] in ("-include-pch", "-include"):
                skip = 3
            elif word in ("-o", "-c", "-MF", "-MT"):
                skip = 1
            elif word not in ("-MD", "-Winvalid-pch"):
                flags.append(word)
        # A test's flags are the widest of its folder: they name gtest's headers as well.
        folder = path.relative_to(ROOT / "src").parts[0]
        if folder not in found or path.name.endswith("_test.cc"):
            found[folder] = flags
    return found


def digest(path, *extra):
    """A hash over the file and all that it includes from src/, so that an unchanged file is not checked twice."""
    seen, waiting, total = set(), [path], hashlib.sha256("\0".join(extra).encode())
    while waiting:
        current = waiting.pop()
        if current in seen or not current.exists():
            continue
        seen.add(current)
        text = current.read_text()
        waiting += [ROOT / "src" / name for name in INCLUDE.findall(text)]
    for current in sorted(seen):
        total.update(current.read_bytes())
    return total.hexdigest()
