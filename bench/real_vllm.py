#!/usr/bin/env python3
"""Multi-turn load through the gateway on three vLLM replicas, for several policies in turn. See real-vllm.sh."""
import argparse
import contextlib
import http.client
import json
import os
import pathlib
import random
import signal
import socket
import statistics
import string
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
TURNPIKE = ROOT / "build" / "release" / "turnpike"
VLLM = ROOT / "build" / "vllm"
MODEL = "tiny"
BOOT_SECONDS = 300
REPLICAS = 3


def say(text):
    print(f"real-vllm: {text}", file=sys.stderr, flush=True)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Process:
    """A program that is ended by its own id, with its output in a file."""

    def __init__(self, log, *command, **environment):
        self.log = log
        with open(log, "w") as out:
            self.process = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                            env=os.environ | environment, start_new_session=True)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def last_words(self):
        return "\n".join(pathlib.Path(self.log).read_text(errors="replace").splitlines()[-15:])


def start_vllm(number, port, kv_tokens):
    return Process(
        ROOT / "build" / f"vllm-{number}.log", VLLM / "bin" / "vllm", "serve", VLLM / "model", "--served-model-name", MODEL, "--host", "127.0.0.1",
        "--port", port, "--enforce-eager", "--dtype", "bfloat16", "--block-size", 32, "--num-gpu-blocks-override", kv_tokens // 32,
        "--max-model-len", 16384, "--max-num-seqs", 16, "--max-num-batched-tokens", 2048, "--enable-prompt-tokens-details",
        HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", VLLM_NO_USAGE_STATS="1", DO_NOT_TRACK="1", VLLM_CPU_KVCACHE_SPACE="1",
        VLLM_CPU_OMP_THREADS_BIND="nobind", OMP_NUM_THREADS="1")


def await_health(process, port, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.process.poll() is not None:
            sys.exit(f"real-vllm: a program ended while it started:\n{process.last_words()}")
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/v1/models")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        time.sleep(0.5)
    sys.exit(f"real-vllm: nothing answers on port {port}:\n{process.last_words()}")


class Load:
    """Conversations, each in a thread: a long first prompt, then one more message a turn."""

    def __init__(self, port, options, seed):
        self.port, self.options, self.seed = port, options, seed
        self.lock = threading.Lock()
        self.requests, self.failures, self.finished = [], [], 0

    def run(self):
        threads = [threading.Thread(target=self.session, args=(number,)) for number in range(self.options.sessions)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return self

    def session(self, number):
        chance = random.Random(self.seed * 1000 + number)

        def text(length):
            return "".join(chance.choices(string.ascii_lowercase + "    ", k=length))

        messages = [{"role": "user", "content": text(self.options.first)}]
        time.sleep(chance.random() * self.options.think)
        for _ in range(self.options.turns):
            answer = self.turn(number, messages)
            if answer is None:
                return
            messages += [{"role": "assistant", "content": answer}, {"role": "user", "content": text(self.options.appended)}]
            time.sleep(self.options.think * (0.5 + chance.random()))
        with self.lock:
            self.finished += 1

    def turn(self, number, messages):
        body = json.dumps({"model": MODEL, "messages": messages, "max_tokens": self.options.output, "stream": True, "ignore_eos": True,
                           "stream_options": {"include_usage": True}, "temperature": 0.7})
        began, first, words, usage = time.monotonic(), None, [], {}
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=900)
            connection.request("POST", "/v1/chat/completions", body,
                               {"content-type": "application/json", "x-session-id": f"s{self.seed}-{number}"})
            answer = connection.getresponse()
            if answer.status != 200:
                raise OSError(f"status {answer.status}: {answer.read()[:200]!r}")
            for line in answer:
                if not line.startswith(b"data: {"):
                    continue
                event = json.loads(line[6:])
                usage = event.get("usage") or usage
                for choice in event.get("choices", []):
                    if choice.get("delta", {}).get("content"):
                        first = first or time.monotonic() - began
                        words.append(choice["delta"]["content"])
            connection.close()
            if first is None or not usage:
                raise OSError("an answer without content or usage")
        except (OSError, http.client.HTTPException) as error:
            with self.lock:
                self.failures.append(str(error))
            return None
        cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
        with self.lock:
            self.requests.append((first, usage["prompt_tokens"], cached))
        return "".join(words)


def quantile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))] if values else float("nan")


