"""Names under which models can be asked for: aliases, canaries, rules by header and path."""
import json

import pytest
from fake_engine import whole
from wire import chat, get, post


def test_an_alias_is_rewritten_on_the_way_in_and_back_on_the_way_out(fake, gateway):
    engine = fake(models=["org/big"])
    serve = gateway([engine], "--access-log", "json", config={"routes": [{"model": "gpt-4o", "to": ["org/big"]}]})
    answer = serve.ask(chat(model="gpt-4o", vendor={"model": "org/big"}))
    assert engine.requests[-1].json["model"] == "org/big" and engine.requests[-1].json["vendor"] == {"model": "org/big"}
    assert answer.json["model"] == "gpt-4o" and answer.complete
    assert serve.access_log()[0]["model"] == "gpt-4o"


@pytest.mark.parametrize("asks_for_usage", [False, True])
def test_an_alias_in_a_stream(fake, gateway, asks_for_usage):
    engine = fake(models=["big"])
    serve = gateway([engine], config={"routes": [{"model": "gpt-4o", "to": ["big"]}]})
    fields = {"stream_options": {"include_usage": True}} if asks_for_usage else {}
    answer = serve.ask(chat(model="gpt-4o", stream=True, **fields))
    events = [json.loads(line[6:]) for line in answer.body.split(b"\n") if line.startswith(b"data: {")]
    assert events and all(event["model"] == "gpt-4o" for event in events)
    assert answer.complete and answer.body.endswith(b"data: [DONE]\n\n")
    assert ("usage" in events[-1]) == asks_for_usage


def test_an_alias_over_http_1_0_ends_with_the_connection(fake, gateway):
    serve = gateway([fake(models=["big"])], config={"routes": [{"model": "a-much-longer-name", "to": ["big"]}]})
    body = json.dumps({"model": "a-much-longer-name", "messages": []}).encode()
    answer = serve.ask(b"POST /v1/chat/completions HTTP/1.0\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    assert answer.get("content-length") is None and answer.json["model"] == "a-much-longer-name"


def test_an_upload_by_alias(fake, gateway):
    engine = fake(lambda exchange: exchange.send(whole({"text": "heard"})), models=["whisper"])
    serve = gateway([engine], config={"routes": [{"model": "listen", "to": ["whisper"]}]})
    body = b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nlisten\r\n--b--\r\n'
    assert serve.ask(post("/v1/audio/transcriptions", body, content_type="multipart/form-data; boundary=b")).status == 200
    assert engine.requests[-1].body == body.replace(b"listen", b"whisper")


def test_a_canary_splits_no_conversation(fake, gateway):
    old, new = fake(models=["old"]), fake(models=["new"])
    serve = gateway([old, new], config={"routes": [{"model": "m", "to": ["old=1", "new=1"]}]})
    went = {}
    for turn in range(3):
        for session in range(16):
            before = len(new.requests)
            assert serve.ask(chat(f"turn {turn}", session=f"s{session}")).json["model"] == "m"
            went.setdefault(session, set()).add(len(new.requests) > before)
    assert all(len(targets) == 1 for targets in went.values())
    assert {True} in went.values() and {False} in went.values()


def test_a_canary_splits_no_conversation_that_has_no_id(fake, gateway):
    old, new = fake(models=["old"]), fake(models=["new"])
    serve = gateway([old, new], config={"routes": [{"model": "m", "to": ["old=1", "new=1"]}]})
    both = set()
    for number in range(16):
        messages, went = [], set()
        for turn in range(3):
            messages.append({"role": "user", "content": f"question {turn} of conversation {number}"})
            before = len(new.requests)
            answer = serve.ask(post("/v1/chat/completions", {"model": "m", "messages": messages}))
            messages.append(answer.json["choices"][0]["message"])
            went.add(len(new.requests) > before)
        assert len(went) == 1
        both |= went
    assert both == {True, False}


def test_rules_look_at_headers_and_paths(fake, gateway):
    engines = {name: fake(models=[name]) for name in ("big", "for-a", "embedder")}
    serve = gateway(list(engines.values()), config={"routes": [
        {"model": "*", "path": "/v1/embeddings", "to": ["embedder"]},
        {"model": "gpt-*", "headers": ["x-team: a"], "to": ["for-a"]},
        {"model": "gpt-*", "to": ["big"]}]})
    serve.ask(post("/v1/embeddings", {"model": "text-embedding-3", "input": "x"}))
    serve.ask(chat(model="gpt-4o", headers=["X-Team: a"]))
    serve.ask(chat(model="gpt-4o"))
    assert [len(engine.requests) for engine in engines.values()] == [1, 1, 1]
    assert serve.ask(chat(model="big")).status == 200, "its own name stays"


def test_aliases_are_listed_and_what_leads_nowhere_is_not(fake, gateway):
    serve = gateway([fake(models=["big"])], config={"routes": [
        {"model": "gpt-4o", "to": ["big"]}, {"model": "lost", "to": ["nowhere"]}, {"model": "gpt-*", "to": ["big"]}]})
    assert [model["id"] for model in serve.ask(get("/v1/models")).json["data"]] == ["big", "gpt-4o"]
    assert serve.ask(get("/v1/models/gpt-4o")).status == 200
    assert serve.ask(chat(model="lost")).status == 404


@pytest.mark.parametrize("route,wrong", [
    ({"model": "a"}, "routes[0]: has no 'to'"), ({"to": ["b"]}, "routes[0]: has no 'model'"),
    ({"model": "a", "to": ["b=x"]}, "routes[0]: 'b=x': the weight must be a number above 0"),
    ({"model": "a", "to": ["b"], "headers": ["team"]}, "routes[0]: 'team' is not 'name: value'")])
def test_a_wrong_route_is_named(command, tmp_path, route, wrong):
    path = tmp_path / "turnpike.yaml"
    path.write_text(json.dumps({"backends": ["http://127.0.0.1:1"], "routes": [route]}))
    status, _, err = command("check", str(path))
    assert status == 2 and wrong in err
