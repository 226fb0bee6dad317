"""Every bound has an end that the client can read: what is over it is refused, in time and with a reason."""
import pytest
from fake_engine import Gate, chunk, talk
from wire import Wire, chat, eventually, get, post


class Full:
    """A gateway whose only engine holds 16 requests until the gate opens."""

    def __init__(self, fake, gateway, **config):
        self.gate = Gate()

        def script(exchange):
            self.gate.wait()
            talk(exchange)

        self.engine = fake(script)
        self.serve = gateway([self.engine], "--policy", "session-boost", config=config)
        self.wires = []
        for i in range(16):
            self.send(f"hold {i}")
        eventually(lambda: self.gate.held == 16)

    def send(self, prompt, **options):
        self.wires.append(Wire(self.serve.port).send(chat(prompt, **options)))
        return self.wires[-1]

    def queue(self, prompt, **options):
        before = self.serve.total("queued")
        wire = self.send(prompt, **options)
        eventually(lambda: self.serve.total("queued") == before + 1)
        return wire

    def finish(self):
        self.gate.open()
        for wire in self.wires:
            wire.close()


def refused(answer, reason):
    assert answer.status == 429
    assert answer.get("x-turnpike-reason") == reason
    assert 1 <= int(answer.get("retry-after")) <= 72
    assert answer.json["error"]["type"] == "rate_limit_error"


def test_full_queue_is_429_with_retry_after(fake, gateway):
    """The ancestor says HTTP 400 to overload."""
    full = Full(fake, gateway, limits={"queued_requests": 3})
    waiting = [full.queue(f"wait {i}") for i in range(3)]
    refused(full.serve.ask(chat("one too many")), "queue-full")
    full.gate.open()
    assert [wire.answer().status for wire in waiting] == [200] * 3
    full.finish()


def test_full_queue_in_bytes_is_429(fake, gateway):
    full = Full(fake, gateway, limits={"queued_bytes": "64KiB"})
    waiting = full.queue("x" * 40_000)
    refused(full.serve.ask(chat("x" * 40_000)), "queue-full")
    full.queue("a small one still fits")
    full.gate.open()
    assert waiting.answer().status == 200
    full.finish()


def test_tenant_over_its_share_leaves_room_for_others(fake, gateway):
    full = Full(fake, gateway, limits={"tenant_queued_requests": 2})
    greedy = {"headers": ["Authorization: Bearer greedy"]}
    for i in range(2):
        full.queue(f"greedy {i}", **greedy)
    refused(full.serve.ask(chat("greedy again", **greedy)), "tenant-queue-full")
    full.queue("modest", headers=["Authorization: Bearer modest"])
    full.finish()


def test_turn_of_a_running_session_displaces_the_youngest_newcomer(fake, gateway):
    engine = fake()
    serve = gateway([engine], "--policy", "session-boost", config={"limits": {"queued_requests": 2}})
    assert serve.ask(chat("turn 1", session="running")).status == 200
    gate = Gate()

    def script(exchange):
        gate.wait()
        talk(exchange)

    engine.script = script
    held = [Wire(serve.port).send(chat(f"hold {i}")) for i in range(16)]
    eventually(lambda: gate.held == 16)
    newcomers = []
    for i in range(2):
        newcomers.append(Wire(serve.port).send(chat(f"newcomer {i}", session=f"new {i}")))
        eventually(lambda i=i: serve.total("queued") == i + 1)
    with Wire(serve.port) as turn:
        turn.send(chat("turn 2", session="running"))
        refused(newcomers[1].answer(), "displaced")
        gate.open()
        assert turn.answer().status == 200
    assert newcomers[0].answer().status == 200
    for wire in [*held, *newcomers]:
        wire.close()


