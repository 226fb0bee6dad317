"""A client that leaves: in every phase the engine is told at once, and the slot is free."""
import threading

import pytest
from fake_engine import Gate, delta, sse, chunk, STREAM_HEAD
from wire import Wire, chat, eventually


class Watched:
    """A script that goes to the phase asked for, then waits for the gateway to close the engine's connection."""

    def __init__(self, phase):
        self.phase = phase
        self.reached = threading.Event()
        self.closed_after = None

    def __call__(self, exchange):
        if self.phase != "before_first_byte":
            exchange.start_stream(delta(role="assistant", content=""), delta(content="Hello"))
        self.reached.set()
        if self.phase == "streaming":
            self._stream_until_closed(exchange)
        self.closed_after = exchange.wait_closed()

    @staticmethod
    def _stream_until_closed(exchange):
        exchange.connection.settimeout(0.01)
        while True:
            try:
                exchange.event(delta(content=" word"))
                if not exchange.connection.recv(1):
                    return
            except TimeoutError:
                continue
            except ConnectionError:
                return


@pytest.mark.parametrize("leave", ["close", "reset", "half_close"])
@pytest.mark.parametrize("phase", ["before_first_byte", "silent", "streaming"])
def test_engine_is_told(phase, leave, fake, gateway):
    """Two peers keep the engine of a silent stream busy for ever."""
    script = Watched(phase)
    serve = gateway([fake(script)], "--access-log", "json")
    wire = Wire(serve.port).send(chat(stream=True, session="s"))
    assert script.reached.wait(10)
    if phase != "before_first_byte":
        wire.head()
        wire.event()
    getattr(wire, leave)()
    eventually(lambda: script.closed_after is not None, what="the engine's connection to be closed")
    eventually(serve.is_idle, what="lease given back")
    wire.close()
    # 499 also where the head had already said 200: the ancestor logs a client that left in mid-stream as 200.
    assert 499 in serve.access_log()[0].values()


def test_leaving_a_plain_request_tells_the_engine(fake, gateway):
    script = Watched("before_first_byte")
    serve = gateway([fake(script)])
    wire = Wire(serve.port).send(chat())
    assert script.reached.wait(10)
    wire.close()
    eventually(lambda: script.closed_after is not None)


def test_leaving_in_prefill_is_never_retried(fake, gateway):
    """The ancestor tries the request of a client that left on all pods."""
    scripts = [Watched("before_first_byte") for _ in range(3)]
    engines = [fake(script) for script in scripts]
    serve = gateway(engines)
    wire = Wire(serve.port).send(chat(stream=True))
    eventually(lambda: any(script.reached.is_set() for script in scripts))
    wire.close()
    eventually(serve.is_idle)
    assert serve.ask(b"GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n").status == 200
    assert sum(len(engine.requests) for engine in engines) == 1


def fill(serve, gate, count, **fields):
    """Requests that hold every place of the engine."""
    held = [Wire(serve.port).send(chat(f"hold {i}", **fields)) for i in range(count)]
    eventually(lambda: gate.held >= min(count, 16), what="the engine to be full")
    return held


def test_queued_client_that_leaves_is_gone_at_once(fake, gateway):
    """In the ancestor it stays in the queue's length until the next event."""
    gate = Gate()

    def script(exchange):
        gate.wait()
        exchange.send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")

    engine = fake(script)
    serve = gateway([engine], "--policy", "session-boost")
    held = fill(serve, gate, 16)
    leavers = [Wire(serve.port).send(chat(f"leaver {i}")) for i in range(5)]
    eventually(lambda: serve.total("queued") == 5)
    for left, leaver in enumerate(leavers, 1):
        (leaver.close if left % 2 else leaver.reset)()
        eventually(lambda left=left: serve.total("queued") == 5 - left, within=2)
    gate.open()
    for wire in held:
        assert wire.answer().status == 200
        wire.close()
    assert not [request for request in engine.requests if request.prompt.startswith("leaver")]


def test_queued_client_may_pipeline_and_is_not_taken_for_gone(fake, gateway):
    gate = Gate()

    def script(exchange):
        gate.wait()
        exchange.send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")

    serve = gateway([fake(script)], "--policy", "session-boost")
    held = fill(serve, gate, 16)
    with Wire(serve.port) as wire:
        wire.send(chat("first"))
        eventually(lambda: serve.total("queued") == 1)
        wire.send(chat("second"))
        gate.open()
        assert [wire.answer().status, wire.answer().status] == [200, 200]
    for one in held:
        one.close()


def test_a_crowd_that_leaves_at_once_leaks_nothing(fake, gateway):
    """Every place, the queue, and connections that sent half a request, all reset in one go."""
    gate = Gate()

    def script(exchange):
        exchange.send(STREAM_HEAD + chunk(sse(delta(content="x"))))
        gate.wait()

    serve = gateway([fake(script)], "--policy", "session-boost")
    crowd = [Wire(serve.port).send(chat(f"{i}", stream=True, session=f"s{i % 7}")) for i in range(60)]
    crowd += [Wire(serve.port).send(chat()[:50 + i]) for i in range(20)]
    eventually(lambda: serve.total("queued") == 44)
    for wire in crowd:
        wire.reset()
    eventually(serve.is_idle)
    gate.open()


def test_slot_of_a_leaver_goes_to_the_next_in_the_queue(fake, gateway):
    gate = Gate()

    def script(exchange):
        if exchange.request.prompt == "next":
            exchange.send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
        else:
            gate.wait()

    serve = gateway([fake(script)], "--policy", "session-boost")
    held = fill(serve, gate, 16)
    with Wire(serve.port) as wire:
        wire.send(chat("next"))
        eventually(lambda: serve.total("queued") == 1)
        held[0].close()
        assert wire.answer().status == 200
    for one in held[1:]:
        one.close()
    gate.open()
