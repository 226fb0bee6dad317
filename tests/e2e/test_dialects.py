"""Every route's own shapes: what an answer says of its tokens, how an error looks, uploads."""
import gzip
import json

import pytest
from fake_engine import LAST_CHUNK, STREAM_HEAD, chunk, delta, sse, usage_event, whole
from wire import chat, post

RESPONSE_USAGE = {"input_tokens": 904, "input_tokens_details": {"cached_tokens": 896}, "output_tokens": 6, "total_tokens": 910}
MESSAGE_USAGE = {"input_tokens": 8, "cache_read_input_tokens": 896, "cache_creation_input_tokens": 0, "output_tokens": 6}
WHOLE = {
    "/v1/chat/completions": {"choices": [], "usage": {"prompt_tokens": 904, "completion_tokens": 6, "total_tokens": 910,
                                                      "prompt_tokens_details": {"cached_tokens": 896}}},
    "/v1/completions": {"choices": [], "usage": {"prompt_tokens": 904, "completion_tokens": 6, "total_tokens": 910,
                                                 "prompt_tokens_details": {"cached_tokens": 896}}},
    "/v1/responses": {"id": "resp_1", "object": "response", "output": [], "usage": RESPONSE_USAGE},
    "/v1/messages": {"type": "message", "content": [], "usage": MESSAGE_USAGE},
    "/v1/embeddings": {"object": "list", "data": [], "usage": {"prompt_tokens": 904, "total_tokens": 904}},
    "/v1/rerank": {"usage": {"total_tokens": 904}, "results": []},
    "/v1/score": {"data": [], "usage": {"prompt_tokens": 904, "total_tokens": 904, "completion_tokens": 0}},
    "/generate": {"text": "x", "meta_info": {"prompt_tokens": 904, "completion_tokens": 6, "cached_tokens": 896}},
    "/completion": {"content": "x", "timings": {"cache_n": 896, "prompt_n": 8, "predicted_n": 6}},
}
STREAMS = {
    "/v1/responses": [{"type": "response.created", "response": {"id": "resp_1", "usage": None}},
                      {"type": "response.output_text.delta", "delta": "x"},
                      {"type": "response.completed", "response": {"id": "resp_1", "output": [], "usage": RESPONSE_USAGE}}],
    "/v1/messages": [{"type": "message_start", "message": {"usage": {**MESSAGE_USAGE, "output_tokens": 0}}},
                     {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "x"}},
                     {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 6}},
                     {"type": "message_stop"}],
    "/generate": [{"text": "x", "meta_info": {"prompt_tokens": 904, "completion_tokens": 6, "cached_tokens": 896}}],
}


def tokens_of(line):
    return [line.get(name) for name in ("input_tokens", "cached_tokens", "output_tokens")]


@pytest.mark.parametrize("path", WHOLE)
def test_usage_of_a_whole_answer_is_read_in_passing(fake, gateway, path):
    serve = gateway([fake(lambda exchange: exchange.send(whole(WHOLE[path])))], "--access-log", "json")
    answer = serve.ask(post(path, {"model": "m", "input": "x", "prompt": "x", "messages": []}))
    assert (answer.status, answer.json) == (200, WHOLE[path])
    said = tokens_of(serve.access_log()[0])
    assert said[0] == 904 and said[1] in (896, None) and said[2] in (6, 0, None), said
    if path not in ("/v1/embeddings", "/v1/rerank", "/v1/score"):
        assert said == [904, 896, 6]


@pytest.mark.parametrize("path", STREAMS)
def test_usage_of_a_stream_is_read_in_passing(fake, gateway, path):
    def script(exchange):
        exchange.start_stream(*STREAMS[path])
        exchange.send(LAST_CHUNK)

    serve = gateway([fake(script)], "--access-log", "json")
    answer = serve.ask(post(path, {"model": "m", "input": "x", "messages": [], "stream": True}))
    assert answer.body == b"".join(sse(event) for event in STREAMS[path])
    assert tokens_of(serve.access_log()[0]) == [904, 896, 6]


@pytest.mark.parametrize("path,shape", [
    ("/v1/chat/completions", lambda e: e["error"]["code"] == "model_not_found"),
    ("/v1/responses", lambda e: e["error"]["code"] == "model_not_found"),
    ("/v1/messages", lambda e: e["type"] == "error" and e["error"]["type"] == "not_found_error")])