def test_boost_ends_with_its_ttl(fake, gateway):
    """In the ancestor an id seen once is boosted for ever."""
    engine = fake()
    serve = gateway([engine], "--policy", "session-boost", config={"expert": {"boost": {"ttl": "50ms"}}})
    assert serve.ask(chat("turn 1", session="old")).status == 200
    gate = Gate()
    order = []

    def script(exchange):
        gate.wait()
        order.append(exchange.request.prompt)
        talk(exchange)

    def boost_is_over():
        session = serve.admin("/api/sessions").json["sessions"][0]
        return session["turns"] == 1 and not session["boosted"]

    eventually(boost_is_over, what="the boost to begin and to end")
    engine.script = script
    held = [Wire(serve.port).send(chat(f"hold {i}")) for i in range(16)]
    eventually(lambda: gate.held == 16)
    wires = []
    for i, (prompt, session) in enumerate([("stranger", "new"), ("turn 2", "old")]):
        wires.append(Wire(serve.port).send(chat(prompt, session=session)))
        eventually(lambda i=i: serve.total("queued") == i + 1)
    gate.open()
    assert [wire.answer().get("x-turnpike-decision") for wire in wires] == ["cold", "cold"]
    for wire in [*held, *wires]:
        wire.close()


@pytest.mark.parametrize("config, size, status", [("1KiB", 2000, 413), ("4KiB", 2000, 200)])
def test_body_limit_is_configurable(config, size, status, fake, gateway):
    assert gateway([fake()], config={"limits": {"body": config}}).ask(chat("x" * size)).status == status


def test_body_limit_holds_at_the_byte(fake, gateway):
    serve = gateway([fake()], config={"limits": {"body": "1KiB"}})
    for length, status in ((1024, 200), (1025, 413)):
        body = b'{"model":"m","messages":[]}'
        assert serve.ask(post("/v1/chat/completions", body + b" " * (length - len(body)))).status == status


def test_body_that_pauses_is_given_up(fake, gateway):
    serve = gateway([fake()], config={"timeouts": {"body_pause": "300ms"}})
    with Wire(serve.port) as wire:
        wire.send(b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{")
        assert wire.answer().status == 408
        assert wire.is_closed()


def test_slow_but_steady_body_is_not_given_up(fake, gateway):
    """The limit is on silence, not on the whole: a body may take longer than the limit."""
    serve = gateway([fake()], config={"timeouts": {"body_pause": "400ms"}})
    body = b'{"model":"m","messages":[]}'
    with Wire(serve.port) as wire:
        wire.send(b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        for i in range(0, len(body), 3):
            wire.send(chunk(body[i:i + 3]))
            assert not wire.is_closed(0.1)
        assert wire.send(b"0\r\n\r\n").answer().status == 200


def test_idle_connection_is_closed_in_the_end(fake, gateway):
    serve = gateway([fake()], config={"timeouts": {"keep_alive": "200ms"}})
    with Wire(serve.port) as used, Wire(serve.port) as silent:
        assert used.send(get("/v1/models")).answer().status == 200
        assert used.is_closed()
        assert silent.is_closed()


def test_connections_over_the_limit_are_refused_and_others_live_on(fake, gateway):
    serve = gateway([fake()], "--workers", "1", config={"limits": {"connections": 4}})
    wires = [Wire(serve.port) for _ in range(4)]
    try:
        for wire in wires:
            assert wire.send(get("/v1/models")).answer().status == 200
        with Wire(serve.port) as late:
            try:
                answer = late.send(get("/v1/models")).answer()
                assert answer.status == 503 and answer.get("retry-after")
            except Exception:  # closed without a word
                pass
        assert wires[0].send(chat()).answer().status == 200
        wires.pop().close()

        def served():
            with Wire(serve.port) as again:
                try:
                    return again.send(get("/v1/models")).answer().status == 200
                except Exception:  # not yet
                    return False

        eventually(served)
    finally:
        for wire in wires:
            wire.close()


def test_few_metrics_labels_for_many_models(fake, gateway):
    models = [f"model-{i}" for i in range(30)]
    serve = gateway([fake(models=models)], config={"metrics": {"max_models": 5}})
    for model in models:
        assert serve.ask(chat(model=model)).status == 200
    named = {series.split('model="')[1].split('"')[0] for series in serve.metrics()
             if series.startswith("turnpike_time_to_first_token_seconds_count")}
    assert len(named) == 6 and "other" in named
