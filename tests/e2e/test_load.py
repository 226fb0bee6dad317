"""Load over sockets as a program: a recording played through the gateway, and what that cost it."""
import json
import subprocess

from processes import TURNPIKE
from wire import eventually


def load(served, *arguments):
    return subprocess.run([TURNPIKE, "load", "--target", f"http://127.0.0.1:{served.port}", *map(str, arguments)], capture_output=True,
                          text=True, timeout=60, check=False)


def test_a_recording_is_played_and_the_gateways_cpu_time_reported(engine, gateway, tmp_path):
    served = gateway(engine("--replicas", "2", "--model", "m", "--speed", "200"), "--speed", "200")
    turns = [{"append": 600, "output": 20}] + [{"append": 200, "output": 10, "gap": 0.5}] * 2
    trace = tmp_path / "sessions.jsonl"
    trace.write_text("".join(json.dumps({"at": i * 0.5, "turns": turns}) + "\n" for i in range(20)))
    out = tmp_path / "out.json"
    done = load(served, "--trace", trace, "--speed", "200", "--json", out, "--admin", f"http://127.0.0.1:{served.admin_port}")
    assert done.returncode == 0, done.stderr
    assert "gateway CPU: " in done.stdout and done.stderr == ""
    run = json.loads(out.read_text())["runs"][0]
    assert run["workload"] == "sessions" and run["policy"] == "-"
    assert run["requests"]["finished"] == 60 and run["sessions_finished"] == 20
    assert run["output_tokens"] == 20 * 40
    assert run["cached_tokens"] > 0
    assert 0 <= run["gateway_cpu_us_per_request"] < 1e5
    eventually(served.is_idle)


def test_what_cannot_be_used_is_named(engine, gateway, tmp_path):
    served = gateway(engine("--model", "m"))
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"turns":[{"append":5}]}\n')
    done = load(served, "--trace", bad)
    assert done.returncode == 2 and f"{bad}: line 1: turns[0].output: is missing" in done.stderr
    assert load(served, "--trace", bad, "--workload", "kthena-c40").returncode == 2
    # Nobody to ask for its CPU time is no reason not to measure the rest.
    bad.write_text('{"turns":[{"append":5,"output":1}]}\n')
    done = load(served, "--trace", bad, "--admin", "http://127.0.0.1:1")
    assert done.returncode == 0 and "no CPU time of the gateway" in done.stderr
    assert "gateway CPU" not in done.stdout
