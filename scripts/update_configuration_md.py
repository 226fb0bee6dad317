#!/usr/bin/env python3
"""Puts the tables of all keys, as the program knows them, into docs/configuration.md. A unit test holds the two together.

usage: scripts/update_configuration_md.py [TURNPIKE]
"""
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- reference: generated, do not edit -->\n", "<!-- end of reference -->\n"


def main():
    program = sys.argv[1] if len(sys.argv) > 1 else ROOT / "build" / "release" / "turnpike"
    tables = subprocess.run([program, "config", "--reference"], capture_output=True, text=True, check=True).stdout
    path = ROOT / "docs" / "configuration.md"
    before, rest = path.read_text().split(BEGIN)
    _, after = rest.split(END)
    path.write_text(before + BEGIN + "\n" + tables + "\n" + END + after)


if __name__ == "__main__":
    main()
