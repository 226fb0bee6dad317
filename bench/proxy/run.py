#!/usr/bin/env python3
"""Compares `turnpike serve --workers 1` with HAProxy and nginx as a proxy.

Each proxy is pinned to core 0; upstream and client are one program (proxy_bench) on core 1. The proxies take turns within
every round, so that a slow minute of the machine hits all of them; the table shows the median of the rounds, and Turnpike's
ratio to each of the others. Bodies are chat completion requests with a session id, answers carry usage.

  request   CPU us per proxied request, 64 sessions in a closed loop, 1 KiB prompts
  p64k, p1m the same with prompts of 64 KiB (16 sessions) and 1 MiB (4 sessions)
  event     CPU us per streamed event, 64 streams of 50 events/s, all of them in one instant as an engine's step gives them;
            event_spread: each stream at a time of its own
  latency   added to the direct path at 1000 requests/s, us
  idle      memory per silent stream of 1000, KiB
  leave     from the client's close to the upstream's connection closed: while streaming, silent, before the first byte
  queued    (turnpike) from the client's close to the entry gone from the queue, polled through the admin API
  slow      memory grown in 5 s by one reader at 1 KB/s of a stream that is written at full speed, MB
"""
import argparse
import contextlib
import http.client
import json
import os
import pathlib
import platform
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "release"
PROXY_CORE, LOAD_CORE = "0", "1"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port, process):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
            return
        if process.poll() is not None:
            break
        time.sleep(0.02)
    sys.exit(f"run.py: {process.args[3]} did not start listening")


def children(pid):
    text = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


class Proxy:
    """One proxy under test: a process of ours, on core 0, ended by its id."""

    def __init__(self, name, command, port, log):
        self.name, self.port = name, port
        self.process = subprocess.Popen(["taskset", "-c", PROXY_CORE, *command], stdout=log, stderr=log)
        wait_for_port(port, self.process)

    def pids(self):
        return [self.process.pid, *children(self.process.pid)]

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


HAPROXY = """
global
  maxconn 4000
  nbthread 1
  stats socket {folder}/haproxy.sock
defaults
  mode http
  option abortonclose
  option http-no-delay
  timeout connect 5s
  timeout client 600s
  timeout server 600s
  timeout http-keep-alive 60s
  http-reuse always
frontend in
  bind 127.0.0.1:{port}
  default_backend out
backend out
  server engine 127.0.0.1:{upstream} pool-max-conn 2000
"""

NGINX = """
daemon off;
master_process off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log crit;
worker_rlimit_nofile 16384;
events {{ worker_connections 8000; }}
http {{
  access_log off;
  client_max_body_size 64m;
  client_body_buffer_size 2m;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  keepalive_requests 1000000000;
  upstream engine {{ server 127.0.0.1:{upstream} max_fails=0; keepalive 2000; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://engine;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_buffering off;
      proxy_read_timeout 600s;
    }}
  }}
}}
"""


def start_haproxy(upstream, folder, log, _):
    port = free_port()
    config = folder / "haproxy.cfg"
    config.write_text(HAPROXY.format(port=port, upstream=upstream, folder=folder))
    return Proxy("haproxy", ["haproxy", "-db", "-q", "-f", str(config)], port, log)


def start_nginx(upstream, folder, log, _):
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(port=port, upstream=upstream, folder=folder))
    return Proxy("nginx", ["nginx", "-e", str(folder / "nginx.log"), "-p", str(folder), "-c", str(config)], port, log)


def start_turnpike(upstream, folder, log, arguments):
    port, admin = free_port(), free_port()
    proxy = Proxy("turnpike", [str(BUILD / "turnpike"), "serve", "--backend", f"http://127.0.0.1:{upstream}",
                               "--listen", f"127.0.0.1:{port}", "--admin", f"127.0.0.1:{admin}", "--workers", "1",
                               "--policy", arguments.policy, *arguments.serve], port, log)
    proxy.admin = admin
    wait_until_ready(admin)
    return proxy


def wait_until_ready(admin):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, http.client.HTTPException):
            if admin_get(admin, "/readyz")[0] == 200:
                return
        time.sleep(0.02)
    sys.exit("run.py: turnpike did not become ready")


