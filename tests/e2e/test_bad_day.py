"""Each row of what may go wrong between client, gateway and engine, as the client sees it."""
import json
import socket
import threading
import time

import pytest
from fake_engine import Gate, chunk, completion, delta, sse, talk, whole, STREAM_HEAD
from wire import Closed, Wire, chat, eventually, get

SHORT = {"timeouts": {"first_byte": "500ms", "stream_idle": "500ms", "client_write": "500ms"}}


def test_no_engine_yet_is_503_then_served(fake, gateway):
    """Before the first answer to /v1/models nobody knows whether a model exists: 503, not 404."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
    serve = gateway([f"http://127.0.0.1:{port}"], "--speed", "20", ready=False)
    answer = serve.ask(chat())
    assert answer.status == 503 and answer.get("retry-after")
    assert serve.admin("/readyz").status == 503
    assert serve.admin("/healthz").status == 200
    fake(port=port)
    serve.wait_ready()
    assert serve.ask(chat()).status == 200


def test_last_engine_gone_is_503_with_retry_after(fake, gateway):
    engine = fake()
    serve = gateway([engine], "--speed", "10")
    assert serve.ask(chat()).status == 200
    engine.end()
    for _ in range(4):
        answer = serve.ask(chat())
        assert answer.status in (502, 503)
    eventually(lambda: serve.ask(chat()).status == 503)
    answer = serve.ask(chat())
    assert 1 <= int(answer.get("retry-after")) <= 72
    assert answer.json["error"]["message"]
    eventually(lambda: serve.admin("/readyz").status == 503)


def test_request_waits_for_an_engine_that_comes_back(fake, gateway):
    """`no_endpoint_wait`: five seconds, not an error at once."""
    engine = fake()
    serve = gateway([engine], "--speed", "3")
    engine.end()
    eventually(lambda: serve.admin("/readyz").status == 503, within=20)
    with Wire(serve.port) as wire:
        wire.send(chat())
        eventually(lambda: serve.total("queued") == 1)
        fake(port=engine.port)
        assert wire.answer().status == 200


def test_no_response_head_in_time_is_504(fake, gateway):
    engine = fake(lambda exchange: exchange.wait_closed())
    started = time.monotonic()
    answer = gateway([engine], config=SHORT).ask(chat())
    assert answer.status == 504 and answer.json["error"]["message"]
    assert time.monotonic() - started < 15
    assert len(engine.requests) == 1


def test_silence_in_mid_stream_is_an_error_event(fake, gateway):
    """Nobody at the peers acts on a stalled engine."""
    def script(exchange):
        exchange.start_stream(delta(content="Hello"))
        exchange.wait_closed()

    with Wire(gateway([fake(script)], config=SHORT).port) as wire:
        wire.send(chat(stream=True)).head()
        assert wire.event()["choices"][0]["delta"]["content"] == "Hello"
        assert wire.event()["error"]["message"]
        assert wire.rest().find(b"[DONE]") < 0


def test_reader_that_reads_nothing_is_closed_in_the_end(fake, gateway):
    stopped = threading.Event()

    def script(exchange):
        exchange.send(STREAM_HEAD)
        block = chunk(sse(delta(content="x" * 4000))) * 16
        exchange.connection.settimeout(20)
        try:
            while True:
                exchange.send(block)
        except (ConnectionError, TimeoutError):
            stopped.set()

    serve = gateway([fake(script)], config=SHORT)
    with Wire(serve.port, receive_buffer=4096) as wire:
        wire.send(chat(stream=True))
        assert stopped.wait(20)
        eventually(serve.is_idle)


def test_stream_cut_in_the_middle_is_an_error_event_without_done(fake, gateway):
    """At a peer half an answer looks whole; at two others the error is followed by [DONE]."""
    def script(exchange):
        exchange.start_stream(delta(role="assistant", content=""), delta(content="Half an ans"))
        exchange.reset()

    serve = gateway([fake(script), fake(script)])
    answer = serve.ask(chat(stream=True))
    assert answer.status == 200
    assert answer.text == "Half an ans"
    assert "error" in answer.events[-1] and "[DONE]" not in answer.events


def test_stream_truncated_by_a_clean_close_is_an_error_event(fake, gateway):
    def script(exchange):
        exchange.start_stream(delta(content="Half"))
        exchange.close()

    answer = gateway([fake(script)]).ask(chat(stream=True))
    assert "error" in answer.events[-1] and "[DONE]" not in answer.events


def test_cut_inside_a_chunk_is_an_error_event_of_its_own(fake, gateway):
    """The half event is not glued to the error: a client can still read it."""
    def script(exchange):
        exchange.start_stream(delta(content="whole"))
        exchange.send(b"40\r\ndata: {\"choices\":[{\"del")
        exchange.reset()

    answer = gateway([fake(script)]).ask(chat(stream=True))
    blocks = [block for block in answer.body.decode().split("\n\n") if block.strip()]
    last = blocks[-1].split("\n")[-1]
    assert last.startswith("data: ") and "error" in json.loads(last[6:])


def test_plain_answer_cut_in_the_middle_does_not_look_whole(fake, gateway):
    def script(exchange):
        exchange.send(whole(completion())[:-40])
        exchange.close()

    serve = gateway([fake(script)])
    with Wire(serve.port) as wire:
        wire.send(chat())
        try:
            answer = wire.answer()
        except (Closed, ConnectionError):
            return
        assert answer.status == 502 or not answer.complete


@pytest.mark.parametrize("answer", [
    b"garbage\r\n\r\n", b"HTTP/1.1 abc OK\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
    b"HTTP/1.1 200 OK\r\nx-a: " + b"a" * 200_000 + b"\r\n\r\n", b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
])
def test_nonsense_from_an_engine_is_502(answer, fake, gateway):
    def script(exchange):
        exchange.send(answer)
        exchange.close()

    serve = gateway([fake(script)])
    assert serve.ask(chat()).status == 502


def test_bad_chunk_from_an_engine_ends_the_stream_with_an_error(fake, gateway):
    def script(exchange):
        exchange.send(STREAM_HEAD + chunk(sse(delta(content="ok"))) + b"zz\r\nxx\r\n")
        exchange.close()

    answer = gateway([fake(script)]).ask(chat(stream=True))
    assert answer.text == "ok" and "error" in answer.events[-1]


@pytest.mark.parametrize("status", ["400 Bad Request", "401 Unauthorized", "404 Not Found", "422 Unprocessable Entity",
                                    "500 Internal Server Error"])
def test_engine_error_is_passed_on_unchanged_and_never_retried(status, fake, gateway):
    """The ancestor tries the engine's "context too long" everywhere and answers 503 without the reason."""
    body = b'{"error": {"message":"This model\'s maximum context length is 4096 tokens", "code": 400}}'
    engines = [fake(lambda exchange: exchange.send(whole(body, status))) for _ in range(3)]
    answer = gateway(engines).ask(chat())
    assert answer.status == int(status[:3]) and answer.body == body
    assert sum(len(engine.requests) for engine in engines) == 1


