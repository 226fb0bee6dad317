#!/usr/bin/env python3
"""Real clients against llama.cpp behind the gateway. Started by scripts/real-engine.sh, in the tests' virtual environment.

Prints one line for each check, and how much of the prompts of later turns came from the KV caches with the session's
endpoint kept and without. Exit status 1 if any check failed.
"""
import contextlib
import json
import os
import pathlib
import subprocess
import sys
import time

import openai

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

from processes import Gateway  # noqa: E402
from wire import eventually  # noqa: E402

NODE, ENGINE_FOLDER, MODEL_FILE = sys.argv[1:4]
REPLICAS, SLOTS = 2, 3


class Engine:
    """One replica, a process ended by its id."""

    def __init__(self):
        self.process = subprocess.Popen([NODE, "server.mjs", MODEL_FILE, "--slots", str(SLOTS), "--context", str(SLOTS * 4096)],
                                        cwd=ENGINE_FOLDER, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("ready "):
            raise RuntimeError("the engine did not start")
        self.url = f"http://127.0.0.1:{line.split()[1]}"

    def end(self):
        self.process.terminate()
        self.process.wait(10)


@contextlib.contextmanager
def served(*flags):
    engines = []
    gateway = None
    try:
        for _ in range(REPLICAS):
            engines.append(Engine())
        gateway = Gateway([engine.url for engine in engines], *flags)
        yield gateway
        eventually(gateway.is_idle, what="every lease given back")
    finally:
        if gateway:
            gateway.kill()
        for engine in engines:
            engine.end()


def client_of(gateway):
    return openai.OpenAI(base_url=f"http://127.0.0.1:{gateway.port}/v1", api_key="sk-test", max_retries=0, timeout=60)


def python_whole(gateway):
    answer = client_of(gateway).chat.completions.create(model="tiny", messages=[{"role": "user", "content": "Hi"}], max_tokens=8)
    assert answer.choices[0].message.content and answer.usage.completion_tokens == 8


def python_stream(gateway):
    events = list(client_of(gateway).chat.completions.create(
        model="tiny", messages=[{"role": "user", "content": "Hi"}], max_tokens=16, stream=True, stream_options={"include_usage": True}))
    assert "".join(event.choices[0].delta.content or "" for event in events if event.choices)
    assert events[-1].usage.completion_tokens == 16


def python_stream_without_usage(gateway):
    events = list(client_of(gateway).chat.completions.create(
        model="tiny", messages=[{"role": "user", "content": "Hi"}], max_tokens=8, stream=True))
    assert all(event.choices and event.usage is None for event in events)


def python_too_long(gateway):
    """The engine's own 400 comes through with its reason."""
    try:
        client_of(gateway).chat.completions.create(model="tiny", messages=[{"role": "user", "content": "q7" * 20_000}])
    except openai.BadRequestError as error:
        assert "context size" in str(error)
    else:
        raise AssertionError("a prompt beyond the context was accepted")


def python_leaves_a_stream(gateway):
    stream = client_of(gateway).chat.completions.create(model="tiny", messages=[{"role": "user", "content": "Hi"}], max_tokens=3000, stream=True)
    next(iter(stream))
    stream.close()
    eventually(gateway.is_idle, within=2)


def npm(gateway):
    script = ROOT / "build" / "clients" / "openai_client.mjs"
    script.write_text((ROOT / "tests" / "clients" / "openai_client.mjs").read_text())
    done = subprocess.run([NODE, script, f"http://127.0.0.1:{gateway.port}/v1", "tiny"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["stream"]["usage"]["completion_tokens"] == 9 and report["secondTurn"]["cached"] > 0
    assert report["unknownModel"]["status"] == 404


def curl(gateway):
    body = json.dumps({"model": "tiny", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4, "stream": True})
    done = subprocess.run(["curl", "-sSN", "--max-time", "30", f"http://127.0.0.1:{gateway.port}/v1/chat/completions",
                           "-H", "Content-Type: application/json", "-d", body], capture_output=True, text=True, check=True)
    assert done.stdout.rstrip().endswith("data: [DONE]")


CHECKS = [python_whole, python_stream, python_stream_without_usage, python_too_long, python_leaves_a_stream, npm, curl]


def later_turns(gateway, sessions=5, turns=4):
    """(share of the prompt tokens of later turns that were cached, prompt tokens computed in all), the sessions taking turns."""
    client = client_of(gateway)
    histories = [[{"role": "user", "content": f"Session {i}. " + "the word that you said " * 30}] for i in range(sessions)]
    cached = prompt = computed = 0
    for turn in range(turns):
        for i, history in enumerate(histories):
            answer = client.chat.completions.create(model="tiny", messages=history, max_tokens=12, extra_headers={"X-Session-ID": f"real-{i}"})
            hit = answer.usage.prompt_tokens_details.cached_tokens
            computed += answer.usage.prompt_tokens - hit
            if turn:
                cached += hit
                prompt += answer.usage.prompt_tokens
            history += [{"role": "assistant", "content": answer.choices[0].message.content}, {"role": "user", "content": f"Go on, {turn}."}]
    return cached / prompt, computed


def main():
    failed = 0
    with served() as gateway:
        for check in CHECKS:
            started = time.monotonic()
            try:
                check(gateway)
                verdict = "ok"
            except Exception as problem:  # whatever it is, the table says it and the rest still runs
                verdict, failed = f"FAILED: {problem!r}", failed + 1
            print(f"{check.__name__.replace('_', ' '):32} {time.monotonic() - started:6.2f} s  {verdict}", flush=True)
    for policy in ("round-robin", "session-boost"):
        with served("--policy", policy) as gateway:
            share, computed = later_turns(gateway)
            print(f"{'later turns, ' + policy:32} cached {share:4.0%}, prompt tokens computed {computed}", flush=True)
    print(f"{len(CHECKS) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")
    sys.exit(main())
