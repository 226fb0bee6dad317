#!/usr/bin/env python3
"""Fits a profile of the engine model to measured steps.

usage: scripts/fit_profile.py [--overhead MS] [--name NAME] FILE.csv

The file has a line of column names: tokens (computed in the step), context (sum of the contexts of the sequences that decode),
pairs (sum over prompt chunks of chunk * (start + chunk / 2); may be absent) and milliseconds. The model is

    milliseconds = c0 + max(W, k * tokens) + a_d * context + a_p * pairs

For every place of the bend (tokens = W / k) it is linear: so the bend is searched for, and the rest is least squares.
Needs nothing but Python.
"""
import argparse
import csv
import sys


def solve(matrix, right):
    """Gaussian elimination with pivoting; a column without information gets 0."""
    size = len(right)
    rows = [list(row) + [value] for row, value in zip(matrix, right)]
    pivots = []
    for column in range(size):
        best = max(range(len(pivots), size), key=lambda row: abs(rows[row][column]), default=None)
        if best is None or abs(rows[best][column]) < 1e-9 * max(1.0, abs(matrix[column][column])):
            continue
        place = len(pivots)
        rows[place], rows[best] = rows[best], rows[place]
        for row in range(size):
            if row != place:
                factor = rows[row][column] / rows[place][column]
                rows[row] = [a - factor * b for a, b in zip(rows[row], rows[place])]
        pivots.append(column)
    result = [0.0] * size
    for place, column in enumerate(pivots):
        result[column] = rows[place][size] / rows[place][column]
    return result


def least_squares(features, values):
    # Columns are scaled to one size, or their squares would not fit side by side.
    scale = [max(max(abs(row[i]) for row in features), 1e-30) for i in range(len(features[0]))]
    scaled = [[x / s for x, s in zip(row, scale)] for row in features]
    size = len(scale)
    normal = [[sum(row[i] * row[j] for row in scaled) for j in range(size)] for i in range(size)]
    right = [sum(row[i] * value for row, value in zip(scaled, values)) for i in range(size)]
    return [x / s for x, s in zip(solve(normal, right), scale)]


def non_negative(features, values):
    """Least squares with coefficients of at least 0: what comes out negative is left out, the worst first."""
    kept = list(range(len(features[0])))
    while kept:
        found = least_squares([[row[i] for i in kept] for row in features], values)
        if min(found) >= 0:
            return [found[kept.index(i)] if i in kept else 0.0 for i in range(len(features[0]))]
        del kept[found.index(min(found))]
    return [0.0] * len(features[0])


def fit(steps):
    """(base = c0 + W, k, a_d, a_p, bend), where a step of fewer tokens than `bend` costs no more than one of `bend`."""
    values = [step[3] for step in steps]
    best = None
    for bend in sorted({step[0] for step in steps} | {1.25 ** i for i in range(0, 45)}):
        # c0 + max(W, k t) = (c0 + W) + k * max(0, t - W / k)
        features = [[1.0, max(0.0, tokens - bend), context, pairs] for tokens, context, pairs, _ in steps]
        found = non_negative(features, values)
        error = sum((sum(f * c for f, c in zip(row, found)) - value) ** 2 for row, value in zip(features, values))
        if best is None or error < best[0] * (1 - 1e-9):
            best = (error, found, bend)
    _, (base, k, decode, prefill), bend = best
    return base, k, decode, prefill, bend


def profile_of(steps, overhead):
    base, k, decode, prefill, bend = fit(steps)
    weights = k * bend
    # Only c0 + W shows below the bend, and W = k * bend above it. Where no step reaches the bend, it says nothing: then c0 is taken as given.
    if k == 0:
        c0, weights = min(overhead, base), base - min(overhead, base)
    else:
        c0 = base - weights
    return {"c0": c0, "W": weights, "k": k, "a_d": decode, "a_p": prefill}


def predicted(profile, tokens, context, pairs):
    return profile["c0"] + max(profile["W"], profile["k"] * tokens) + profile["a_d"] * context + profile["a_p"] * pairs


def read(name):
    steps = []
    with open(name, newline="") as file:
        reader = csv.DictReader(file)
        for column in ("tokens", "context", "milliseconds"):
            if column not in (reader.fieldnames or []):
                sys.exit(f"{name}:1: {column}: there is no such column")
        for number, row in enumerate(reader, start=2):
            values = []
            for column in ("tokens", "context", "pairs", "milliseconds"):
                try:
                    values.append(float(row.get(column) or (0 if column == "pairs" else "")))
                except ValueError:
                    sys.exit(f"{name}:{number}: {column}: must be a number")
            steps.append(values)
    if len(steps) < 5:
        sys.exit(f"{name}: five steps are the least that say anything")
    return steps


def main():
    parser = argparse.ArgumentParser(description="Fits a profile of the engine model to measured steps.")
    parser.add_argument("file")
    parser.add_argument("--overhead", type=float, default=1.5, metavar="MS", help="c0, where the steps do not tell it from W")
    parser.add_argument("--name", default="mine")
    options = parser.parse_args()
    steps = read(options.file)
    profile = profile_of(steps, options.overhead)
    errors = [abs(predicted(profile, *step[:3]) - step[3]) / max(step[3], 1e-9) for step in steps]
    print(f"| {options.name} | " + " | ".join(f"{profile[name]:.4g}" for name in ("c0", "W", "k", "a_d", "a_p")) + " |")
    print(f"{len(steps)} steps; off by {sum(errors) / len(errors) * 100:.1f} % in the mean, {max(errors) * 100:.1f} % at most", file=sys.stderr)


if __name__ == "__main__":
    main()