def test_queue_timeout_is_504_with_retry_after(fake, gateway):
    """The ancestor's time-out has no Retry-After."""
    gate = Gate()

    def script(exchange):
        gate.wait()
        talk(exchange)

    serve = gateway([fake(script)], "--policy", "session-boost", config={"timeouts": {"queue": "500ms"}})
    held = [Wire(serve.port).send(chat(f"hold {i}")) for i in range(16)]
    eventually(lambda: gate.held == 16)
    answer = serve.ask(chat("too late"))
    assert answer.status == 504
    assert answer.get("x-turnpike-reason") == "queue-timeout"
    assert 1 <= int(answer.get("retry-after")) <= 72
    assert answer.json["error"]["type"]
    gate.open()
    for wire in held:
        assert wire.answer().status == 200
        wire.close()


def test_local_refusals_do_not_count_against_an_engine(fake, gateway):
    engine = fake()
    serve = gateway([engine])
    for _ in range(50):
        assert serve.ask(chat(model="nope")).status == 404
    assert serve.ask(chat()).status == 200
    assert serve.admin("/readyz").status == 200


def test_errors_of_an_anthropic_route_have_its_shape(fake, gateway):
    from wire import post
    answer = gateway([fake()]).ask(post("/v1/messages", {"model": "nope", "messages": [], "max_tokens": 5}))
    assert answer.status == 404
    assert answer.json["type"] == "error" and answer.json["error"]["type"] and answer.json["error"]["message"]


def test_engine_that_closes_idle_connections_costs_no_request(fake, gateway):
    """llama-server ends a kept connection after five seconds; a request must not meet its end."""
    def script(exchange):
        talk(exchange)
        exchange.close()  # without having said so

    serve = gateway([fake(script)])
    for i in range(30):
        assert serve.ask(chat(f"{i}")).status == 200


def test_engine_that_closes_in_the_moment_of_reuse_costs_no_request(fake, gateway):
    """The keep-alive race: the connection dies when the second request has been written, before any byte of an answer."""
    seen = set()

    def script(exchange):
        if id(exchange.connection) in seen:
            exchange.reset()
            return
        seen.add(id(exchange.connection))
        connections.append(exchange.connection)
        talk(exchange)

    connections = []
    engines = [fake(script), fake(script)]
    serve = gateway(engines)
    statuses = [serve.ask(chat(f"{i}")).status for i in range(10)]
    assert statuses == [200] * 10


def test_stalled_scrape_of_one_engine_does_not_stop_the_others(fake, gateway):
    good, stuck = fake(), fake(models=["other"])
    serve = gateway([good, stuck], "--speed", "5")

    def never(path, connection):
        threading.Event().wait(3)

    stuck._probe = never
    before = good.probes
    eventually(lambda: good.probes > before + 5, within=10)
    assert serve.ask(chat()).status == 200


def test_admin_listener_answers_while_all_places_are_taken(fake, gateway):
    gate = Gate()
    serve = gateway([fake(lambda exchange: gate.wait())], "--policy", "session-boost")
    held = [Wire(serve.port).send(chat(f"{i}")) for i in range(30)]
    eventually(lambda: serve.total("queued") == 14)
    assert serve.admin("/healthz").status == 200
    assert serve.ask(get("/v1/models")).status == 200
    for wire in held:
        wire.close()
    eventually(serve.is_idle)
    gate.open()
