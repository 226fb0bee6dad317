#!/usr/bin/env python3
"""What TLS costs the proxy: CPU of `turnpike serve --workers 1` beside HAProxy, with and without it, in one run.

The proxies take turns within every round; CPU is the proxy's own (/proc), so the client may be slow. The table shows medians of the rounds.

  plain      CPU us per request on kept connections, 1 KiB prompts, short answers
  tls        the same over TLS 1.3
  upload     CPU us per request with a prompt of 256 KiB over TLS
  handshake  CPU us per new connection with one request (P-256, nothing resumed)
  resumed    the same with a resumed session

usage: bench/tls.py [--rounds N] [--requests N] [TURNPIKE]
"""
import argparse
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

from certificates import Authority  # noqa: E402

ANSWER = json.dumps({"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [
    {"index": 0, "message": {"role": "assistant", "content": "Hello there"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}}).encode()
WHOLE = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(ANSWER) + ANSWER


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def read_message(connection, buffer):
    """Takes one message with a length off the connection: (False at its end, what came behind it)."""
    while b"\r\n\r\n" not in buffer:
        data = connection.recv(262144)
        if not data:
            return False, b""
        buffer += data
    head, _, rest = buffer.partition(b"\r\n\r\n")
    length = next((int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")), 0)
    while len(rest) < length:
        rest += connection.recv(262144)
    return True, rest[length:]


class Upstream:
    """Answers every request with the same bytes, on threads."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            connection, _ = self.listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    @staticmethod
    def serve(connection):
        buffer = b""
        with contextlib.suppress(OSError):
            while True:
                more, buffer = read_message(connection, buffer)
                if not more:
                    return
                connection.sendall(WHOLE)


def cpu_seconds(pid):
    """Of a process's threads, in the scheduler's nanoseconds: ticks are too coarse."""
    return sum(int((task / "schedstat").read_text().split()[0]) for task in pathlib.Path(f"/proc/{pid}/task").iterdir()) / 1e9


class Proxy:
    def __init__(self, name, command, plain, tls):
        self.name, self.ports = name, {"plain": plain, "tls": tls}
        self.processes = [subprocess.Popen(c, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for c in command]
        deadline = time.monotonic() + 10
        for port in (plain, tls):
            while True:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
                    break
                if time.monotonic() > deadline:
                    sys.exit(f"tls.py: {name} did not start listening")
                time.sleep(0.02)

    def cpu(self):
        return sum(cpu_seconds(process.pid) for process in self.processes)

    def end(self):
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            process.wait(10)


def turnpike(program, upstream, directory, pair):
    ports = [free_port(), free_port()]
    commands = []
    for port, flags in zip(ports, ([], ["--tls-cert", pair[0], "--tls-key", pair[1]])):
        config = directory / f"turnpike-{port}.yaml"
        config.write_text(json.dumps({"backends": [{"url": f"http://127.0.0.1:{upstream}", "models": ["m"]}],
                                      "health": {"active": False}, "gauges": {"interval": "1h"}}))
        commands.append([program, "serve", config, "--workers", "1", "--listen", f"127.0.0.1:{port}", "--admin",
                         f"127.0.0.1:{free_port()}", "--policy", "round-robin", "--log-level", "off", *flags])
    return Proxy("turnpike", commands, *ports)


def haproxy(program, upstream, directory, pair):
    ports = [free_port(), free_port()]
    both = directory / "both.pem"
    both.write_bytes(pathlib.Path(pair[0]).read_bytes() + pathlib.Path(pair[1]).read_bytes())
    config = directory / "haproxy.cfg"
    config.write_text(f"""global
  nbthread 1
  tune.ssl.default-dh-param 2048
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  http-reuse always
frontend plain
  bind 127.0.0.1:{ports[0]}
  default_backend engines
frontend tls
  bind 127.0.0.1:{ports[1]} ssl crt {both} alpn http/1.1
  default_backend engines
backend engines
  server one 127.0.0.1:{upstream}
""")
    return Proxy("haproxy", [[program, "-f", config, "-db"]], *ports)


def request(size):
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "x" * size}]}).encode()
    return b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def connect(port, context=None, session=None):
    connection = socket.create_connection(("127.0.0.1", port), 20)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(connection, server_hostname="localhost", session=session) if context else connection


def on_kept_connections(port, context, size, requests):
    message = request(size)
    buffer = b""
    with connect(port, context) as connection:
        for _ in range(requests):
            connection.sendall(message)
            more, buffer = read_message(connection, buffer)
            assert more
    return requests


def on_new_connections(port, context, resume, requests):
    message, session = request(1024), None
    for _ in range(requests):
        with connect(port, context, session) as connection:
            assert connection.session_reused == (session is not None)
            connection.sendall(message)
            assert read_message(connection, b"")[0]
            session = connection.session if resume else None
    return requests


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", nargs="?", default=ROOT / "build" / "release" / "turnpike")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=2000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="turnpike-tls-") as name:
        directory = pathlib.Path(name)
        authority = Authority(directory)
        pair = authority.issue("server")
        context = ssl.create_default_context(cafile=authority.certificate)
        upstream = Upstream()
        proxies = [turnpike(options.program, upstream.port, directory, pair)]
        if found := shutil.which("haproxy") or shutil.which("/usr/sbin/haproxy"):
            proxies.append(haproxy(found, upstream.port, directory, pair))
        n = options.requests
        rows = {
            "plain": lambda p: on_kept_connections(p.ports["plain"], None, 1024, n),
            "tls": lambda p: on_kept_connections(p.ports["tls"], context, 1024, n),
            "upload": lambda p: on_kept_connections(p.ports["tls"], context, 256 * 1024, n // 10),
            "handshake": lambda p: on_new_connections(p.ports["tls"], context, False, n // 5),
            "resumed": lambda p: on_new_connections(p.ports["tls"], context, True, n // 5),
        }
        measured = {(row, proxy.name): [] for row in rows for proxy in proxies}
        for _ in range(options.rounds):
            for row, run in rows.items():
                for proxy in proxies:
                    before = proxy.cpu()
                    count = run(proxy)
                    measured[row, proxy.name].append((proxy.cpu() - before) / count * 1e6)
        print(f"{'CPU us':10}" + "".join(f"{proxy.name:>10}" for proxy in proxies))
        for row in rows:
            print(f"{row:10}" + "".join(f"{statistics.median(measured[row, proxy.name]):10.1f}" for proxy in proxies))
        for proxy in proxies:
            proxy.end()


if __name__ == "__main__":
    main()
