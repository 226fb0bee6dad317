#!/usr/bin/env python3
"""Every workload under every preset in simulated time, as a page of tables. See policies.sh."""
import argparse
import json
import math
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
TURNPIKE = pathlib.Path(os.environ.get("TURNPIKE", ROOT / "build" / "release" / "turnpike"))
DEFAULT = "resident-set"

# Presets that do what a gateway without sessions in mind does, or what the ancestors do: what a user would come from.
INHERITED = ["session-boost", "kthena", "kthena-pr", "kthena-tuned", "gated", "aibrix-critical-path", "least-request", "round-robin",
             "sticky", "cache-aware", "fcfs"]
# The ancestors' own rules, those they are known by.
ANCESTORS = ["session-boost", "kthena", "kthena-tuned", "gated", "aibrix-critical-path", "fair-share"]
# A difference within the spread of the seeds is none.
TIE = 0.01
# Whoever fails so many more of the requests serves fewer faster, and is no better for it.
FAILS_MORE = 0.02

# Other programs on the same engine model over real sockets: TTFT mean/p50/p90/p99 in ms, E2E mean in s, output tokens/s, hits in %,
# finished of 1200. Failures count as the slowest.
C40_REFERENCES = [
    ("kthena-router, no queue, its default scorers", "4030/1286/11125/15625", 12.2, "470", "23", "1200"),
    ("kthena-router, no queue, prefix 3, least-request 2, kv-usage 2", "3396/566/11412/16645", 10.4, "526", "38", "1200"),
    ("kthena-router, session boost as shipped (16 in flight a pod)", "4049/1607/11294/18091", 12.4, "468", "21", "1200"),
    ("kthena-router, session boost, 8 in flight found by hand", "3147/397/14908/30448", 7.3, "737", "73", "1171"),
    ("the same, its 30 s limit off", "3293/378/4914/43805", 7.5, "724", "71", "1200"),
    ("vllm-router 0.1.17, program scheduling, capacity set by hand", "2998/298/2599/63697", 7.3, "734-768", "", "1200"),
    ("vllm-router 0.1.17, program scheduling, its defaults", "", None, "388", "", ""),
    ("HAProxy", "", None, "544", "", ""),
    ("kthena-router, an infinite cache (bound)", "425/365/674/1585", 6.2, "949", "83", "1200"),
]
AGENTS_REFERENCES = [
    ("kthena-router", "314-323", "1-2", "its tuned queue fails 24 % of the requests"),
    ("HAProxy", "316", "", ""),
    ("SMG 1.13", "295-311", "", ""),
    ("vllm-router 0.1.17, program scheduling, capacity set by hand", "480-501", "64-69", "TTFT p50 0.7-0.9 s, p90 12-14 s, p99 154 s"),
]


def listed(section):
    """The names under a heading of `turnpike simulate --help`."""
    text = subprocess.run([TURNPIKE, "simulate", "--help"], capture_output=True, text=True, check=True).stdout
    block = text[text.index(section + ":"):].splitlines()[1:]
    names = []
    for line in block:
        match = re.match(r"  (\S+) +\S", line)
        if not match:
            break
        names.append(match[1])
    return names


def cpu():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown processor"


