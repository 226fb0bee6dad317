"""Who may use the gateway, and how much: keys, tokens, limits, priority."""
import base64
import hashlib
import hmac
import json
import time

import pytest
from fake_engine import Gate, completion, delta, whole
from wire import Wire, chat, eventually, get

SECRET = b"a secret of at least thirty-two bytes, as HS256 wants"


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(secret=SECRET, **claims):
    signed = base64url(b'{"alg":"HS256","kid":"k"}') + "." + base64url(json.dumps({"exp": time.time() + 300, **claims}).encode())
    return signed + "." + base64url(hmac.new(secret, signed.encode(), hashlib.sha256).digest())


def bearer(key):
    return [f"Authorization: Bearer {key}"]


@pytest.fixture
def keys(tmp_path):
    """A file of keys that a test may rewrite."""
    path = tmp_path / "keys"
    path.write_text(f"ann sk-ann\nbob sha256:{hashlib.sha256(b'sk-bob').hexdigest()}\n")
    return path


def test_strangers_are_sent_away_in_the_shape_of_their_route(fake, gateway, keys):
    engine = fake()
    serve = gateway([engine], config={"tenants": {"required": True, "keys_file": str(keys)}})
    answer = serve.ask(chat())
    assert answer.status == 401 and answer.get("x-turnpike-reason") == "unauthorized"
    assert answer.json["error"]["code"] == "invalid_api_key"
    assert serve.ask(chat(headers=bearer("sk-other"))).json["error"]["message"] == "The API key is not known here."
    assert serve.ask(get("/v1/models")).status == 401
    body = b'{"model":"m","messages":[]}'
    message = b"POST /v1/messages HTTP/1.1\r\nHost: g\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    assert serve.ask(message).json["error"]["type"] == "authentication_error"
    assert not engine.requests


def test_a_key_opens_and_goes_no_further(fake, gateway, keys):
    engine = fake()
    serve = gateway([engine], config={"tenants": {"required": True, "keys_file": str(keys)}})
    for headers in (bearer("sk-ann"), ["x-api-key: sk-bob"]):
        assert serve.ask(chat(headers=headers)).status == 200
        assert engine.requests[-1].get("authorization") is None and engine.requests[-1].get("x-api-key") is None
    assert serve.ask(get("/v1/models", bearer("sk-ann"))).status == 200


def test_a_strangers_body_is_not_read(fake, gateway, keys):
    serve = gateway([fake()], config={"tenants": {"required": True, "keys_file": str(keys)}})
    with Wire(serve.port) as wire:
        wire.send(b"POST /v1/chat/completions HTTP/1.1\r\nHost: g\r\nContent-Length: 60000000\r\n\r\n")
        answer = wire.answer()
        assert answer.status == 401 and answer.get("connection") == "close"
        assert wire.is_closed()


def test_tokens_are_verified(fake, gateway, tmp_path):
    (tmp_path / "jwks").write_text(json.dumps({"keys": [{"kty": "oct", "kid": "k", "k": base64url(SECRET)}]}))
    serve = gateway([fake()], config={"tenants": {"required": True, "jwt": {"keys_file": str(tmp_path / "jwks"), "issuer": "us"}}})
    assert serve.ask(chat(headers=bearer(token(sub="ann", iss="us")))).status == 200
    for wrong, why in ((token(sub="ann", iss="them"), "The token is by another issuer."),
                       (token(b"x" * 40, sub="ann", iss="us"), "The token's signature is not by a key that is known here."),
                       (token(sub="ann", iss="us", exp=1), "The token has expired."),
                       (token(iss="us"), "The token's claim 'sub' names nobody.")):
        answer = serve.ask(chat(headers=bearer(wrong)))
        assert (answer.status, answer.json["error"]["message"]) == (401, why)


def test_requests_a_minute(fake, gateway):
    serve = gateway([fake()], config={"tenants": {"list": [{"name": "ann", "keys": ["sk-ann"], "requests_per_minute": 2}]}})
    first = serve.ask(chat(headers=bearer("sk-ann")))
    assert [first.get(f"x-ratelimit-{what}-requests") for what in ("limit", "remaining", "reset")] == ["2", "1", "30s"]
    assert serve.ask(chat(headers=bearer("sk-ann"))).status == 200
    refused = serve.ask(chat(headers=bearer("sk-ann")))
    assert refused.status == 429 and refused.get("x-turnpike-reason") == "rate-limit"
    assert refused.json["error"]["message"] == "Your limit of requests per minute for the model 'm' is used up."
    assert 20 <= int(refused.get("retry-after")) <= 40 and refused.get("x-ratelimit-remaining-requests") == "0"
    assert serve.ask(chat()).status == 200, "others have no such limit"


