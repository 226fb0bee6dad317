#!/usr/bin/env python3
"""Fails on an #include that goes up the list of folders, or out of it.

usage: scripts/check_layers.py [SRC_DIR]
"""
import pathlib
import re
import sys

# Lowest first: a folder may include itself and those that stand earlier. This list is the architecture.
LAYERS = ["base", "metrics", "core", "engine", "sim", "store", "config", "http", "openai", "tenant", "net", "telemetry", "backend",
          "discovery", "cluster", "gateway", "extproc", "admin", "app"]
# The policy and the engine model are pure: nothing that reads a clock, locks, logs, or talks to the system.
PURE = {"core", "engine"}
IMPURE_HEADERS = re.compile(
    r"<(thread|mutex|shared_mutex|condition_variable|atomic|future|semaphore|latch|barrier|iostream|fstream|cstdio|ctime|"
    r"filesystem|random|boost/asio.*|spdlog/.*|sys/.*|unistd\.h|pthread\.h)>|\"base/clock\.h\"")
QUOTED = re.compile(r'^\s*#\s*include\s+"([^"]+)"')
INCLUDE = re.compile(r'^\s*#\s*include\s+(.*)')


def problems(src):
    rank = {folder: i for i, folder in enumerate(LAYERS)}
    for path in sorted([*src.rglob("*.h"), *src.rglob("*.cc")]):
        folder = path.relative_to(src).parts[0]
        if folder not in rank:
            yield f"{path}: folder '{folder}' is not in the list of layers"
            continue
        is_support = re.search(r"_(test|bench|fuzz|test_support)\.(cc|h)$", path.name)
        for number, line in enumerate(path.read_text().splitlines(), 1):
            quoted = QUOTED.match(line)
            if quoted:
                target = quoted.group(1).split("/")[0]
                if target not in rank:
                    yield f"{path}:{number}: include of \"{quoted.group(1)}\" is not relative to src/"
                elif rank[target] > rank[folder]:
                    yield f"{path}:{number}: {folder} must not include {target}, which stands above it"
            include = INCLUDE.match(line)
            if include and folder in PURE and not is_support and IMPURE_HEADERS.search(include.group(1)):
                yield f"{path}:{number}: {folder} is pure; {include.group(1).strip()} is not"


def main():
    src = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent / "src")
    found = list(problems(src))
    print("\n".join(found), file=sys.stderr)
    print(f"layers: {len(found)} problem(s)")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
