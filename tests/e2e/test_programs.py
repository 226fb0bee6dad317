"""The simulated engine and the load client as programs."""
import json

from wire import Wire, ask, chat, get


def port_of(url):
    return int(url.rsplit(":", 1)[1])


def test_engine_listens_on_one_port_per_replica(engine):
    urls = engine("--replicas", "3", "--model", "m", "--speed", "50")
    assert len(set(urls)) == 3
    for url in urls:
        answer = ask(port_of(url), chat(max_tokens=3))
        assert answer.status == 200 and answer.json["usage"]["completion_tokens"] == 3


def test_engine_reports_cached_tokens(engine):
    (url,) = engine("--model", "m", "--speed", "50")
    prompt = "the same long prompt " * 200
    cold = ask(port_of(url), chat(prompt, max_tokens=2)).json["usage"]
    warm = ask(port_of(url), chat(prompt, max_tokens=2)).json["usage"]
    assert cold["prompt_tokens_details"]["cached_tokens"] == 0
    assert warm["prompt_tokens_details"]["cached_tokens"] > 0.8 * warm["prompt_tokens"]


def test_engine_streams_and_frees_an_aborted_stream(engine):
    from wire import eventually
    (url,) = engine("--model", "m", "--speed", "5")
    port = port_of(url)
    with Wire(port) as wire:
        wire.send(chat(stream=True, max_tokens=100_000)).head()
        wire.event()

    def running():
        text = ask(port, get("/metrics")).body.decode()
        return next(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith("vllm:num_requests_running"))

    eventually(lambda: running() == 0)


def test_load_writes_the_result_file(engine, gateway, command, tmp_path):
    urls = engine("--replicas", "2", "--model", "m", "--profile", "kthena-table", "--speed", "100")
    serve = gateway(urls, "--speed", "100", "--policy", "session-boost")
    path = tmp_path / "result.json"
    status, _, err = command("load", "--target", f"http://127.0.0.1:{serve.port}", "--workload", "kthena-c40", "--sessions", "6",
                             "--concurrency", "3", "--model", "m", "--speed", "100", "--json", path, within=55)
    assert status == 0, err
    result = json.loads(path.read_text())
    assert result["schema"] == 1 and result["command"] == "load"
    run = result["runs"][0]
    assert run["requests"]["submitted"] == 60 and run["requests"]["finished"] == 60
    assert run["cached_tokens"] > 0 and run["ttft_s"]["p50"] > 0


def test_load_against_nobody_fails_with_a_sentence(command):
    status, _, err = command("load", "--target", "http://127.0.0.1:1", "--workload", "kthena-c40", "--sessions", "1", "--speed", "1000")
    assert status == 1 and err
