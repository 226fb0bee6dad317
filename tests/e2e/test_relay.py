"""What goes through unchanged, and the few things that do not."""
import json

from fake_engine import LAST_CHUNK, STREAM_HEAD, chunk, completion, delta, sse, usage_event, whole
from wire import Wire, ask, chat, get, post

TOOL_CALL = {"id": "call_1", "type": "function", "function": {"name": "look_up", "arguments": '{"city":"Z\\u00fcrich"}'}}


def test_body_reaches_the_engine_byte_for_byte(fake, gateway):
    engine = fake()
    body = (b'{ "model":"m",  "messages":[{"role":"user","content":"caf\\u00e9 \xc3\xa9"}],"vendor":{"x":[1,2.50,null]},'
            b'\n\t"tools":[{"type":"function","function":{"name":"f","parameters":{}}}], "seed": 18446744073709551615 }')
    assert gateway([engine]).ask(post("/v1/chat/completions", body)).status == 200
    assert engine.requests[-1].body == body


def test_answer_reaches_the_client_byte_for_byte(fake, gateway):
    body = json.dumps(completion(), indent=3).encode() + b"\n \n"
    engine = fake(lambda exchange: exchange.send(whole(body, headers=["x-engine-says: this", "openai-processing-ms: 7"])))
    answer = gateway([engine]).ask(chat())
    assert answer.body == body
    assert answer.get("x-engine-says") == "this" and answer.get("openai-processing-ms") == "7"
    assert answer.get("content-type") == "application/json"


def test_tool_calls_pass_both_ways(fake, gateway):
    engine = fake(lambda exchange: exchange.send(whole(completion(text=None, tool_calls=[TOOL_CALL]))))
    serve = gateway([engine])
    tools = [{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}]
    answer = serve.ask(chat(tools=tools, tool_choice="auto"))
    assert answer.json["choices"][0]["message"]["tool_calls"] == [TOOL_CALL]
    assert engine.requests[-1].json["tools"] == tools


def test_headers_of_the_client_pass_and_hop_by_hop_ones_do_not(fake, gateway):
    engine = fake()
    serve = gateway([engine])
    serve.ask(chat(headers=["Authorization: Bearer sk-1", "anthropic-beta: tools-1", "X-Custom: a, b", "Connection: keep-alive, x-private",
                            "X-Private: secret", "TE: trailers", "Keep-Alive: timeout=5", "Proxy-Connection: keep-alive"]))
    request = engine.requests[-1]
    assert request.get("authorization") == "Bearer sk-1"
    assert request.get("anthropic-beta") == "tools-1"
    assert request.get("x-custom") == "a, b"
    for hop in ("x-private", "te", "keep-alive", "proxy-connection", "upgrade"):
        assert request.get(hop) is None, hop
    assert len(request.all("host")) == 1
    assert len(request.all("content-length")) == 1


def test_query_string_passes(fake, gateway):
    engine = fake()
    gateway([engine]).ask(post("/v1/chat/completions?api-version=2024&x=%2F", {"model": "m", "messages": []}))
    assert engine.requests[-1].path == "/v1/chat/completions?api-version=2024&x=%2F"


def test_other_openai_routes_pass(fake, gateway):
    engine = fake(lambda exchange: exchange.send(whole({"path": exchange.request.path})))
    serve = gateway([engine])
    for path in ("/v1/completions", "/v1/embeddings", "/v1/responses", "/v1/rerank", "/v1/score", "/v1/classify", "/v1/pooling"):
        answer = serve.ask(post(path, {"model": "m", "input": "x", "prompt": "x"}))
        assert (answer.status, answer.json) == (200, {"path": path})


def test_prompt_as_a_list_is_served(fake, gateway):
    """The ancestor answers "not found"."""
    engine = fake(lambda exchange: exchange.send(whole({"object": "text_completion", "choices": []})))
    serve = gateway([engine])
    for prompt in (["one", "two"], [1, 2, 3, 4], [[1, 2], [3]]):
        assert serve.ask(post("/v1/completions", {"model": "m", "prompt": prompt})).status == 200
        assert engine.requests[-1].json["prompt"] == prompt


def test_stream_is_relayed_as_it_arrives(fake, gateway):
    """Each event is there before the engine sends the next."""
    def script(exchange):
        exchange.start_stream(delta(role="assistant", content=""))
        for word in ("one", "two", "three"):
            exchange.event(delta(content=word))
            turns.wait_for(word)
        exchange.end_stream()

    turns = Turns()
    with Wire(gateway([fake(script)]).port) as wire:
        wire.send(chat(stream=True))
        assert wire.head().status == 200
        wire.event()
        for word in ("one", "two", "three"):
            assert wire.event()["choices"][0]["delta"]["content"] == word
            turns.seen(word)
        assert wire.event() == "[DONE]"