def test_tokens_a_minute_go_by_what_the_engine_says(fake, gateway):
    engine = fake(lambda exchange: exchange.send(whole(completion(prompt_tokens=900))))
    serve = gateway([engine], config={"tenants": {"other": {"input_tokens_per_minute": 1000, "output_tokens_per_minute": 600}}})
    assert serve.ask(chat("x")).status == 200
    answer = serve.ask(chat("x"))
    assert answer.get("x-ratelimit-remaining-input-tokens") in ("90", "91", "92", "93", "94", "95"), answer.fields
    assert serve.ask(chat("x")).status == 429


def test_requests_on_their_way(fake, gateway):
    gate = Gate()

    def script(exchange):
        gate.wait()
        exchange.send(whole(completion()))

    engine = fake(script)
    serve = gateway([engine], config={"tenants": {"list": [{"name": "ann", "keys": ["sk-ann"], "max_in_flight": 1}]}})
    with Wire(serve.port) as one:
        one.send(chat(headers=bearer("sk-ann")))
        eventually(lambda: gate.held == 1)
        refused = serve.ask(chat(headers=bearer("sk-ann")))
        assert refused.status == 429 and refused.get("x-turnpike-reason") == "tenant-in-flight"
        gate.open()
        assert one.answer().status == 200
    eventually(lambda: serve.ask(chat(headers=bearer("sk-ann"))).status == 200)


def test_a_place_on_the_way_comes_back_when_the_client_leaves(fake, gateway):
    def script(exchange):
        exchange.start_stream(delta(content="x"))
        exchange.wait_closed()

    serve = gateway([fake(script)], config={"tenants": {"other": {"max_in_flight": 1}}})
    for _ in range(3):
        with Wire(serve.port) as wire:
            wire.send(chat(stream=True))
            assert wire.head().status == 200
            wire.event()
            wire.reset()
        eventually(lambda: serve.is_idle())


def test_classes_are_clamped_and_only_for_those_who_are_known(fake, gateway):
    """One slot; what waits goes by class."""
    order, gate = [], Gate()

    def script(exchange):
        gate.wait()
        order.append(exchange.request.prompt)
        exchange.send(whole(completion()))

    serve = gateway([fake(script)], config={
        "policy": "fcfs", "expert": {"priority_classes": True, "admission": {"limit": 1}},
        "tenants": {"list": [{"name": "ann", "keys": ["sk-ann"], "max_class": "interactive"}, {"name": "bob", "keys": ["sk-bob"]}]}})
    requests = [("first", bearer("sk-bob")), ("batch", [*bearer("sk-bob"), "x-turnpike-priority: batch"]),
                ("clamped", [*bearer("sk-bob"), "x-turnpike-priority: interactive"]),
                ("stranger", ["x-turnpike-priority: interactive"]),
                ("urgent", [*bearer("sk-ann"), "x-turnpike-priority: interactive"])]
    wires = []
    for number, (prompt, headers) in enumerate(requests):
        wires.append(Wire(serve.port).send(chat(prompt, headers=headers)))
        eventually(lambda n=number: serve.total("queued") + serve.total("in_flight") == n + 1)
    gate.open()
    for wire in wires:
        assert wire.answer().status == 200
        wire.close()
    assert order == ["first", "urgent", "clamped", "stranger", "batch"]


@pytest.mark.parametrize("config,wrong", [
    ({"tenants": {"required": True}}, "tenants.required: there is no key, token or header"),
    ({"tenants": {"keys_file": "/nowhere"}}, "tenants.keys_file: "),
    ({"tenants": {"list": [{"name": "a"}, {"name": "a"}]}}, "tenants.list: the tenant 'a' is there twice"),
    ({"tenants": {"list": [{"name": "a", "keys": ["k"]}, {"name": "b", "keys": ["k"]}]}}, "a key of 'b' is there twice"),
    ({"tenants": {"list": [{"keys": ["k"]}]}}, "tenants.list[0]: has no 'name'"),
    ({"tenants": {"list": [{"name": "a", "wait": 1}]}}, "tenants.list[0].wait: unknown key"),
    ({"tenants": {"list": ["a"]}}, "tenants.list[0]: must be a mapping, not a single value")])
def test_what_is_wrong_is_named(command, tmp_path, config, wrong):
    path = tmp_path / "turnpike.yaml"
    path.write_text(json.dumps({"backends": ["http://127.0.0.1:1"], **config}))
    status, _, err = command("check", str(path))
    assert status == 2 and wrong in err
