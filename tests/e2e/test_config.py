"""Configuration errors say where and what was meant; flags win over the environment, which wins over the file."""
import json

import pytest
from wire import chat


def write(tmp_path, text):
    path = tmp_path / "turnpike.yaml"
    path.write_text(text)
    return path


def test_good_file_passes(tmp_path, command):
    path = write(tmp_path, "listen: 127.0.0.1:8080\n")
    status, _, err = command("check", path)
    assert status == 0, err


@pytest.mark.parametrize("text, line, column, words", [
    ("listn: 127.0.0.1:8080\n", 1, 1, ["listn", "listen"]),
    ("listen: 127.0.0.1:8080\nlisten: 127.0.0.1:8081\n", 2, 1, ["listen"]),
    ("# a comment\nlisten: [1, 2]\n", 2, 9, ["listen"]),
    ("listen: 127.0.0.1:99999\n", 1, 9, ["listen"]),
    ("listen: {\n", 2, 1, []),
    ("\tlisten: x\n", 1, 1, []),
])
def test_error_names_line_column_key_and_the_nearest_valid_one(text, line, column, words, tmp_path, command):
    path = write(tmp_path, text)
    status, out, err = command("check", path)
    said = out + err
    assert status == 2
    assert f"{path.name}:{line}" in said, said
    for word in words:
        assert word in said


def test_missing_file_is_wrong_usage(tmp_path, command):
    status, out, err = command("check", tmp_path / "absent.yaml")
    assert status == 2 and "absent.yaml" in out + err


def test_serve_refuses_a_wrong_file_before_it_listens(tmp_path, command):
    status, _, err = command("serve", write(tmp_path, "listn: x\n"), "--backend", "http://127.0.0.1:1")
    assert status == 2 and "ready " not in err and "listn" in err


@pytest.mark.parametrize("arguments", [
    ["serve", "--nonsense"], ["serve", "--backend", "not a url"], ["serve", "--backend", "http://127.0.0.1:99999"],
    ["serve", "--backend", "http://127.0.0.1:1", "--policy", "session-bost"], ["serve", "--backend", "http://127.0.0.1:1", "--listen", "nowhere"],
    ["serve", "--backend", "http://127.0.0.1:1", "--workers", "0"], ["serve", "--backend", "http://127.0.0.1:1", "--access-log", "xml"],
    ["engine", "--profile", "nonsense"], ["load", "--workload", "nonsense"], ["nonsense"], [],
])
def test_wrong_usage_is_status_2(arguments, command):
    status, _, err = command(*arguments)
    assert status == 2 and err


def test_wrong_policy_names_the_nearest(command):
    _, _, err = command("serve", "--backend", "http://127.0.0.1:1", "--policy", "session-bost")
    assert "session-boost" in err


def test_port_in_use_is_status_1(fake, command):
    engine = fake()
    status, _, err = command("serve", "--backend", engine.url, "--listen", f"127.0.0.1:{engine.port}", "--admin", "127.0.0.1:0")
    assert status == 1 and str(engine.port) in err


def test_config_prints_the_effective_values_as_json(tmp_path, command):
    path = write(tmp_path, "listen: 127.0.0.1:7777\n")
    status, out, err = command("config", path, "--format", "json")
    assert status == 0, err
    assert "127.0.0.1:7777" in out
    json.loads(out)


def test_config_shows_the_origin_of_each_value(tmp_path, command):
    status, out, _ = command("config", write(tmp_path, "listen: 127.0.0.1:7777\n"))
    assert status == 0
    line = next(line for line in out.splitlines() if "7777" in line)
    assert "turnpike.yaml" in line


def test_environment_of_the_ancestor_works(fake, gateway):
    """SESSION_BOOST_INFLIGHT_PER_POD limits, ENABLE_SESSION_BOOST selects, SESSION_BOOST_HEADER is honoured."""
    from fake_engine import Gate
    from wire import Wire, chat, eventually
    gate = Gate()
    engine = fake(lambda exchange: (gate.wait(), exchange.send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")))
    serve = gateway([engine], env={"ENABLE_SESSION_BOOST": "true", "SESSION_BOOST_INFLIGHT_PER_POD": "2", "SESSION_BOOST_HEADER": "X-Chat"})
    wires = [Wire(serve.port).send(chat(f"{i}", headers=["X-Chat: one"])) for i in range(5)]
    eventually(lambda: serve.total("queued") == 3)
    gate.open()
    for wire in wires:
        assert wire.answer().status == 200
        wire.close()


def test_misspelt_environment_is_warned_about(fake, gateway):
    serve = gateway([fake()], env={"SESSION_BOOST_HEADR": "X-Chat", "ENABLE_SESSION_BOOST": "true"})
    assert any("SESSION_BOOST_HEADR" in line and "SESSION_BOOST_HEADER" in line for line in serve.stderr)


def test_schema_is_json(command):
    status, out, err = command("config", "--schema")
    assert status == 0, err
    assert json.loads(out)["type"] == "object"


def test_a_backend_without_address_does_not_stop_the_others(fake, gateway):
    serve = gateway([fake(), "http://no-such-host.invalid:8000"], ready=False)
    serve.wait_ready(1)
    assert serve.ask(chat()).status == 200
    lost = serve.endpoints()[1]
    assert (lost["healthy"], lost["dispatchable"]) == (False, False)
    assert "no-such-host.invalid" in lost["trouble"]
    assert any("no-such-host.invalid:8000 is out" in line for line in serve.stderr)


@pytest.mark.parametrize("level, said", [("info", [True, True]), ("warning", [False, True]), ("error", [False, False])])
def test_lines_below_the_level_are_not_said(level, said, fake, gateway):
    serve = gateway([fake(), "http://no-such-host.invalid:8000"], "--log-level", level, ready=False)
    serve.wait_ready(1)
    assert [any(words in line for line in serve.stderr) for words in (" serves ", " is out: ")] == said
