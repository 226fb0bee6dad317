#!/usr/bin/env python3
"""Fails on what clang-tidy-19 finds with the project's .clang-tidy.

usage: scripts/check_tidy.py [--all]      without --all: pure folders and changed files, without tests
A file that has not changed since it was last found clean, nor anything that it includes from src/, is not checked again.
"""
import concurrent.futures
import os
import pathlib
import subprocess
import sys

import checked_files
from checked_files import ROOT


def main():
    build = ROOT / "build" / "release"
    compiled = {pathlib.Path(entry["file"]) for entry in checked_files.compile_commands(build)}
    everything = "--all" in sys.argv
    # Fuzz targets and benchmarks belong to builds of their own.
    sources = [s for s in checked_files.select(".cc", everything)
               if s in compiled and (everything or not checked_files.TEST.search(s.name))]
    flags = checked_files.flags_by_folder(build)
    settings = (ROOT / ".clang-tidy").read_text()
    stamps = ROOT / "build" / "checked" / "tidy"
    stamps.mkdir(parents=True, exist_ok=True)

    def problem(source):
        # Warnings are the compiler's task; a precompiled header would have to be built first.
        used = [f for f in flags[source.relative_to(ROOT / "src").parts[0]] if not f.startswith("-W")]
        stamp = stamps / checked_files.digest(source, settings, *used)
        if stamp.exists():
            return None
        done = subprocess.run(["clang-tidy-19", "--quiet", str(source), "--", *used],
                              capture_output=True, text=True, cwd=build)
        if done.returncode == 0:
            stamp.touch()
            return None
        return done.stdout + done.stderr

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        failed = [text for text in pool.map(problem, sources) if text]
    print("".join(failed), file=sys.stderr, end="")
    print(f"tidy: {len(sources)} files, {len(failed)} with findings")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
