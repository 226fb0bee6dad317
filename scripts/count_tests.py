#!/usr/bin/env python3
"""Prints "PASSED FAILED" for a JUnit report as gtest and pytest write it; fails where there is no readable report.

usage: scripts/count_tests.py REPORT.xml
"""
import sys
import xml.etree.ElementTree as ElementTree


def main():
    passed = failed = 0
    for case in ElementTree.parse(sys.argv[1]).getroot().iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
        elif case.find("skipped") is None and case.get("status") != "notrun" and case.get("result") != "skipped":
            passed += 1
    print(passed, failed)


if __name__ == "__main__":
    main()