def test_an_error_before_the_answer_has_the_shape_of_its_route(fake, gateway, path, shape):
    answer = gateway([fake()]).ask(post(path, {"model": "other", "input": "x", "messages": []}))
    assert answer.status == 404 and shape(answer.json), answer.json


@pytest.mark.parametrize("path,first,shape", [
    ("/v1/chat/completions", delta(content="x"), lambda e: e["error"]["code"] == "upstream_died"),
    ("/v1/responses", STREAMS["/v1/responses"][1], lambda e: e["type"] == "error" and e["code"] == "upstream_died"),
    ("/v1/messages", STREAMS["/v1/messages"][1], lambda e: e["type"] == "error" and e["error"]["type"] == "api_error")])
def test_an_error_inside_a_stream_has_the_shape_of_its_route(fake, gateway, path, first, shape):
    def script(exchange):
        exchange.start_stream(first)
        exchange.close()

    answer = gateway([fake(script)]).ask(post(path, {"model": "m", "input": "x", "messages": [], "stream": True}))
    assert not answer.complete
    *_, last = [line for line in answer.body.split(b"\n") if line.startswith(b"data: ")]
    assert shape(json.loads(last[6:])), last


def test_an_engine_route_without_a_model_goes_to_the_only_one(fake, gateway):
    engine = fake(lambda exchange: exchange.send(whole({"tokens": [1, 2]})))
    serve = gateway([engine])
    assert serve.ask(post("/tokenize", {"content": "x"})).json == {"tokens": [1, 2]}
    assert engine.requests[-1].json == {"content": "x"}


def test_an_engine_route_without_a_model_is_refused_where_there_are_several(fake, gateway):
    answer = gateway([fake(), fake(models=["n"])]).ask(post("/tokenize", {"content": "x"}))
    assert answer.status == 400
    assert answer.json["error"]["message"] == "'model' is missing, and 2 models are served here: m, n."


def test_an_upload_goes_to_its_model_byte_for_byte(fake, gateway):
    one, other = fake(models=["m"]), fake(lambda exchange: exchange.send(whole({"text": "heard"})), models=["whisper"])
    serve = gateway([one, other])
    body = (b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\nRIFF\x00\xff\r\n\r\n--\r\n'
            b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper\r\n--b--\r\n')
    answer = serve.ask(post("/v1/audio/transcriptions", body, content_type="multipart/form-data; boundary=b"))
    assert (answer.status, answer.json) == (200, {"text": "heard"})
    assert other.requests[-1].body == body
    assert other.requests[-1].get("content-type") == "multipart/form-data; boundary=b"


def test_a_torn_upload_is_a_400_that_says_why(fake, gateway):
    answer = gateway([fake()]).ask(post("/v1/audio/transcriptions", b"--b\r\n", content_type="multipart/form-data; boundary=b"))
    assert answer.status == 400 and "a part has no head" in answer.json["error"]["message"]


def test_a_compressed_answer_passes_untouched(fake, gateway):
    packed = gzip.compress(json.dumps(WHOLE["/v1/chat/completions"]).encode())
    engine = fake(lambda exchange: exchange.send(whole(packed, headers=["content-encoding: gzip"])))
    serve = gateway([engine])
    answer = serve.ask(chat(headers=["Accept-Encoding: gzip"]))
    assert answer.body == packed and answer.get("content-encoding") == "gzip"
    assert engine.requests[-1].get("accept-encoding") == "gzip"


def test_a_stream_whose_usage_is_to_be_taken_out_is_not_asked_for_compressed(fake, gateway):
    """Else neither could it be read nor its extra event be kept from the client."""
    def script(exchange):
        exchange.start_stream(delta(content="x"), usage_event())
        exchange.end_stream()

    engine = fake(script)
    serve = gateway([engine])
    answer = serve.ask(chat(stream=True, headers=["Accept-Encoding: gzip"]))
    assert engine.requests[-1].all("accept-encoding") == ["identity"]
    assert b"usage" not in answer.body


def test_a_stream_that_comes_compressed_all_the_same_passes_untouched(fake, gateway):
    packed = gzip.compress(sse(delta(content="x")) + sse(usage_event()) + sse(b"[DONE]"))
    head = STREAM_HEAD.replace(b"\r\n\r\n", b"\r\ncontent-encoding: gzip\r\n\r\n")
    engine = fake(lambda exchange: exchange.send(head + chunk(packed) + LAST_CHUNK))
    answer = gateway([engine]).ask(chat(stream=True))
    assert answer.complete and answer.body == packed
