#!/usr/bin/env python3
"""A workload over real sockets: three simulated engines, the gateway, and `turnpike load`, once for each policy. One clock runs
everywhere, --speed times faster than the wall's; times are reported in simulated seconds.

kthena-c40    the benchmark of kthena-router's session boost queue: 120 conversations of ten turns, 40 in flight, no pauses
agents-small  45 coding agents in a closed loop: twice as much context as the caches hold

Prints one table; writes JSON (the result files of `turnpike load`) and Markdown with --json and --markdown.
"""
import argparse
import contextlib
import json
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
TURNPIKE = ROOT / "build" / "release" / "turnpike"
MODEL = "llama-8b"

# TTFT mean/p50/p90/p99 in ms, E2E mean in ms, ITL mean in ms, output tokens/s, token hit rate in %, finished of 1200.
# The first row is its published table (best values of different configurations, dropped requests left out); the others
# are its own program on these three engines, measured over all requests, failures counted as the slowest.
REFERENCES = [
    ("kthena-router, published", 1800, 282, 3100, 12900, 8800, None, 501, None, None, None),
    ("kthena-router, no queue", 4030, 1286, 11125, 15625, 12201, 54.8, 470, 23, None, 1200),
    ("kthena-router, session boost as shipped", 4049, 1607, 11294, 18091, 12430, 56.2, 468, 21, None, 1200),
    ("kthena-router, session boost tuned by hand", 3147, 397, 14908, 30448, 7292, 27.5, 737, 73, None, 1171),
]
# What it is, how long it takes (simulated seconds; None: until it is done), what is known of others.
WORKLOADS = {
    "kthena-c40": ("120 conversations of 10 turns, 40 in flight", None, REFERENCES),
    "agents-small": ("45 agents in a closed loop", 300, []),
}
COLUMNS = ["configuration", "TTFT mean", "p50", "p90", "p99", "E2E mean", "ITL", "tok/s", "hit %", "sessions/min", "done"]


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


class Program:
    """A subcommand of turnpike in a process of its own, ended by its id."""

    def __init__(self, *arguments):
        # A session of its own: a Ctrl-C reaches this script alone, which then ends what it started, in order.
        self.process = subprocess.Popen([str(TURNPIKE), *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, text=True, start_new_session=True)
        self.lines = []
        self._ready = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stderr:
            self.lines.append(line.rstrip())
            if line.startswith("ready "):
                self._ready.set()
        self._ready.set()

    def ready(self):
        """The fields of its ready line."""
        self._ready.wait(30)
        line = next((line for line in self.lines if line.startswith("ready ")), None)
        if line is None:
            raise RuntimeError(f"turnpike {self.process.args[1]} did not become ready: {' / '.join(self.lines[-5:])}")
        return dict(word.split("=", 1) for word in line.split()[1:])

    def ask_to_end(self):
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()

    def end(self):
        self.ask_to_end()
        with contextlib.suppress(ProcessLookupError):
            try:
                self.process.wait(3)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def run_once(workload, policy, seed, arguments, programs):
    speed = ["--speed", arguments.speed]
    engines = Program("engine", "--listen", "127.0.0.1:0", "--replicas", 3, "--model", MODEL, "--profile", "kthena-table",
                      "--kv-tokens", 150_000, "--max-num-seqs", 256, *speed)
    programs.append(engines)
    backends = [word for address in engines.ready()["listen"].split(",") for word in ("--backend", f"http://{address}")]
    gateway = Program("serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--policy", policy, "--access-log", "off",
                      *speed, *backends)
    programs.append(gateway)
    target = gateway.ready()["listen"]
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "result.json"
        duration = arguments.duration or WORKLOADS[workload][1]
        length = ["--duration", duration] if duration else []
        ids = ["--session-header", ""] if arguments.no_ids else []
        load = Program("load", "--target", f"http://{target}", "--workload", workload, *length, *ids, "--seed", seed, "--model",
                       MODEL, "--json", path, *speed)
        programs.append(load)
        started = time.monotonic()
        while load.process.poll() is None:
            if time.monotonic() - started > arguments.limit:
                raise RuntimeError(f"{policy}: not done within {arguments.limit} s: {' / '.join(load.lines[-5:])}")
            progress(f"{workload}, {policy}, seed {seed}: {time.monotonic() - started:.0f} s")
            time.sleep(0.2)
        if load.process.returncode != 0 or not path.exists():
            raise RuntimeError(f"turnpike load ended with {load.process.returncode}: {' / '.join(load.lines[-5:])}")
        result = json.loads(path.read_text())
    for program in (gateway, engines):
        program.end()
    for run in result["runs"]:
        run["policy"] = policy
        run["seed"] = seed
    return result


def row(name, runs):
    """Medians over the seeds, in the units of the table."""
    def median(value):
        return statistics.median(value(run) for run in runs)
    return (name, *(median(lambda run, key=key: run["ttft_s"][key] * 1000) for key in ("mean", "p50", "p90", "p99")),
            median(lambda run: run["e2e_s"]["mean"] * 1000), median(lambda run: run["itl_s"]["mean"] * 1000),
            median(lambda run: run["output_tokens_per_s"]), median(lambda run: run["token_hit_rate"] * 100),
            median(lambda run: run["sessions_per_minute"]), median(lambda run: run["requests"]["finished"]))


def cells(values):
    name, *numbers = values
    return [name] + ["-" if number is None else f"{number:.1f}" if column in ("ITL", "sessions/min") else f"{number:.0f}"
                     for column, number in zip(COLUMNS[1:], numbers)]


def plain(rows):
    lines = [COLUMNS] + [cells(values) for values in rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(COLUMNS))]
    return "\n".join("  ".join(cell.ljust(width) if i == 0 else cell.rjust(width) for i, (cell, width) in enumerate(zip(line, widths)))
                     for line in lines)


