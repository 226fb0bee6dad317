#!/usr/bin/env python3
"""Fails on a header that does not compile alone.

usage: scripts/check_headers.py [--all]      without --all: pure folders and changed files
"""
import concurrent.futures
import os
import subprocess
import sys

import checked_files
from checked_files import ROOT


def main():
    build = ROOT / "build" / "release"
    headers = checked_files.select(".h", "--all" in sys.argv)
    flags = checked_files.flags_by_folder(build)
    stamps = ROOT / "build" / "checked" / "headers"
    stamps.mkdir(parents=True, exist_ok=True)
    widest = max(flags.values(), key=len, default=[])

    def problem(header):
        # An interface-only folder has no source of its own: any folder's flags will do.
        used = [f for f in flags.get(header.relative_to(ROOT / "src").parts[0], widest) if not f.startswith("-O")]
        stamp = stamps / checked_files.digest(header, *used)
        if stamp.exists():
            return None
        # Included rather than compiled itself, for which "#pragma once" would be an error.
        done = subprocess.run(["clang++-19", *used, "-fsyntax-only", "-x", "c++", "-include", str(header), "/dev/null"],
                              capture_output=True, text=True, cwd=build)
        if done.returncode == 0:
            stamp.touch()
            return None
        return done.stderr

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        failed = [text for text in pool.map(problem, headers) if text]
    print("".join(failed), file=sys.stderr, end="")
    print(f"headers: {len(headers)} checked, {len(failed)} do not compile alone")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