def simulate(options):
    workloads = options.workloads.split(",") if options.workloads else listed("Workloads")
    files = []
    with tempfile.TemporaryDirectory() as scratch:
        for number, workload in enumerate(workloads):
            if sys.stderr.isatty():
                print(f"\r\033[K{number + 1} of {len(workloads)}: {workload}", file=sys.stderr)
            out = pathlib.Path(scratch) / f"{workload}.json"
            command = [TURNPIKE, "simulate", "--workload", workload, "--policy", options.policies, "--seeds", options.seeds,
                       "--seed", options.first_seed, "--json", out]
            if options.trace_dir:
                command += ["--trace-dir", options.trace_dir]
            if options.scale != 1 and workload in options.durations:
                command += ["--duration", options.durations[workload] * options.scale]
            done = subprocess.run([str(part) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            if done.returncode == 0:
                files.append(json.loads(out.read_text()))
            elif "is left out" in done.stderr:
                print(f"policies.sh: {done.stderr.splitlines()[0]}", file=sys.stderr)
            else:
                sys.exit(f"policies.sh: {' '.join(map(str, command))}: {done.stderr}")
    if not files:
        sys.exit("policies.sh: nothing was simulated")
    merged = files[0]
    for other in files[1:]:
        merged["runs"] += other["runs"]
        merged.setdefault("by_seed", []).extend(other.get("by_seed", []))
    return merged


def grouped(file):
    groups = {}
    for run in file["runs"]:
        groups.setdefault(run["workload"], {})[run["policy"]] = run
    return groups


def seconds(value):
    if value < 1:
        return f"{value * 1000:.0f} ms"
    return f"{value:.1f} s" if value < 100 else f"{value:.0f} s"


def spread(run, figure):
    ranges = run.get("ranges", {}).get(figure)
    return f" ({ranges[0]:.{0 if ranges[1] >= 100 else 1}f}-{ranges[1]:.{0 if ranges[1] >= 100 else 1}f})" if ranges else ""


def ratio(a, b):
    return a / b if b > 0 else (1.0 if a == 0 else math.inf)


def is_tie(run, other, figure):
    """The medians differ by less than the seeds do."""
    a, b = run.get("ranges", {}).get(figure), other.get("ranges", {}).get(figure)
    return bool(a and b and a[1] >= b[0] and b[1] >= a[0]) or abs(ratio(run[figure], other[figure]) - 1) < TIE


def comparable(ours, runs):
    """The other presets that fail about as few requests."""
    return [run for name, run in runs.items()
            if name != DEFAULT and run["ttft_s"]["failed_share"] <= ours["ttft_s"]["failed_share"] + FAILS_MORE]


def by_refusing(groups):
    """Who finishes more than the default, but fails many requests."""
    lines = []
    for workload, runs in groups.items():
        ours = runs.get(DEFAULT)
        if ours is None:
            continue
        others = [run for run in runs.values() if run not in comparable(ours, runs) and run["sessions_per_minute"] > ours["sessions_per_minute"]]
        if others:
            best = max(others, key=lambda run: run["sessions_per_minute"])
            lines.append(f"- `{workload}`: `{best['policy']}` finishes {best['sessions_per_minute']:.1f} sessions a minute ({ours['sessions_per_minute']:.1f} "
                         f"here), and fails {best['ttft_s']['failed_share'] * 100:.1f} % of the requests, {best['sessions_killed']} sessions being killed "
                         f"({ours['ttft_s']['failed_share'] * 100:.1f} %, {ours['sessions_killed']} here)")
    return lines


def summary(groups):
    lines = ["| workload | sessions/min | best other | ratio | best inherited | ratio | output tok/s | best other | ratio |",
             "|---|---:|---|---:|---|---:|---:|---|---:|"]
    ratios = {"sessions_per_minute": [], "output_tokens_per_s": [], "inherited": []}
    losses = []
    for workload, runs in groups.items():
        if DEFAULT not in runs or len(runs) < 2:
            continue
        ours, cells = runs[DEFAULT], []
        for figure in ("sessions_per_minute", "output_tokens_per_s"):
            others = comparable(ours, runs)
            if not others:
                cells += [f"{ours[figure]:.0f}", "none", ""] + (["", ""] if figure.startswith("s") else [])
                continue
            best = max(others, key=lambda run: run[figure])
            by = ratio(ours[figure], best[figure])
            if math.isfinite(by) and by > 0:
                ratios[figure].append(by)
            cells += [f"{ours[figure]:.{1 if figure.startswith('s') else 0}f}",
                      f"{best['policy']} {best[figure]:.{1 if figure.startswith('s') else 0}f}", f"{by:.2f}"]
            if by < 1 and not is_tie(ours, best, figure):
                name = "finished sessions a minute" if figure.startswith("s") else "output tokens a second"
                losses.append(f"- `{workload}`, {name}: {by:.2f} x `{best['policy']}` ({best[figure]:.1f}; failed requests "
                              f"{best['ttft_s']['failed_share'] * 100:.1f} % there, {ours['ttft_s']['failed_share'] * 100:.1f} % here)")
            if figure == "sessions_per_minute":
                inherited = [run for run in others if run["policy"] in INHERITED]
                if inherited:
                    seed = max(inherited, key=lambda run: run[figure])
                    by = ratio(ours[figure], seed[figure])
                    if math.isfinite(by) and by > 0:
                        ratios["inherited"].append(by)
                    cells += [seed["policy"], f"{by:.2f}"]
                else:
                    cells += ["", ""]
        lines.append(f"| `{workload}` | " + " | ".join(cells) + " |")
    means = {name: statistics.geometric_mean(values) if values else float("nan") for name, values in ratios.items()}
    return lines, means, losses, ratios


def targets(groups, ratios):
    """What the project promises of its default, and whether this run shows it: rows of (what, at least or at most, reached, met)."""
    rows = []

    def least(what, wanted, reached, form="{:.2f}"):
        rows.append((what, "at least " + form.format(wanted), form.format(reached), reached >= wanted))

    def most(what, wanted, reached, form="{:.2f}"):
        rows.append((what, "at most " + form.format(wanted), form.format(reached), reached <= wanted))

    def of(workload, *policies):
        runs = groups.get(workload, {})
        return [runs[name] for name in (DEFAULT, *policies)] if all(name in runs for name in (DEFAULT, *policies)) else None

    figures = {"output_tokens_per_s": "output tokens", "sessions_per_minute": "finished sessions"}
    for workload, wanted in (("agents-closed", 1.9), ("agents-open", 1.4), ("mixed", 1.15), ("chat-heavy", 1.03)):
        runs = of(workload, *ANCESTORS)
        if not runs:
            continue
        ours, others = runs[0], runs[1:]
        for figure, name in figures.items():
            best = max(others, key=lambda run: run[figure])
            least(f"`{workload}`: {name}, times the best ancestor's (`{best['policy']}`)", wanted, ratio(ours[figure], best[figure]))
        if workload == "agents-open":
            best = min(others, key=lambda run: run["slowdown"]["mean"])
            most(f"`{workload}`: mean slowdown, times the best ancestor's (`{best['policy']}`)", 0.7, ratio(ours["slowdown"]["mean"], best["slowdown"]["mean"]))
    for other, wanted in (("half", 1.2), ("program", 1.15)):
        if pair := of("agents-closed", other):
            least(f"`agents-closed`: output tokens, times `{other}`", wanted, ratio(pair[0]["output_tokens_per_s"], pair[1]["output_tokens_per_s"]))
            if other == "program":
                most("`agents-closed`: TTFT p99, times `program`", 0.25, ratio(pair[0]["ttft_s"]["p99"], pair[1]["ttft_s"]["p99"]))
    if alone := of("kthena-c40"):
        ours, ttft = alone[0], alone[0]["ttft_s"]
        least("`kthena-c40`: requests finished", 1200, ours["requests"]["finished"], "{:.0f}")
        least("`kthena-c40`: output tokens a second", 760, ours["output_tokens_per_s"], "{:.0f}")
        for part, wanted in (("p50", 0.35), ("p90", 4.7), ("p99", 14.4)):
            most(f"`kthena-c40`: TTFT {part}, s", wanted, ttft[part])
        most("`kthena-c40`: mean of whole requests, s", 7.1, ours["e2e_s"]["mean"])
    for workload in ("coding", "mooncake"):
        if alone := of(workload):
            ours = alone[0]
            least(f"`{workload}`: share of the prompt tokens found, times what an unbounded cache would", 0.9,
                  ratio(ours["token_hit_rate"], ours["hit_rate_bound"]))
            best = max(groups[workload].values(), key=lambda run: run["token_hit_rate"])
            least(f"`{workload}`: share of the prompt tokens found, times the best preset's (`{best['policy']}`)", 1.0,
                  ratio(ours["token_hit_rate"], best["token_hit_rate"]), "{:.3f}")
    for workload, other in (("single-turn", "least-request"), ("ample", "sticky")):
        if pair := of(workload, other):
            for figure, name in figures.items():
                least(f"`{workload}`: {name}, times `{other}`", 0.99, ratio(pair[0][figure], pair[1][figure]), "{:.3f}")
    for figure, name in figures.items():
        if ratios[figure]:
            least(f"all workloads: geometric mean of {name}, times the best of all others", 1.05, statistics.geometric_mean(ratios[figure]))
            least(f"all workloads: least of {name}, times the best of all others", 0.89, min(ratios[figure]))
    return ["| target | | reached | |", "|---|---|---:|---|"] + [
        f"| {what} | {wanted} | {reached} | {'met' if met else '**missed**'} |" for what, wanted, reached, met in rows]


def tail_losses(groups):
    """Where the default pays: its tail, and who is killed."""
    lines = []
    for workload, runs in groups.items():
        if DEFAULT not in runs or len(runs) < 2:
            continue
        ours = runs[DEFAULT]
        others = [run for name, run in runs.items() if name != DEFAULT]
        least = min(others, key=lambda run: run["ttft_s"]["p99"])
        if ours["ttft_s"]["p99"] > 1.1 * least["ttft_s"]["p99"]:
            lines.append(f"- `{workload}`: TTFT p99 {seconds(ours['ttft_s']['p99'])}, `{least['policy']}` "
                         f"{seconds(least['ttft_s']['p99'])}; longest wait {seconds(ours['longest_wait_s'])}; "
                         f"{ours['sessions_killed']} sessions killed, {ours['requests']['unfinished']} requests unfinished")
    return lines


def detail(runs):
    lines = ["| policy | sessions/min | output tok/s | hits % | TTFT mean / p50 / p90 / p99 | ITL ms | E2E mean | slowdown p95 | failed % | "
             "killed | unfinished | longest wait |", "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|"]
    for run in sorted(runs.values(), key=lambda run: -run["sessions_per_minute"]):
        ttft = run["ttft_s"]
        name = f"**{run['policy']}**" if run["policy"] == DEFAULT else run["policy"]
        lines.append(
            f"| {name} | {run['sessions_per_minute']:.1f}{spread(run, 'sessions_per_minute')} | "
            f"{run['output_tokens_per_s']:.0f}{spread(run, 'output_tokens_per_s')} | {run['token_hit_rate'] * 100:.0f} | "
            f"{' / '.join(seconds(ttft[part]) for part in ('mean', 'p50', 'p90', 'p99'))} | {run['itl_s']['mean'] * 1e3:.0f} | "
            f"{seconds(run['e2e_s']['mean'])} | {run['slowdown']['p95']:.1f} | {ttft['failed_share'] * 100:.1f} | "
            f"{run['sessions_killed']} | {run['requests']['unfinished']} | {seconds(run['longest_wait_s'])} |")
    return lines


def references(workload):
    if workload == "kthena-c40":
        lines = ["", "Measured elsewhere: the programs themselves, in front of three simulated engines of this profile over real sockets, "
                 "failures counted as the slowest. Not from this run.", "",
                 "| program | TTFT mean/p50/p90/p99 ms | E2E mean s | output tok/s | hits % | done |", "|---|---:|---:|---:|---:|---:|"]
        return lines + [f"| {name} | {ttft} | {'' if e2e is None else e2e} | {tokens} | {hits} | {done} |"
                        for name, ttft, e2e, tokens, hits, done in C40_REFERENCES]
    if workload == "agents-small":
        lines = ["", "Measured elsewhere: the programs themselves, in front of three simulated engines of this profile over real sockets. "
                 "Not from this run.", "", "| program | output tok/s | hits % | |", "|---|---:|---:|---|"]
        return lines + [f"| {' | '.join(row)} |" for row in AGENTS_REFERENCES]
    return []


REAL_ENGINES = "## On real engines\n"


def page(file, options):
    groups = grouped(file)
    table, means, losses, ratios = summary(groups)
    seeds = max(1, len(file.get("by_seed", [])) // max(1, len(file["runs"])))
    command = "bench/policies.sh " + " ".join(options.arguments)
    lines = [
        "# Benchmarks: every workload, every preset", "",
        "Generated, but for the last section. The gateway's own policy core in front of the engine model, in simulated time "
        "([what that is worth](guide/simulate.md#how-far-to-trust-it)).", "",
        f"`{command.strip()}` with turnpike {file['version']}, {file['started'][:10]}, {options.took}, {os.cpu_count()} cores of {cpu()}. "
        f"{seeds} seed{'s' if seeds > 1 else ''} from {file['seed']} on"
        + (f", durations times {options.scale:g}" if options.scale != 1 else "") +
        "; every figure is the median of the seeds, in brackets the least and the most. Latencies are over all requests, and one that "
        "failed counts as the slowest one that finished, or its own time if longer. The first 15 % of a timed run are not reported. "
        "The gateway sees gauges once a second, 0.1 s old, and guesses the length of a prompt with an error of up to 15 %.", "",
        f"## {DEFAULT} beside the best of the others", "",
        "For each workload the best of all other presets is another one; nobody could have chosen it beforehand. "
        f"Presets that fail over {FAILS_MORE * 100:.0f} % of the requests more than {DEFAULT} does are not counted here, but below. *Inherited* are the rules "
        f"of the ancestors and of plain load balancing: {', '.join(f'`{name}`' for name in INHERITED)}.", "", *table, "",
        f"Geometric means over {len(ratios['sessions_per_minute'])} workloads: {means['sessions_per_minute']:.2f} x the best other in finished "
        f"sessions, {means['output_tokens_per_s']:.2f} x in output tokens"
        + (f"; {means['inherited']:.2f} x the best inherited in finished sessions" if ratios["inherited"] else "") +
        f". Worst: {min(ratios['sessions_per_minute'], default=0):.2f} and {min(ratios['output_tokens_per_s'], default=0):.2f}.", "",
        "## Targets", "",
        "What was set out to be reached, and what this run shows. Ancestors: " + ", ".join(f"`{name}`" for name in ANCESTORS) +
        ". Why those that are missed are missed: [what was tried](internals/policy-notes.md#where-a-goal-is-missed).", "",
        *targets(groups, ratios), "",
        "## Where it loses", "",
        *(losses or ["Nowhere by more than the seeds differ, in finished sessions or output tokens."]), "",
        "Presets that finish more sessions by failing others:", "", *(by_refusing(groups) or ["None."]), "",
        "What it costs others than the average: those who wait outside for room.", "", *(tail_losses(groups) or ["Nothing."]), "",
    ]
    for workload, runs in groups.items():
        some = next(iter(runs.values()))
        lines += [f"## {workload}", "", f"{some['replicas']} replicas, {some['duration_s']:.0f} s reported; a cache without bound would find "
                  f"{some['hit_rate_bound'] * 100:.0f} % of the prompt tokens.", "", *detail(runs), *references(workload), ""]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(prog="policies.sh")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=101, help="not those that policies were tuned on")
    parser.add_argument("--workloads", default="")
    parser.add_argument("--policies", default="all")
    parser.add_argument("--trace-dir", default="")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--markdown", default=str(ROOT / "docs" / "benchmarks.md"))
    parser.add_argument("--from", dest="source", default="")
    options = parser.parse_args()
    # Without paths of this machine: they mean nothing to a reader.
    options.arguments = [argument for argument in sys.argv[1:] if "/" not in argument and argument not in ("--trace-dir", "--markdown", "--from")]
    options.durations = {"burst": 1800, "coding": 1800} | {name: 900 for name in (
        "agents-closed agents-small ample agents-open agents-open-low mixed chat-heavy over-q30 single-turn noisy-neighbour huge human "
        "mid-gap wrong-capacity wrong-capacity-half wrong-capacity-unknown two-gateways shared-engine half-speed offload").split()}
    began = time.monotonic()
    kept = ROOT / "build" / "bench" / "policies.json"
    if options.source:
        file = json.loads(pathlib.Path(options.source).read_text())
        options.took = file.get("took", "from an earlier run")
        options.arguments = file.get("arguments", options.arguments)
    else:
        file = simulate(options)
        took = time.monotonic() - began
        options.took = f"{took / 60:.0f} min" if took >= 90 else f"{took:.0f} s"
        file |= {"took": options.took, "arguments": options.arguments}
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(file))
    target = pathlib.Path(options.markdown)
    # What others measured stands at the end, behind its heading, and stays.
    _, heading, rest = (target.read_text() if target.exists() else "").partition(REAL_ENGINES)
    target.write_text(page(file, options) + "\n" + heading + rest if heading else page(file, options))
    print(options.markdown)


if __name__ == "__main__":
    main()