def markdown(rows):
    lines = [COLUMNS, ["---"] + ["---:"] * (len(COLUMNS) - 1)] + [cells(values) for values in rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--policies", type=lambda text: text.split(","), default=["round-robin", "least-request", "session-boost", "resident-set"])
    parser.add_argument("--speed", type=float, default=10.0, help="simulated seconds per real second (default 10)")
    parser.add_argument("--workloads", type=lambda text: text.split(","), default=list(WORKLOADS))
    parser.add_argument("--duration", type=float, help="simulated seconds; default: the workload's own")
    parser.add_argument("--seeds", type=lambda text: [int(seed) for seed in text.split(",")], default=[1])
    parser.add_argument("--limit", type=float, default=180.0, help="real seconds after which one run is given up (default 180)")
    parser.add_argument("--no-ids", action="store_true", help="clients name no session: it must be found by the prompts")
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--markdown", type=pathlib.Path)
    arguments = parser.parse_args()
    arguments.speed = f"{arguments.speed:g}"
    if not TURNPIKE.exists():
        sys.exit(f"{TURNPIKE.relative_to(ROOT)} is not built: ./run.sh --build-only")

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _: sys.exit(128 + received))
    unknown = set(arguments.workloads) - set(WORKLOADS)
    if unknown:
        parser.error(f"--workloads: unknown {', '.join(sorted(unknown))}; there are {', '.join(WORKLOADS)}")
    programs, results, tables = [], [], []
    try:
        for workload in arguments.workloads:
            about, _, references = WORKLOADS[workload]
            of_policies = [(policy, [run_once(workload, policy, seed, arguments, programs) for seed in arguments.seeds])
                           for policy in arguments.policies]
            results += [result for _, runs in of_policies for result in runs]
            rows = [row(f"turnpike {policy}", [run for result in runs for run in result["runs"]]) for policy, runs in of_policies]
            progress("")
            print(f"{workload}: {about}, 3 engines of 150 000 KV tokens; milliseconds, {arguments.speed} x real time")
            print(plain(rows + references), end="\n\n", flush=True)
            tables.append(f"### {workload}\n\n{about}\n\n{markdown(rows + references)}")
    except RuntimeError as problem:
        sys.exit(f"\nlive: {problem}")
    finally:
        for program in reversed(programs):
            program.ask_to_end()
        for program in reversed(programs):
            program.end()
        progress("")

    if arguments.json:
        merged = {**results[0], "runs": [run for result in results for run in result["runs"]],
                  "references": [dict(zip(COLUMNS, reference)) for reference in REFERENCES]}
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(merged, indent=1) + "\n")
    if arguments.markdown:
        arguments.markdown.parent.mkdir(parents=True, exist_ok=True)
        arguments.markdown.write_text("\n".join(tables))


if __name__ == "__main__":
    main()