class Turns:
    """Words that the client has seen, for a script that waits for it."""

    def __init__(self):
        import threading
        self._changed = threading.Condition()
        self._words = set()

    def seen(self, word):
        with self._changed:
            self._words.add(word)
            self._changed.notify_all()

    def wait_for(self, word):
        with self._changed:
            assert self._changed.wait_for(lambda: word in self._words, 10)


def test_usage_is_hidden_from_a_client_that_did_not_ask(fake, gateway):
    engine = fake()
    answer = gateway([engine]).ask(chat(stream=True))
    assert answer.events[-1] == "[DONE]"
    assert answer.text == "Hello there"
    assert all(event.get("usage") is None and event["choices"] for event in answer.events[:-1])


def test_usage_reaches_a_client_that_asked(fake, gateway):
    engine = fake()
    answer = gateway([engine]).ask(chat(stream=True, stream_options={"include_usage": True}))
    usage = [event["usage"] for event in answer.events[:-1] if event.get("usage")]
    assert len(usage) == 1 and usage[0]["prompt_tokens"] == 10
    assert engine.requests[-1].json["stream_options"] == {"include_usage": True}


def test_usage_asked_for_leaves_other_stream_options_alone(fake, gateway):
    engine = fake()
    gateway([engine]).ask(chat(stream=True, stream_options={"continuous_usage_stats": False, "x": 1}))
    sent = engine.requests[-1].json["stream_options"]
    assert sent["x"] == 1 and sent["continuous_usage_stats"] is False


def test_usage_split_between_reads_is_still_hidden(fake, gateway):
    """The extra chunk comes one byte at a time, within one HTTP chunk and across several."""
    def script(exchange):
        stream = sse(delta(content="Hi")) + sse(delta(finish="stop")) + sse(usage_event()) + sse(b"[DONE]")
        exchange.send(STREAM_HEAD)
        for i in range(len(stream)):
            exchange.send(chunk(stream[i:i + 1]))
        exchange.send(LAST_CHUNK)

    answer = gateway([fake(script)]).ask(chat(stream=True))
    assert answer.text == "Hi"
    assert answer.events[-1] == "[DONE]"
    assert all(event.get("usage") is None for event in answer.events[:-1])


def test_cached_tokens_are_counted(fake, gateway):
    def script(exchange):
        exchange.send(whole(completion(prompt_tokens=100, cached=64)))

    serve = gateway([fake(script)], "--access-log", "json")
    assert serve.ask(chat()).status == 200
    line = serve.access_log()[0]
    assert 100 in line.values() and 64 in line.values(), line


def test_chunked_request_reaches_the_engine_whole(fake, gateway):
    engine = fake()
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "in pieces"}]}).encode()
    with Wire(gateway([engine]).port) as wire:
        wire.send(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        for i in range(0, len(body), 7):
            wire.send(chunk(body[i:i + 7]))
        assert wire.send(LAST_CHUNK).answer().status == 200
    assert engine.requests[-1].body == body


def test_chunk_extensions_and_trailers_are_consumed_and_dropped(fake, gateway):
    engine = fake()
    body = json.dumps({"model": "m", "messages": []}).encode()
    with Wire(gateway([engine]).port) as wire:
        wire.send(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                  + b'%x;name="a b"\r\n%s\r\n0\r\nX-Trailer: 1\r\n\r\n' % (len(body), body))
        assert wire.answer().status == 200
        # The connection is where it should be: the next request on it is understood.
        assert wire.send(chat()).answer().status == 200
    assert engine.requests[0].body == body and engine.requests[0].get("x-trailer") is None


def test_expect_100_continue(fake, gateway):
    engine = fake()
    body = json.dumps({"model": "m", "messages": []}).encode()
    with Wire(gateway([engine]).port) as wire:
        wire.send(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body))
        assert wire.head().status == 100
        assert wire.send(body).answer().status == 200
    assert engine.requests[-1].body == body