def admin_get(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


STARTERS = {"nginx": start_nginx, "haproxy": start_haproxy, "turnpike": start_turnpike}


class Driver:
    """proxy_bench: upstream and client in one process on core 1; one command line in, one JSON line out."""

    def __init__(self, port):
        self.port = port
        self.process = subprocess.Popen(["taskset", "-c", LOAD_CORE, str(BUILD / "bench/proxy/proxy_bench"), str(port)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._answer()

    def _answer(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit("run.py: proxy_bench ended")
        return json.loads(line)

    def measure(self, name, port, pids=(), **values):
        words = [name, f"port={port}", "pids=" + ",".join(map(str, pids))]
        words += [f"{key}={value}" for key, value in values.items()]
        self.process.stdin.write(" ".join(words) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def end(self):
        self.process.stdin.close()
        self.process.wait(5)


def queued_leave(upstream, folder, log, arguments, rounds):
    """Median and p99, in us, from the close of a queued client to its entry being gone. The engine is kept full by streams
    that never end; session-boost lets 16 run on one endpoint. The poll itself costs, so that this is an upper bound."""
    arguments = argparse.Namespace(**{**vars(arguments), "policy": "session-boost"})
    proxy = start_turnpike(upstream, folder, log, arguments)
    body = json.dumps({"model": "bench", "stream": True, "messages": [{"role": "user", "content": "hold"}]})
    request = ("POST /v1/chat/completions HTTP/1.1\r\nhost: bench.local\r\ncontent-type: application/json\r\nx-bench: never\r\n"
               f"content-length: {len(body)}\r\n\r\n{body}").encode()
    admin = http.client.HTTPConnection("127.0.0.1", proxy.admin, timeout=5)

    def pool():
        admin.request("GET", "/api/pools")
        answer = json.loads(admin.getresponse().read())
        return (answer["pools"] if isinstance(answer, dict) else answer)[0]

    def until(condition):
        deadline = time.monotonic() + 5
        while not condition(pool()):
            if time.monotonic() > deadline:
                raise TimeoutError("the queue did not reach the state it should")

    def client():
        connection = socket.create_connection(("127.0.0.1", proxy.port))
        connection.sendall(request)
        return connection

    held, times = [], []
    try:
        while pool()["queued"] == 0 and len(held) < 400:
            held.append(client())
            time.sleep(0.01)
        base = pool()["queued"]
        for _ in range(rounds):
            leaver = client()
            until(lambda now: now["queued"] == base + 1)
            leaver.close()
            left = time.perf_counter()
            until(lambda now: now["queued"] == base)
            times.append((time.perf_counter() - left) * 1e6)
    finally:
        for connection in held:
            connection.close()
        proxy.end()
    times.sort()
    return {"p50_us": statistics.median(times), "p99_us": times[int(0.99 * (len(times) - 1))]}


def measurements(quick):
    """name -> (command, its values, the keys of interest in its result)"""
    ms = 1000 if quick else 3000
    rounds = 40 if quick else 200
    return {
        "request": ("closed", {"connections": 64, "prompt": 1024, "ms": ms}, ["cpu_us", "requests_per_s"]),
        "p64k": ("closed", {"connections": 16, "prompt": 65536, "ms": ms}, ["cpu_us"]),
        "p1m": ("closed", {"connections": 4, "prompt": 1048576, "ms": ms}, ["cpu_us"]),
        "event": ("streams", {"streams": 64, "rate": 50, "ms": ms}, ["cpu_us"]),
        "event_spread": ("streams", {"streams": 64, "rate": 50, "ms": ms, "mode": "spread"}, ["cpu_us"]),
        "latency": ("rate", {"rate": 1000, "ms": ms}, ["p50_us", "p99_us"]),
        "idle": ("idle", {"streams": 200 if quick else 1000}, ["kb_per_stream"]),
        "leave_streaming": ("leave", {"mode": "events", "rounds": rounds}, ["p50_us", "p99_us", "never_closed"]),
        "leave_silent": ("leave", {"mode": "silent", "rounds": rounds}, ["p50_us", "p99_us", "never_closed"]),
        "leave_before_first_byte": ("leave", {"mode": "never", "rounds": rounds}, ["p50_us", "p99_us", "never_closed"]),
        "slow": ("slow", {"ms": 2000 if quick else 5000}, ["grown_mb"]),
    }


def run(arguments):
    wanted = measurements(arguments.quick)
    if arguments.only:
        wanted = {name: wanted[name] for name in arguments.only if name in wanted}
    collected = {}

    def keep(name, key, proxy, value):
        collected.setdefault((name, key), {}).setdefault(proxy, []).append(value)

    with tempfile.TemporaryDirectory(prefix="proxy-bench-") as name, open(pathlib.Path(name) / "log", "w") as log:
        folder = pathlib.Path(name)
        driver = Driver(free_port())
        try:
            for round_number in range(arguments.rounds):
                for name, (command, values, keys) in wanted.items():
                    direct = driver.measure(command, driver.port, **values) if name == "latency" else None
                    if direct:
                        for key in keys:
                            keep(name, key, "direct", direct[key])
                    # A different one begins each time. A fresh process for each measurement: memory starts alike.
                    order = arguments.proxies[round_number % len(arguments.proxies):]
                    order += arguments.proxies[:round_number % len(arguments.proxies)]
                    for proxy_name in order:
                        if sys.stderr.isatty():
                            print(f"\r\033[Kround {round_number + 1}/{arguments.rounds} {name} {proxy_name}", end="",
                                  file=sys.stderr, flush=True)
                        proxy = STARTERS[proxy_name](driver.port, folder, log, arguments)
                        try:
                            result = driver.measure(command, proxy.port, proxy.pids(), **values)
                        finally:
                            proxy.end()
                        if "error" in result or result.get("failures"):
                            print(f"\n{name} {proxy_name}: {result}", file=sys.stderr)
                        for key in keys:
                            if key in result:
                                keep(name, key, proxy_name, result[key] - (direct[key] if direct else 0))
            if "turnpike" in arguments.proxies and (not arguments.only or "leave_queued" in arguments.only):
                try:
                    queued = queued_leave(driver.port, folder, log, arguments, 40 if arguments.quick else 200)
                    for key, value in queued.items():
                        keep("leave_queued", key, "turnpike", value)
                except (OSError, TimeoutError, KeyError, IndexError, http.client.HTTPException) as error:
                    print(f"\nleave_queued: {error!r}", file=sys.stderr)
            if sys.stderr.isatty():
                print("\r\033[K", end="", file=sys.stderr)
        finally:
            driver.end()
    return collected


def table(collected, proxies):
    rows = []
    for (name, key), by_proxy in collected.items():
        medians = {proxy: statistics.median(values) for proxy, values in by_proxy.items()}
        row = {"measurement": name, "unit": key, **{proxy: round(value, 3) for proxy, value in medians.items()}}
        if "turnpike" in medians:
            for other in proxies:
                if other != "turnpike" and medians.get(other):
                    row[f"turnpike/{other}"] = round(medians["turnpike"] / medians[other], 3)
        row["rounds"] = {proxy: [round(value, 3) for value in values] for proxy, values in by_proxy.items()}
        rows.append(row)
    return rows


def show(rows, proxies):
    ratios = [f"turnpike/{other}" for other in proxies if other != "turnpike" and "turnpike" in proxies]
    columns = ["measurement", "unit", "direct", *proxies, *ratios]
    lines = [columns] + [[str(row.get(column, "")) for column in columns] for row in rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    for line in lines:
        print("  ".join(cell.ljust(width) if i < 2 else cell.rjust(width)
                        for i, (cell, width) in enumerate(zip(line, widths))).rstrip())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="short measurements: for trying, not for quoting")
    parser.add_argument("--only", type=lambda text: text.split(","), help="measurements, by the names above")
    parser.add_argument("--proxies", type=lambda text: text.split(","), default=list(STARTERS))
    parser.add_argument("--policy", default="least-request", help="Turnpike's preset (default: one without a queue, as the others)")
    parser.add_argument("--serve", type=str.split, default=["--access-log", "off"], help="further flags of turnpike serve")
    parser.add_argument("--json", type=pathlib.Path, default=ROOT / "build" / "bench" / "proxy.json")
    arguments = parser.parse_args()
    if (os.cpu_count() or 1) < 2:
        sys.exit("run.py: this needs two cores, one for the proxy and one for the load")
    missing = [name for name in arguments.proxies if name != "turnpike" and not shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin")]
    if missing:
        sys.exit(f"run.py: not installed: {', '.join(missing)} (scripts/install.sh bench)")
    os.environ["PATH"] += ":/usr/sbin"
    rows = table(run(arguments), arguments.proxies)
    show(rows, arguments.proxies)
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps({"schema": 1, "command": "bench/proxy", "machine": platform.platform(),
                                          "rounds": arguments.rounds, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
