"""SIGTERM drains: what was begun ends well, what waits is served, and a second signal is the last word."""
import signal

from fake_engine import Gate, delta, talk
from wire import Wire, chat, eventually


def streaming(gate):
    def script(exchange):
        exchange.start_stream(delta(content="Hello"))
        gate.wait()
        exchange.event(delta(content=" again"))
        exchange.end_stream()
    return script


def test_stream_finishes_after_sigterm(fake, gateway):
    """The ancestor cuts it after 17 ms."""
    gate = Gate()
    serve = gateway([fake(streaming(gate))])
    serve.expects_clean_end = False
    with Wire(serve.port) as wire:
        wire.send(chat(stream=True)).head()
        assert wire.event()["choices"][0]["delta"]["content"] == "Hello"
        serve.signal()
        eventually(lambda: serve.admin("/readyz").status == 503)
        gate.open()
        assert wire.event()["choices"][0]["delta"]["content"] == " again"
        assert wire.event() == "[DONE]"
    assert serve.wait() == 0


def test_queued_requests_are_still_served_after_sigterm(fake, gateway):
    gate = Gate()

    def script(exchange):
        gate.wait()
        talk(exchange)

    serve = gateway([fake(script)], "--policy", "session-boost")
    serve.expects_clean_end = False
    wires = [Wire(serve.port).send(chat(f"{i}")) for i in range(20)]
    eventually(lambda: serve.total("queued") == 4)
    serve.signal()
    eventually(lambda: serve.admin("/readyz").status == 503)
    gate.open()
    assert [wire.answer().status for wire in wires] == [200] * 20
    for wire in wires:
        wire.close()
    assert serve.wait() == 0


def test_no_new_connections_while_draining(fake, gateway):
    gate = Gate()
    serve = gateway([fake(streaming(gate))])
    serve.expects_clean_end = False
    with Wire(serve.port) as wire:
        wire.send(chat(stream=True)).head()
        serve.signal()

        def refused():
            try:
                with Wire(serve.port, timeout=2) as late:
                    return late.send(chat()).answer().status == 503
            except (OSError, EOFError, Exception):
                return True

        eventually(refused)
        gate.open()
        wire.rest()
    assert serve.wait() == 0


def test_idle_connections_do_not_hold_the_drain(fake, gateway):
    serve = gateway([fake()])
    serve.expects_clean_end = False
    with Wire(serve.port) as idle, Wire(serve.port) as used:
        assert used.send(chat()).answer().status == 200
        serve.signal()
        assert serve.wait() == 0
        assert idle.is_closed() and used.is_closed()


def test_second_signal_ends_at_once(fake, gateway):
    gate = Gate()
    serve = gateway([fake(streaming(gate))])
    serve.expects_clean_end = False
    with Wire(serve.port) as wire:
        wire.send(chat(stream=True)).head()
        wire.event()
        serve.signal()
        eventually(lambda: serve.admin("/readyz").status == 503)
        serve.signal()
        serve.wait(within=3)
        assert b"[DONE]" not in wire.rest()
    gate.open()


def test_drain_timeout_ends_what_never_ends(fake, gateway):
    serve = gateway([fake(lambda exchange: (exchange.start_stream(delta(content="x")), exchange.wait_closed()))], config={"timeouts": {"drain": "500ms"}})
    serve.expects_clean_end = False
    with Wire(serve.port) as wire:
        wire.send(chat(stream=True)).head()
        serve.signal()
        serve.wait(within=10)


def test_sigint_drains_too(fake, gateway):
    serve = gateway([fake()])
    serve.expects_clean_end = False
    serve.signal(signal.SIGINT)
    assert serve.wait() == 0