def test_interim_answers_of_the_engine_are_not_mistaken_for_the_answer(fake, gateway):
    def script(exchange):
        exchange.send(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" + whole(completion("late")))

    answer = gateway([fake(script)]).ask(chat())
    assert (answer.status, answer.text) == (200, "late")


def test_answer_without_length_ends_with_the_connection(fake, gateway):
    def script(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n" + json.dumps(completion()).encode())
        exchange.close()

    answer = gateway([fake(script)]).ask(chat())
    assert answer.status == 200 and answer.text == "Hello there" and answer.complete


def test_keep_alive_serves_many_requests_on_one_connection(fake, gateway):
    engine = fake()
    with Wire(gateway([engine]).port) as wire:
        for i in range(20):
            assert wire.send(chat(f"number {i}")).answer().status == 200
    assert [request.prompt for request in engine.requests] == [f"number {i}" for i in range(20)]
    assert engine.connections < 10  # the engine's connection was used again (the others are probes)


def test_pipelined_requests_are_answered_in_order(fake, gateway):
    engine = fake(lambda exchange: exchange.send(whole(completion(exchange.request.prompt))))
    with Wire(gateway([engine]).port) as wire:
        wire.send(b"".join(chat(f"number {i}") for i in range(5)))
        assert [wire.answer().text for _ in range(5)] == [f"number {i}" for i in range(5)]


def test_connection_close_is_honoured(fake, gateway):
    with Wire(gateway([fake()]).port) as wire:
        answer = wire.send(chat(headers=["Connection: close"])).answer()
        assert answer.status == 200
        assert wire.is_closed()


def test_http_1_0_client_is_answered_and_closed(fake, gateway):
    body = b'{"model":"m","messages":[]}'
    with Wire(gateway([fake()]).port) as wire:
        wire.send(b"POST /v1/chat/completions HTTP/1.0\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        answer = wire.answer()
        assert answer.status == 200 and answer.get("transfer-encoding") is None
        assert wire.is_closed()


def test_models_are_the_union_of_all_engines(fake, gateway):
    serve = gateway([fake(models=["a", "b"]), fake(models=["b", "c"])])
    answer = serve.ask(get("/v1/models"))
    assert sorted(model["id"] for model in answer.json["data"]) == ["a", "b", "c"]
    assert answer.json["object"] == "list"
    assert serve.ask(get("/v1/models/b")).json["id"] == "b"
    assert serve.ask(get("/v1/models/nope")).status == 404


def test_each_model_goes_to_an_engine_that_serves_it(fake, gateway):
    left, right = fake(models=["a"]), fake(models=["b"])
    serve = gateway([left, right])
    for model in "abab":
        assert serve.ask(chat(model=model)).status == 200
    assert [request.json["model"] for request in left.requests] == ["a", "a"]
    assert [request.json["model"] for request in right.requests] == ["b", "b"]


def test_large_bodies_pass_whole_in_both_directions(fake, gateway):
    text = "0123456789abcdef" * 65536 * 4  # 4 MiB
    engine = fake(lambda exchange: exchange.send(whole(completion(text))))
    answer = gateway([engine]).ask(chat(text), timeout=30)
    assert answer.text == text
    assert engine.requests[-1].prompt == text


def test_one_prompt_is_not_copied_to_every_engine(fake, gateway):
    """A peer sends each prompt to every engine to have it tokenised."""
    engines = [fake(), fake(), fake()]
    serve = gateway(engines)
    for i in range(12):
        assert serve.ask(chat(f"prompt {i}")).status == 200
    assert sorted(request.prompt for engine in engines for request in engine.requests) == sorted(f"prompt {i}" for i in range(12))


def test_response_headers_explain_the_decision(fake, gateway):
    serve = gateway([fake()])
    answer = serve.ask(chat(session="s", headers=["X-Request-ID: mine-1"]))
    assert answer.get("x-request-id") == "mine-1"
    assert "127.0.0.1" not in (answer.get("x-turnpike-endpoint") or "127.0.0.1") or ":" in answer.get("x-turnpike-endpoint")
    assert int(answer.get("x-turnpike-queue-ms")) >= 0
    assert answer.get("x-turnpike-decision") in ("resident", "boosted", "cold", "bypass", "seat", "deadline")
    made = serve.ask(chat()).get("x-request-id")
    assert made and made != serve.ask(chat()).get("x-request-id")


def test_control_headers_of_the_client_are_dropped(fake, gateway):
    engine = fake()
    answer = gateway([engine]).ask(chat(headers=["x-turnpike-decision: seat", "x-turnpike-endpoint: evil", "x-turnpike-queue-ms: -1"]))
    assert answer.all("x-turnpike-endpoint") != ["evil"] and len(answer.all("x-turnpike-decision")) == 1
    assert engine.requests[-1].get("x-turnpike-endpoint") is None


def test_head_of_a_request_may_come_in_single_bytes(fake, gateway):
    with Wire(gateway([fake()]).port) as wire:
        for byte in chat():
            wire.send(bytes([byte]))
        assert wire.answer().status == 200


def test_two_sessions_at_once_do_not_mix(fake, gateway):
    engine = fake(lambda exchange: exchange.send(whole(completion(exchange.request.prompt))))
    serve = gateway([engine])
    with Wire(serve.port) as one, Wire(serve.port) as two:
        one.send(chat("one", session="1"))
        two.send(chat("two", session="2"))
        assert two.answer().text == "two"
        assert one.answer().text == "one"
    assert ask(serve.port, chat("three")).text == "three"