def measure(policy, ports, options, seed):
    listen, admin = free_port(), free_port()
    backends = [part for port in ports for part in ("--backend", f"http://127.0.0.1:{port}")]
    gateway = Process(ROOT / "build" / "vllm-gateway.log", TURNPIKE, "serve", *backends, "--listen", f"127.0.0.1:{listen}",
                      "--admin", f"127.0.0.1:{admin}", "--policy", policy)
    try:
        await_health(gateway, listen, 60)
        began = time.monotonic()
        load = Load(listen, options, seed).run()
        took = time.monotonic() - began
    finally:
        gateway.stop()
    prompts = sum(request[1] for request in load.requests)
    cached = sum(request[2] for request in load.requests)
    first = [request[0] for request in load.requests]
    return {"policy": policy, "sessions_finished": load.finished, "failures": load.failures[:3], "prompt_tokens": prompts,
            "computed_tokens": prompts - cached, "cached_share": cached / max(1, prompts), "ttft_p50_s": quantile(first, 0.5),
            "ttft_p90_s": quantile(first, 0.9), "ttft_mean_s": statistics.fmean(first) if first else float("nan"), "took_s": took}


def main():
    parser = argparse.ArgumentParser(prog="real-vllm.sh")
    parser.add_argument("--policies", default="resident-set,round-robin,sticky,session-boost")
    parser.add_argument("--sessions", type=int, default=18)
    parser.add_argument("--turns", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=2, help="every other one in the opposite order")
    parser.add_argument("--first", type=int, default=4000, help="characters, which are tokens here")
    parser.add_argument("--appended", type=int, default=300)
    parser.add_argument("--output", type=int, default=32)
    parser.add_argument("--think", type=float, default=1.0, help="seconds between turns")
    parser.add_argument("--kv-tokens", type=int, default=24_000, help="of a replica")
    parser.add_argument("--json")
    options = parser.parse_args()

    results = []
    with contextlib.ExitStack() as stack:
        ports = [free_port() for _ in range(REPLICAS)]
        engines = []
        for number, port in enumerate(ports):
            engines.append(start_vllm(number, port, options.kv_tokens))
            stack.callback(engines[-1].stop)
        say(f"{REPLICAS} replicas are starting")
        for engine, port in zip(engines, ports):
            await_health(engine, port, BOOT_SECONDS)
        policies = options.policies.split(",")
        for number in range(options.rounds):
            for policy in policies if number % 2 == 0 else reversed(policies):
                # A text of its own for each run: nothing of an earlier one is of use to it.
                results.append(measure(policy, ports, options, seed=number * 100 + policies.index(policy)) | {"round": number})
                say(f"round {number + 1}, {policy}: {results[-1]['cached_share'] * 100:.0f} % cached, {results[-1]['took_s']:.0f} s")

    print(f"{REPLICAS} vLLM replicas of {options.kv_tokens} KV tokens; {options.sessions} sessions of {options.turns} turns, first prompt "
          f"{options.first} tokens, {options.appended} more a turn, {options.output} out; {options.rounds} rounds in swapped order")
    print(f"{'policy':<16} {'round':>5} {'finished':>9} {'prompt tokens':>14} {'computed':>9} {'cached':>7} {'TTFT mean/p50/p90 ms':>22} {'took':>7}")
    for result in sorted(results, key=lambda r: (options.policies.split(',').index(r["policy"]), r["round"])):
        ttft = "/".join(f"{result[name] * 1e3:.0f}" for name in ("ttft_mean_s", "ttft_p50_s", "ttft_p90_s"))
        print(f"{result['policy']:<16} {result['round'] + 1:>5} {result['sessions_finished']:>4} of {options.sessions:<2} {result['prompt_tokens']:>13} "
              f"{result['computed_tokens']:>9} {result['cached_share'] * 100:>6.1f}% {ttft:>22} {result['took_s']:>6.1f}s")
        for failure in result["failures"]:
            print(f"    failed: {failure}")
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(results, indent=2))
    if any(result["sessions_finished"] < options.sessions for result in results):
        print("sessions were lost: such a run computed less because it did less")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
