"""Garbage, halves, too much, and two readings of one request: on real sockets."""
import pytest
from fake_engine import chunk, completion, whole
from wire import Wire, chat, post

BODY = b'{"model":"m","messages":[]}'
LINE = b"POST /v1/chat/completions HTTP/1.1\r\n"


def head(*lines):
    return LINE + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


REFUSED = {
    "garbage": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "no_version": b"GET /\r\n\r\n",
    "http_2_preface_over_http_1": b"PRI * HTTP/3.0\r\n\r\nSM\r\n\r\n",
    "no_host": head(b"Content-Length: %d" % len(BODY)) + BODY,
    "two_hosts": head(b"Host: a", b"Host: b", b"Content-Length: %d" % len(BODY)) + BODY,
    "nul_in_a_value": head(b"Host: a", b"X-A: a\0b", b"Content-Length: %d" % len(BODY)) + BODY,
    "bare_cr_in_a_value": head(b"Host: a", b"X-A: a\rb", b"Content-Length: %d" % len(BODY)) + BODY,
    "blank_before_the_colon": head(b"Host: a", b"Content-Length : %d" % len(BODY)) + BODY,
    "folded_line": head(b"Host: a", b"X-A: a", b" b", b"Content-Length: %d" % len(BODY)) + BODY,
    "no_name": head(b"Host: a", b": a", b"Content-Length: %d" % len(BODY)) + BODY,
    "length_and_chunked": head(b"Host: a", b"Content-Length: 3", b"Transfer-Encoding: chunked") + b"0\r\n\r\n",
    "two_lengths": head(b"Host: a", b"Content-Length: %d" % len(BODY), b"Content-Length: 3") + BODY,
    "two_equal_lengths": head(b"Host: a", b"Content-Length: %d" % len(BODY), b"Content-Length: %d" % len(BODY)) + BODY,
    "length_as_a_list": head(b"Host: a", b"Content-Length: %d, %d" % (len(BODY), len(BODY))) + BODY,
    "length_with_a_sign": head(b"Host: a", b"Content-Length: +%d" % len(BODY)) + BODY,
    "negative_length": head(b"Host: a", b"Content-Length: -1"),
    "length_beyond_64_bits": head(b"Host: a", b"Content-Length: 99999999999999999999999"),
    "hexadecimal_length": head(b"Host: a", b"Content-Length: 0x10"),
    "xchunked": head(b"Host: a", b"Transfer-Encoding: xchunked") + chunk(BODY) + b"0\r\n\r\n",
    "chunked_then_gzip": head(b"Host: a", b"Transfer-Encoding: chunked, gzip") + chunk(BODY) + b"0\r\n\r\n",
    "chunked_twice": head(b"Host: a", b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked") + chunk(BODY) + b"0\r\n\r\n",
    "chunked_in_http_1_0": head(b"Host: a", b"Transfer-Encoding: chunked").replace(b"HTTP/1.1", b"HTTP/1.0") + chunk(BODY) + b"0\r\n\r\n",
    "chunk_size_with_a_sign": head(b"Host: a", b"Transfer-Encoding: chunked") + b"+1b\r\n" + BODY + b"\r\n0\r\n\r\n",
    "chunk_size_with_0x": head(b"Host: a", b"Transfer-Encoding: chunked") + b"0x1b\r\n" + BODY + b"\r\n0\r\n\r\n",
    "chunk_size_too_large": head(b"Host: a", b"Transfer-Encoding: chunked") + b"ffffffffffffffffff\r\n",
    "chunk_longer_than_its_size": head(b"Host: a", b"Transfer-Encoding: chunked") + b"3\r\n" + BODY + b"\r\n0\r\n\r\n",
    "chunk_ended_by_lf_alone": head(b"Host: a", b"Transfer-Encoding: chunked") + b"1b\n" + BODY + b"\n0\n\n",
}


@pytest.mark.parametrize("name", REFUSED)
def test_is_refused_and_closed(name, fake, gateway):
    """400 (or another 4xx/505), then the connection ends; nothing of it reaches an engine."""
    engine = fake()
    with Wire(gateway([engine]).port) as wire:
        wire.send(REFUSED[name])
        answer = wire.answer()
        assert 400 <= answer.status < 500 or answer.status in (501, 505), answer.status
        assert wire.is_closed()
    assert engine.requests == []


SMUGGLED = b"POST /v1/embeddings HTTP/1.1\r\nHost: a\r\nContent-Length: 13\r\n\r\n" + b'{"model":"m"}'


@pytest.mark.parametrize("prefix", [
    head(b"Host: a", b"Content-Length: %d" % (len(SMUGGLED) + 5), b"Transfer-Encoding: chunked") + b"0\r\n\r\n",
    head(b"Host: a", b"Transfer-Encoding: xchunked", b"Content-Length: 0"),
    head(b"Host: a", b"Transfer-Encoding:\x0bchunked") + b"0\r\n\r\n",
    head(b"Host: a", b"Content-Length: 0", b"Content-Length: %d" % len(SMUGGLED)),
    head(b"Host: a", b"Content-Length: 00", b"Transfer-Encoding : chunked"),
])
def test_no_second_request_is_smuggled(prefix, fake, gateway):
    engine = fake()
    serve = gateway([engine])
    with Wire(serve.port) as wire:
        wire.send(prefix + SMUGGLED)
        wire.rest()
    assert all(request.path != "/v1/embeddings" for request in engine.requests)


@pytest.mark.parametrize("body, field", [
    (b"", ""), (b"{", ""), (b"[]", ""), (b"null", ""), (b'"text"', ""), (b"{}", "model"), (b'{"model":1}', "model"),
    (b'{"model":null}', "model"), (b'{"model":""}', "model"), (b'{"model":["m"]}', "model"),
    (b'{"model":"m","messages":[],"stream":"yes"}', "stream"), (b'{"model":"m","model":"n"}', "model"),
    (b'{"model":"m","messages":[]} {"model":"n"}', ""), (b'{"model":"\xff\xfe"}', ""), (b'{"model":"m"', ""),
])
def test_body_that_is_wrong_is_400_and_names_the_field(body, field, fake, gateway):
    engine = fake()
    answer = gateway([engine]).ask(post("/v1/chat/completions", body))
    assert answer.status == 400
    error = answer.json["error"]
    assert set(error) == {"message", "type", "param", "code"} and error["type"] == "invalid_request_error"
    assert field in error["message"] and (not field or error["param"] == field)
    assert engine.requests == []


def test_deeply_nested_body_is_no_stack_overflow(fake, gateway):
    engine = fake(lambda exchange: exchange.send(whole(completion())))
    nested = b'{"model":"m","messages":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    serve = gateway([engine])
    assert serve.ask(post("/v1/chat/completions", nested)).status in (200, 400)
    assert serve.ask(chat()).status == 200
    assert engine.requests[-1].prompt == "Hello"


def test_connection_survives_a_400_of_the_body(fake, gateway):
    with Wire(gateway([fake()]).port) as wire:
        assert wire.send(post("/v1/chat/completions", b"{")).answer().status == 400
        assert wire.send(chat()).answer().status == 200


def test_unknown_model_is_404_and_lists_the_known(fake, gateway):
    engine = fake(models=["llama", "qwen"])
    answer = gateway([engine]).ask(chat(model="lama"))
    assert answer.status == 404
    assert "llama" in answer.json["error"]["message"] and "qwen" in answer.json["error"]["message"]
    assert engine.requests == []


def test_unknown_path_and_method(fake, gateway):
    serve = gateway([fake()])
    assert serve.ask(b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n").status == 404
    assert serve.ask(b"GET /v1/chat/completions HTTP/1.1\r\nHost: a\r\n\r\n").status == 405
    assert serve.ask(b"DELETE /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").status == 405


def test_head_over_the_limit_is_431(fake, gateway):
    serve = gateway([fake()])
    for lines in ([b"X-Long: " + b"a" * 70_000], [b"X-%d: %s" % (i, b"b" * 100) for i in range(700)]):
        with Wire(serve.port) as wire:
            try:
                wire.send(head(b"Host: a", *lines))
            except ConnectionError:
                pass
            assert wire.answer().status == 431
            assert wire.is_closed()
    assert serve.ask(chat(headers=["X-Long: " + "a" * 4_000])).status == 200


def test_request_line_over_the_limit_is_refused(fake, gateway):
    serve = gateway([fake()])
    with Wire(serve.port) as wire:
        try:
            wire.send(b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n")
        except ConnectionError:
            pass
        assert wire.answer().status in (414, 431)


def test_body_over_the_limit_is_413_before_it_is_sent(fake, gateway):
    """A declared length is judged by its head alone."""
    engine = fake()
    with Wire(gateway([engine]).port) as wire:
        wire.send(head(b"Host: a", b"Content-Length: %d" % (64 * 1024 * 1024 + 1)))
        answer = wire.answer()
        assert answer.status == 413 and answer.json["error"]["type"] == "invalid_request_error"
        assert wire.is_closed()
    assert engine.requests == []


def test_chunked_body_over_the_limit_is_413(fake, gateway):
    engine = fake()
    piece = chunk(b" " * 1024 * 1024)
    with Wire(gateway([engine]).port) as wire:
        wire.send(head(b"Host: a", b"Transfer-Encoding: chunked"))
        try:
            for _ in range(66):
                wire.send(piece)
        except ConnectionError:
            pass
        assert wire.answer().status == 413
    assert engine.requests == []


@pytest.mark.parametrize("half", [b"", b"P", LINE, LINE + b"Host: a\r\n", head(b"Host: a", b"Content-Length: 100") + b'{"model":'])
def test_half_a_request_then_gone_leaves_nothing(half, fake, gateway):
    engine = fake()
    serve = gateway([engine])
    for leave in ("close", "reset"):
        wire = Wire(serve.port)
        wire.send(half)
        getattr(wire, leave)()
    assert serve.ask(chat()).status == 200
    assert len(engine.requests) == 1


def test_slow_heads_do_not_keep_others_waiting(fake, gateway):
    serve = gateway([fake()])
    wires = [Wire(serve.port) for _ in range(200)]
    try:
        for wire in wires:
            wire.send(LINE + b"Host: a\r\nX-")
        assert serve.ask(chat()).status == 200
    finally:
        for wire in wires:
            wire.close()


def test_a_head_that_never_ends_is_closed(fake, gateway):
    """Nobody keeps a connection for ever by not ending what he began."""
    serve = gateway([fake()], config={"timeouts": {"head": "500ms"}})
    with Wire(serve.port) as wire:
        wire.send(LINE + b"Host: a\r\n")
        said = wire.rest()
        assert said == b"" or b" 408 " in said


def test_ids_that_are_no_ids_are_ignored_not_refused(fake, gateway):
    engine = fake()
    serve = gateway([engine])
    for session in ("", " ", "a" * 257, "tab\tinside"):
        assert serve.ask(chat(session=session)).status == 200


def test_made_up_paths_and_models_do_not_grow_the_metrics(fake, gateway):
    """6000 made-up paths grow the ancestor's /metrics from 23 kB to 22 MB."""
    serve = gateway([fake()])
    serve.ask(chat())
    serve.ask(chat(model="warm-up"))
    before = len(serve.admin("/metrics").body)
    with Wire(serve.port) as wire:
        for i in range(1000):
            wire.send(post(f"/v1/made-up-{i}", {"model": f"made-up-{i}"})).answer()
            wire.send(chat(model=f"made-up-{i}", session=f"s{i}")).answer()
    assert len(serve.admin("/metrics").body) < before + 4096
