"""Where a request goes when an engine fails it, how often, and when not at all."""
import socket
import threading

import pytest
from fake_engine import Gate, completion, talk, whole
from wire import Wire, chat, eventually


def failing(status, retry_after=None):
    lines = [f"retry-after: {retry_after}"] if retry_after else []
    return lambda exchange: exchange.send(whole({"error": {"message": "not here"}}, status, headers=lines))


def reset(exchange):
    exchange.reset()


def close(exchange):
    exchange.close()


@pytest.mark.parametrize("fails", [reset, close, failing("502 Bad Gateway"), failing("504 Gateway Timeout")],
                         ids=["reset", "close", "502", "504"])
def test_next_endpoint_serves_what_one_failed(fails, fake, gateway):
    bad, good = fake(fails), fake()
    serve = gateway([bad, good], "--policy", "round-robin")
    body = None
    for i in range(4):
        answer = serve.ask(chat(f"request {i}"))
        assert answer.status == 200
        body = answer.text
    assert body == "Hello there"
    assert bad.requests and len(good.requests) == 4
    # The retried body is the same to the last byte.
    assert {request.body for request in bad.requests} <= {request.body for request in good.requests}


def test_dead_endpoint_is_not_tried_for_ever(fake, gateway):
    """The ancestor tries a dead pod first for ever; two peers try the same one five times."""
    dead, good = fake(), fake()
    serve = gateway([dead, good], "--policy", "round-robin")
    dead.end()
    for i in range(30):
        assert serve.ask(chat(f"{i}")).status == 200
    assert len(good.requests) == 30


def test_refused_connection_goes_elsewhere_at_once(fake, gateway):
    good, dead = fake(), fake()
    serve = gateway([dead, good], "--policy", "round-robin")
    dead.end()
    answer = serve.ask(chat(), timeout=3)
    assert answer.status == 200


def test_at_most_two_further_endpoints_then_502(fake, gateway):
    engines = [fake(failing("502 Bad Gateway")) for _ in range(5)]
    answer = gateway(engines).ask(chat())
    assert answer.status == 502
    assert sum(len(engine.requests) for engine in engines) == 3


def test_same_endpoint_is_not_tried_twice(fake, gateway):
    engines = [fake(failing("502 Bad Gateway")) for _ in range(2)]
    assert gateway(engines).ask(chat()).status == 502
    assert [len(engine.requests) for engine in engines] == [1, 1]


def test_request_that_killed_two_endpoints_goes_to_no_third(fake, gateway):
    """A reset after the request was written: the request itself may be what kills."""
    engines = [fake(reset) for _ in range(4)]
    assert gateway(engines).ask(chat("poison")).status == 502
    assert sum(len(engine.requests) for engine in engines) == 2


def test_refused_connections_are_no_deaths(fake, gateway):
    """Two ports where nobody listens do not use up the two deaths: the third endpoint serves."""
    engines = [fake(), fake(), fake()]
    serve = gateway(engines, "--policy", "round-robin")
    engines[0].end()
    engines[1].end()
    for i in range(6):
        assert serve.ask(chat(f"{i}")).status == 200
    assert len(engines[2].requests) == 6


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
def test_saturated_engine_is_retried_where_there_is_room(status, fake, gateway):
    full, good = fake(failing(status)), fake()
    serve = gateway([full, good], "--policy", "round-robin")
    for i in range(4):
        assert serve.ask(chat(f"{i}")).status == 200
    assert len(good.requests) == 4


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
def test_saturation_everywhere_is_passed_on(status, fake, gateway):
    engine = fake(failing(status, retry_after=7))
    answer = gateway([engine]).ask(chat())
    assert answer.status == int(status[:3])
    assert answer.get("retry-after") is not None


def test_never_a_second_answer_once_the_first_has_begun(fake, gateway):
    def half(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{")
        exchange.reset()

    engines = [fake(half), fake(half)]
    serve = gateway(engines)
    with Wire(serve.port) as wire:
        wire.send(chat())
        try:
            wire.answer()
        except Exception:  # cut off, in whatever way: but once
            pass
    assert sum(len(engine.requests) for engine in engines) == 1


def test_retries_of_a_crowd_stay_within_the_budget(fake, gateway):
    """All engines fail all requests: 20 % of the active ones, at least three at a time, are tried again, not all thrice."""
    gate = Gate()

    def script(exchange):
        gate.wait()
        exchange.send(whole({"error": {"message": "no"}}, "502 Bad Gateway"))

    engines = [fake(script) for _ in range(3)]
    serve = gateway(engines, "--policy", "round-robin")
    wires = [Wire(serve.port).send(chat(f"{i}")) for i in range(60)]
    eventually(lambda: gate.held == 60)
    gate.open()
    for wire in wires:
        assert wire.answer().status in (502, 503)
        wire.close()
    assert 60 < sum(len(engine.requests) for engine in engines) <= 60 * 2


def test_connect_that_hangs_goes_elsewhere(fake, gateway):
    """A listener whose backlog is full neither accepts nor refuses: after a second the next endpoint gets it."""
    good, hung = fake(), fake()
    serve = gateway([hung, good], "--policy", "round-robin")
    hung.end()
    with socket.socket() as full:
        full.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        full.bind(("127.0.0.1", hung.port))
        full.listen(0)
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", hung.port))
            fillers.append(filler)
        try:
            for i in range(3):
                assert serve.ask(chat(f"{i}"), timeout=10).status == 200
        finally:
            for filler in fillers:
                filler.close()


def test_engine_that_recovers_is_used_again(fake, gateway):
    flaky, good = fake(failing("502 Bad Gateway")), fake()
    serve = gateway([flaky, good], "--policy", "round-robin", "--speed", "20")
    for i in range(10):
        assert serve.ask(chat(f"{i}")).status == 200
    flaky.script = talk
    before = len(flaky.requests)

    def tried_again():
        assert serve.ask(chat()).status == 200
        return len(flaky.requests) > before + 3

    eventually(tried_again, within=20, what="the recovered engine to be used")


def test_one_bad_request_does_not_eject_a_good_engine(fake, gateway):
    """The engine's own 400 is the client's fault."""
    engine = fake(failing("400 Bad Request"))
    serve = gateway([engine])
    for _ in range(20):
        assert serve.ask(chat()).status == 400
    engine.script = talk
    assert serve.ask(chat()).status == 200


def test_late_answer_of_a_given_up_attempt_is_not_seen(fake, gateway):
    """The first engine closes without an answer, the second answers: the client sees one answer, whole, and no more."""
    late = threading.Event()

    def first(exchange):
        exchange.close()
        late.set()

    serve = gateway([fake(first), fake(lambda exchange: exchange.send(whole(completion("second"))))], "--policy", "round-robin")
    for i in range(2):
        with Wire(serve.port) as wire:
            assert wire.send(chat(f"{i}")).answer().text == "second"
            assert wire.send(chat(f"{i} again")).answer().status == 200
    assert late.is_set()
