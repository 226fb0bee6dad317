"""What bench/aiperf.sh runs, in aiperf's own Python. Prints one table; times are of simulated engines at ten times their speed."""
import argparse
import collections
import json
import pathlib
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
TURNPIKE = ROOT / "build" / "release" / "turnpike"
SPEED = "10"


def start(*arguments, log):
    """A process and the ports of its line 'ready ...'."""
    process = subprocess.Popen([TURNPIKE, *arguments], stdout=log, stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if line.startswith("ready "):
            return process, dict(word.split("=", 1) for word in line.split()[1:])
    raise SystemExit(f"turnpike {arguments[0]} did not start")


def byte_tokenizer(folder):
    """aiperf wants a tokenizer to make prompts with; a byte each needs no download."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast
    vocabulary = {byte: number for number, byte in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="!").save_pretrained(folder)


def run(policy, options, work):
    engines, ready = start("engine", "--replicas", "3", "--model", "m", "--kv-tokens", "60000", "--speed", SPEED,
                           "--listen", "127.0.0.1:0", log=subprocess.DEVNULL)
    access = work / f"{policy}.log"
    with access.open("w") as log:
        flags = [word for address in ready["listen"].split(",") for word in ("--backend", f"http://{address}")]
        gateway, ready = start("serve", *flags, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--speed", SPEED, "--policy", policy,
                               "--access-log", "json", log=log)
        try:
            done = subprocess.run(
                [ROOT / "build" / "aiperf" / "bin" / "aiperf", "profile", "--model", "m", "--url", f"http://{ready['listen']}",
                 "--endpoint-type", "chat", "--streaming", "--concurrency", str(options.concurrency),
                 "--conversation-num", str(options.conversations), "--conversation-turn-mean", str(options.turns),
                 "--prompt-input-tokens-mean", "6000", "--use-server-token-count", "--tokenizer", "tokenizer", "--ui", "none",
                 "--no-auto-plot", "--random-seed", "1", "--artifact-dir", str(work / policy)],
                cwd=work, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise SystemExit(done.stdout + done.stderr)
        finally:
            gateway.terminate()
            gateway.wait()
            engines.terminate()
            engines.wait()
    report = json.loads((work / policy / "profile_export_aiperf.json").read_text())
    lines = [json.loads(line) for line in access.read_text().splitlines() if line.startswith("{")]
    turns = [line for line in lines if line["path"] == "/v1/chat/completions"]
    ttft, latency = report["time_to_first_token"], report["request_latency"]
    cached = sum(line.get("cached_tokens", 0) for line in turns) / max(1, sum(line.get("input_tokens", 0) for line in turns))
    good = collections.Counter(line["status"] for line in turns)[200]
    print(f"| {policy} | {good} of {len(turns)} | {len({line.get('session') for line in turns})} | {ttft['avg']:.0f} | {ttft['p50']:.0f} | "
          f"{ttft['p99']:.0f} | {latency['avg']:.0f} | {report['output_token_throughput']['avg']:.0f} | {100 * cached:.0f} |", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--policies", default="round-robin,session-boost,resident-set")
    parser.add_argument("--conversations", type=int, default=48)
    parser.add_argument("--turns", type=int, default=6)
    parser.add_argument("--concurrency", type=int, default=24)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="turnpike-aiperf-") as name:
        work = pathlib.Path(name)
        byte_tokenizer(work / "tokenizer")
        print("| policy | answered | sessions seen | TTFT mean ms | p50 | p99 | latency mean ms | tok/s | cached % |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|")
        for policy in options.policies.split(","):
            run(policy, options, work)


if __name__ == "__main__":
    main()
