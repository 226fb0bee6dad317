"""The program under test as processes: started on free ports, ended by their id."""
import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import threading

from wire import Answer, Closed, ask, eventually, get, post

ROOT = pathlib.Path(__file__).resolve().parents[2]
TURNPIKE = os.environ.get("TURNPIKE", str(ROOT / "build" / "release" / "turnpike"))


class Process:
    """A subcommand of turnpike. Its output is read by threads, so that it never blocks on a full pipe."""

    def __init__(self, *arguments, env=None):
        clean = {key: value for key, value in os.environ.items()
                 if not re.match(r"SESSION_BOOST_|FAIRNESS_|ENABLE_|ACCESS_LOG_|TURNPIKE|METRICS_SCRAPE", key)}
        self.process = subprocess.Popen([TURNPIKE, *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, errors="replace", env={**clean, **(env or {})})
        self.stdout, self.stderr = [], []
        self._readers = [threading.Thread(target=self._read, args=pair, daemon=True)
                         for pair in ((self.process.stdout, self.stdout), (self.process.stderr, self.stderr))]
        for reader in self._readers:
            reader.start()

    @staticmethod
    def _read(pipe, lines):
        for line in pipe:
            lines.append(line.rstrip("\n"))

    @property
    def pid(self):
        return self.process.pid

    @property
    def running(self):
        return self.process.poll() is None

    def ready(self, within=20.0):
        """The fields of the ready line: {"listen": [port...], "admin": [port]}."""
        def line():
            found = next((text for text in list(self.stderr) if text.startswith("ready ")), None)
            if found is None and not self.running:
                raise AssertionError(f"{self.process.args[:2]} ended with {self.process.returncode}: {self.stderr}")
            return found
        fields = dict(word.split("=", 1) for word in eventually(line, within, "the ready line").split()[1:])
        return {key: [int(address.rsplit(":", 1)[1]) for address in value.split(",")] for key, value in fields.items()}

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def wait(self, within=15.0):
        """The exit status."""
        status = self.process.wait(within)
        for reader in self._readers:
            reader.join(5)
        return status

    def end(self):
        """SIGTERM, then what it takes."""
        if self.running:
            self.signal()
        try:
            return self.wait()
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.wait()
            raise AssertionError(f"{self.process.args[:2]} did not end on SIGTERM") from None

    def kill(self):
        if self.running:
            self.process.kill()
        self.wait()


class Gateway(Process):
    """`turnpike serve` with its two ports."""

    def __init__(self, backends=(), *arguments, config=None, env=None, ready=True):
        """`config`: the contents of a configuration file. `ready`: waits until an engine can be dispatched to."""
        flags = [word for url in backends for word in ("--backend", url)]
        if config is not None:
            with tempfile.NamedTemporaryFile("w", prefix="turnpike-", suffix=".yaml", delete=False) as file:
                json.dump(config, file)  # JSON is YAML
            arguments = [file.name, *arguments]
        super().__init__("serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", *flags, *arguments, env=env)
        self.expects_clean_end = True
        try:
            ports = self.ready()
            self.port, self.admin_port = ports["listen"][0], ports["admin"][0]
            if ready:
                self.wait_ready(len(backends))
        except BaseException:
            self.kill()
            raise
        finally:
            if config is not None:
                pathlib.Path(file.name).unlink()

    def wait_ready(self, endpoints=1):
        """Until it is ready and that many endpoints can be dispatched to."""
        eventually(lambda: self.admin("/readyz").status == 200, what="/readyz to be 200")
        eventually(lambda: sum(endpoint["dispatchable"] for endpoint in self.endpoints()) >= endpoints, what=f"{endpoints} endpoints")

    def ask(self, request, timeout=20.0) -> Answer:
        return ask(self.port, request, timeout)

    def admin(self, path, body=None) -> Answer:
        return ask(self.admin_port, get(path, ["Connection: close"]) if body is None else post(path, body, ["Connection: close"]))

    def pools(self):
        return self.admin("/api/pools").json["pools"]

    def total(self, counter):
        return sum(pool[counter] for pool in self.pools())

    def endpoints(self):
        return self.admin("/api/endpoints").json["endpoints"]

    def is_idle(self):
        return all(self.total(counter) == 0 for counter in ("in_flight", "queued", "leases"))

    def metrics(self):
        """{name{labels} as printed: value}"""
        found = {}
        for line in self.admin("/metrics").body.decode().splitlines():
            if line and not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                found[name] = float(value)
        return found

    def metric(self, name, **labels):
        """The sum over the series of that name that bear these labels."""
        total = 0.0
        for series, value in self.metrics().items():
            bare, _, rest = series.partition("{")
            if bare == name and all(f'{key}="{wanted}"' in rest for key, wanted in labels.items()):
                total += value
        return total

    def resident_kb(self):
        text = pathlib.Path(f"/proc/{self.pid}/smaps_rollup").read_text()
        return int(re.search(r"^Pss:\s+(\d+)", text, re.MULTILINE).group(1))

    def access_log(self, wanted=1):
        """The access log's JSON lines, once there are as many as wanted (with --access-log json)."""
        def lines():
            found = []
            for line in list(self.stdout) + list(self.stderr):
                if line.startswith("{"):
                    with contextlib.suppress(ValueError):
                        found.append(json.loads(line))
            return found if len(found) >= wanted else None
        return eventually(lines, what=f"{wanted} lines of access log")


__all__ = ["Closed", "Gateway", "Process", "ROOT", "TURNPIKE"]
