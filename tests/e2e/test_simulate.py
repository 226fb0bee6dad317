"""The simulator as a program: what it prints, writes and refuses; its report in a real browser; the profile fit."""
import gzip
import json
import pathlib
import random
import shutil
import struct
import subprocess
import sys
import zlib

import pytest

from processes import TURNPIKE

ROOT = pathlib.Path(__file__).resolve().parents[2]
QUICK = ["--workload", "agents-closed", "--policy", "resident-set,round-robin", "--duration", "20"]


def simulate(*arguments, cwd=None):
    return subprocess.run([TURNPIKE, "simulate", *map(str, arguments)], capture_output=True, text=True, timeout=50, cwd=cwd)


def test_the_same_seed_gives_the_same_figures_on_any_number_of_threads(tmp_path):
    files = []
    for threads in ("1", "2"):
        out = tmp_path / f"{threads}.json"
        done = simulate(*QUICK, "--seeds", "2", "--threads", threads, "--json", out)
        assert done.returncode == 0, done.stderr
        assert done.stderr == "", "quiet in a pipe"
        files.append(json.loads(out.read_text()))
    one, two = files
    assert one["runs"] == two["runs"] and one["by_seed"] == two["by_seed"]
    assert [run["policy"] for run in one["runs"]] == ["resident-set", "round-robin"]
    assert len(one["by_seed"]) == 4
    least, most = one["runs"][0]["ranges"]["output_tokens_per_s"]
    assert least <= one["runs"][0]["output_tokens_per_s"] <= most


def test_compare_says_what_changed_and_is_no_failure(tmp_path):
    old = tmp_path / "old.json"
    assert simulate(*QUICK, "--json", old).returncode == 0
    same = simulate(*QUICK, "--compare", old)
    assert same.returncode == 0 and same.stdout.count("nothing has changed") == 2
    slower = simulate(*QUICK, "--compare", old, "--max-num-seqs", "4")
    assert slower.returncode == 0 and "output tokens per second" in slower.stdout and "worse" in slower.stdout


def test_what_cannot_be_used_is_named(tmp_path):
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"turns":[{"append":5,"output":1}]}\n{"turns":[{"append":5}]}\n')
    done = simulate("--trace", bad)
    assert done.returncode == 2
    assert f"{bad}: line 2: turns[0].output: is missing" in done.stderr
    assert simulate("--trace", tmp_path / "absent").returncode == 2
    assert simulate("--workload", "no-such").returncode == 2
    (tmp_path / "not.json").write_text("[]")
    assert simulate(*QUICK, "--compare", tmp_path / "not.json").returncode == 2


def test_a_trace_is_played_and_an_absent_one_left_out(tmp_path):
    trace = tmp_path / "conversation.jsonl.gz"
    with gzip.open(trace, "wt") as file:
        for number in range(50):
            file.write(json.dumps({"timestamp": number * 100, "input_length": 1100, "output_length": 20, "hash_ids": [0, number + 1, number + 99]}) + "\n")
    out = tmp_path / "out.json"
    done = simulate("--trace", trace, "--policy", "resident-set", "--json", out)
    assert done.returncode == 0, done.stderr
    (run,) = json.loads(out.read_text())["runs"]
    assert run["requests"]["finished"] == 50 and run["prompt_tokens"] == 55_000 and run["output_tokens"] == 1000
    left_out = simulate("--workload", "kthena-c40,mooncake", "--sessions", "3")
    assert left_out.returncode == 0 and "mooncake is left out: it needs --trace-dir" in left_out.stderr


def png_pixels(data):
    """Rows of an 8-bit RGB or RGBA picture, without its filters undone: enough to see whether it is blank."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, packed = 8, b""
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        if kind == b"IDAT":
            packed += data[at + 8:at + 8 + length]
        at += 12 + length
    return zlib.decompress(packed)


def test_the_report_draws_itself_in_a_browser_without_a_network(tmp_path):
    browser = shutil.which("chromium")
    if browser is None:
        pytest.skip("chromium is not installed")
    page = tmp_path / "report.html"
    assert simulate(*QUICK[:-1], "120", "--html", page).returncode == 0
    chromium = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={tmp_path / 'profile'}",
                "--proxy-server=127.0.0.1:9", "--window-size=1300,1100"]
    dom = subprocess.run([*chromium, "--dump-dom", f"file://{page}"], capture_output=True, text=True, timeout=50).stdout
    assert 'data-drawn="6"' in dom, "five plots and the tenants"
    drawn = dom[dom.index("<main>"):dom.index("</main>")]
    assert drawn.count("<path") == 10 and "NaN" not in drawn and "undefined" not in drawn
    picture = tmp_path / "report.png"
    subprocess.run([*chromium, f"--screenshot={picture}", f"file://{page}"], capture_output=True, timeout=50, check=True)
    assert len(set(png_pixels(picture.read_bytes()))) > 100, "not blank"


def test_fit_profile_finds_the_profile_that_made_the_steps(tmp_path):
    chance = random.Random(1)
    lines = ["tokens,context,pairs,milliseconds"]
    for _ in range(300):
        decoding, chunk, start = chance.randrange(1, 48), chance.choice([0, 0, 256, 1024, 2000]), chance.randrange(0, 20_000)
        context = sum(chance.randrange(500, 20_000) for _ in range(decoding))
        pairs, tokens = chunk * (start + chunk / 2), decoding + chunk
        lines.append(f"{tokens},{context},{pairs},{1.5 + max(6.1, 0.0217 * tokens) + 5e-5 * context + 1.3e-6 * pairs}")
    steps = tmp_path / "steps.csv"
    steps.write_text("\n".join(lines))
    done = subprocess.run([sys.executable, ROOT / "scripts" / "fit_profile.py", steps], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = [float(cell) for cell in done.stdout.strip(" |\n").split("|")[1:]]
    for value, expected in zip(found, (1.5, 6.1, 0.0217, 5e-5, 1.3e-6)):
        assert abs(value - expected) < 0.1 * expected, done.stdout
    steps.write_text("tokens,context,milliseconds\n1,x,2\n")
    wrong = subprocess.run([sys.executable, ROOT / "scripts" / "fit_profile.py", steps], capture_output=True, text=True)
    assert wrong.returncode != 0 and f"{steps}:2: context: must be a number" in wrong.stderr
