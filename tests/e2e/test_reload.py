"""A running gateway reads its configuration again: what changed is in force, what runs is not touched."""
import json
import signal

import pytest
from fake_engine import delta
from wire import Wire, chat, eventually, post


@pytest.fixture
def file(tmp_path):
    """A configuration file; call it to write it."""
    path = tmp_path / "turnpike.yaml"

    def write(**config):
        new = path.with_suffix(".new")  # complete before it is seen
        new.write_text(json.dumps(config) if "text" not in config else config["text"])
        new.rename(path)
        return str(path)

    return write


def reload(serve):
    return serve.admin("/api/reload", b"{}")


def test_backends_are_exchanged_while_a_stream_runs(fake, gateway, file):
    turns = []

    def script(exchange):
        exchange.start_stream(delta(content="one"))
        eventually(lambda: turns)
        exchange.event(delta(content="two"))
        exchange.end_stream()

    one, two = fake(script), fake()
    serve = gateway([], file(backends=[one.url]), ready=False)
    serve.wait_ready()
    with Wire(serve.port) as wire:
        wire.send(chat(stream=True, session="s"))
        assert wire.head().status == 200
        assert wire.event()["choices"][0]["delta"]["content"] == "one"
        file(backends=[two.url])
        answer = reload(serve)
        assert (answer.status, answer.json["changed"], answer.json["needs_restart"]) == (200, ["backends"], [])
        eventually(lambda: [e["url"] for e in serve.endpoints() if e["dispatchable"]] == [two.url])
        assert serve.ask(chat(session="s")).status == 200 and len(two.requests) == 1
        turns.append("go on")
        assert wire.event()["choices"][0]["delta"]["content"] == "two"
        assert wire.event() == "[DONE]"
    eventually(serve.is_idle)
    assert len(one.requests) == 1


def test_a_policy_is_exchanged_with_what_waits(fake, gateway, file):
    def script(exchange):
        eventually(lambda: released)
        exchange.start_stream(delta(content="x"))
        exchange.end_stream()

    released = []
    engine = fake(script)
    serve = gateway([], file(backends=[engine.url], policy="fcfs", expert={"admission": {"limit": 1}}), ready=False)
    serve.wait_ready()
    wires = [Wire(serve.port).send(chat(stream=True)) for _ in range(3)]
    eventually(lambda: serve.total("queued") == 2)
    file(backends=[engine.url], policy="session-boost", expert={"admission": {"limit": 3}})
    answer = reload(serve).json
    assert answer["taken"] and {"policy", "expert.admission.limit"} <= set(answer["changed"])
    eventually(lambda: serve.total("in_flight") == 3)
    released.append(True)
    for wire in wires:
        assert wire.answer().status == 200
        wire.close()
    eventually(serve.is_idle)


def test_a_bad_file_leaves_the_old_one_in_force(fake, gateway, file):
    engine = fake()
    serve = gateway([], file(backends=[engine.url]), ready=False)
    serve.wait_ready()
    path = file(text="backends: [\nlistn: 1")
    answer = reload(serve)
    assert answer.status == 422 and not answer.json["taken"] and path in answer.json["errors"][0]
    file(backends=[engine.url], timeouts={"conect": "1s"})
    assert "did you mean 'connect'" in reload(serve).json["errors"][0]
    file(backends=[engine.url], tenants={"keys_file": "/nowhere"})
    assert "tenants.keys_file" in reload(serve).json["errors"][0]
    assert serve.ask(chat()).status == 200


def test_what_needs_a_restart_is_listed(fake, gateway, file):
    engine = fake()
    serve = gateway([], file(backends=[engine.url]), ready=False)
    serve.wait_ready()
    file(backends=[engine.url], limits={"body": "1MiB"}, timeouts={"queue": "7s"})
    answer = reload(serve).json
    assert answer["changed"] == ["timeouts.queue"] and answer["needs_restart"] == ["limits.body"]


def test_sighup_reads_the_keys_again(fake, gateway, file, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("ann sk-old\n")
    engine = fake()
    serve = gateway([], file(backends=[engine.url], tenants={"required": True, "keys_file": str(keys)}), ready=False)
    serve.wait_ready()
    assert serve.ask(chat(headers=["x-api-key: sk-new"])).status == 401
    keys.write_text("ann sk-new\n")
    serve.signal(signal.SIGHUP)
    eventually(lambda: serve.ask(chat(headers=["x-api-key: sk-new"])).status == 200)
    assert serve.ask(chat(headers=["x-api-key: sk-old"])).status == 401


def test_a_changed_file_is_noticed(fake, gateway, file):
    one, two = fake(), fake()
    serve = gateway([], file(backends=[one.url]), ready=False)
    serve.wait_ready()
    file(backends=[one.url, two.url])
    eventually(lambda: sum(e["dispatchable"] for e in serve.endpoints()) == 2)


def test_an_endpoint_comes_and_goes_many_times(fake, gateway):
    one, two = fake(), fake()
    serve = gateway([one])
    for _ in range(20):
        assert serve.admin("/api/endpoints", {"url": two.url, "action": "add"}).status == 200
        assert serve.admin("/api/endpoints", {"url": two.url, "action": "add"}).status == 409
        assert serve.admin("/api/endpoints", {"url": two.url, "action": "remove"}).status == 200
        assert serve.ask(chat()).status == 200
    assert [e["url"] for e in serve.endpoints()] == [one.url]
    eventually(serve.is_idle)


@pytest.mark.parametrize("body,status", [
    (b"{", 400), ({"url": 3, "action": "add"}, 400), ({"url": "http://a:1", "action": "explode"}, 400),
    ({"url": "nonsense", "action": "add"}, 400), ({"url": "http://127.0.0.1:1", "action": "drain"}, 404)])
def test_a_wrong_change_is_refused(fake, gateway, body, status):
    serve = gateway([fake()])
    answer = serve.admin("/api/endpoints", body)
    assert answer.status == status and answer.json["error"]
    assert len(serve.endpoints()) == 1
