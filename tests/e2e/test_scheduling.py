"""What the queue and the placement do, seen through real sockets: the ancestor's cases, and what its users suffer from."""
import threading

import pytest
from fake_engine import Gate, completion, talk, whole
from wire import Wire, ask, chat, eventually


def gated(gate):
    def script(exchange):
        gate.wait()
        exchange.send(whole(completion(exchange.request.prompt)))
    return script


class Steps:
    """Lets held requests go one at a time, in the order in which the engine got them."""

    def __init__(self):
        self._changed = threading.Condition()
        self.order, self._allowed = [], 0

    def __call__(self, exchange):
        with self._changed:
            place = len(self.order)
            self.order.append(exchange.request.prompt)
            self._changed.notify_all()
            assert self._changed.wait_for(lambda: self._allowed > place, 30)
        exchange.send(whole(completion(exchange.request.prompt)))

    def allow(self, count):
        with self._changed:
            self._allowed += count
            self._changed.notify_all()


def test_arrival_into_an_idle_queue_goes_at_once(fake, gateway):
    """No poll to wait for, and a burst fills every place at once."""
    gate = Gate()
    serve = gateway([fake(gated(gate)), fake(gated(gate))], "--policy", "session-boost")
    wires = [Wire(serve.port).send(chat(f"{i}")) for i in range(40)]
    eventually(lambda: gate.held == 32, within=5, what="16 on each of two engines")
    assert serve.total("queued") == 8
    gate.open()
    for wire in wires:
        assert wire.answer().status == 200
        wire.close()


def test_waiting_gauge_of_an_idle_engine_does_not_put_the_queue_to_sleep(fake, gateway):
    """The ancestor sleeps beside idle engines because the last scrape said "waiting": 352 answers and 42 time-outs where no
    queue at all gave 2467. Its gauge stays at one here, and never anything runs."""
    engine = fake()
    engine.waiting = 1
    serve = gateway([engine], "--policy", "session-boost")
    for i in range(20):
        assert serve.ask(chat(f"{i}"), timeout=5).status == 200


def test_alias_and_name_share_one_limit(fake, gateway):
    """In the ancestor two names on one pod have twice the limit: it counts per route name."""
    gate = Gate()
    serve = gateway([fake(gated(gate), models=["a", "b"])], "--policy", "session-boost")
    wires = [Wire(serve.port).send(chat(f"{i}", model="ab"[i % 2])) for i in range(40)]
    eventually(lambda: serve.total("queued") == 24)
    eventually(lambda: gate.held == 16)
    assert serve.total("leases") == 16
    gate.open()
    for wire in wires:
        assert wire.answer().status == 200
        wire.close()


def test_gate_of_one_model_ignores_the_endpoints_of_another(fake, gateway):
    gate = Gate()
    serve = gateway([fake(gated(gate), models=["a"]), fake(models=["b"])], "--policy", "session-boost")
    wires = [Wire(serve.port).send(chat(f"{i}", model="a")) for i in range(20)]
    eventually(lambda: serve.total("queued") == 4)
    assert serve.ask(chat(model="b")).status == 200
    gate.open()
    for wire in wires:
        assert wire.answer().status == 200
        wire.close()


def test_boosted_follow_up_passes_an_earlier_stranger(fake, gateway):
    engine = fake()
    serve = gateway([engine], "--policy", "session-boost")
    assert serve.ask(chat("turn 1", session="known")).status == 200
    steps = engine.script = Steps()
    wires = [Wire(serve.port).send(chat(f"hold {i}")) for i in range(16)]
    eventually(lambda: len(steps.order) == 16)
    stranger = Wire(serve.port).send(chat("stranger", session="new"))
    eventually(lambda: serve.total("queued") == 1)
    follow_up = Wire(serve.port).send(chat("turn 2", session="known"))
    eventually(lambda: serve.total("queued") == 2)
    steps.allow(1)
    eventually(lambda: len(steps.order) == 17)
    assert steps.order[16] == "turn 2"
    steps.allow(100)
    assert follow_up.answer().get("x-turnpike-decision") == "boosted"
    assert stranger.answer().status == 200
    for wire in [*wires, follow_up, stranger]:
        wire.close()


def test_strangers_keep_their_order(fake, gateway):
    steps = Steps()
    serve = gateway([fake(steps)], "--policy", "session-boost")
    wires = [Wire(serve.port).send(chat(f"hold {i}")) for i in range(16)]
    eventually(lambda: len(steps.order) == 16)
    for i in range(5):
        wires.append(Wire(serve.port).send(chat(f"wait {i}", session=f"s{i}")))
        eventually(lambda i=i: serve.total("queued") == i + 1)
    for i in range(5):
        steps.allow(1)
        eventually(lambda i=i: len(steps.order) == 17 + i)
    assert steps.order[16:] == [f"wait {i}" for i in range(5)]
    steps.allow(100)
    for wire in wires:
        wire.close()


def test_newcomers_do_not_starve_behind_busy_sessions(fake, gateway):
    """Four sessions that always come back starve everybody else in the ancestor. A boosted request is overtaken, and
    overtakes, boundedly often."""
    engine = fake()
    serve = gateway([engine], "--policy", "session-boost")
    busy = [f"busy {i}" for i in range(20)]
    for session in busy:
        assert serve.ask(chat("first", session=session)).status == 200
    stop = threading.Event()
    engine.script = lambda exchange: (stop.wait(0.002), talk(exchange))

    def come_back(session):
        with Wire(serve.port, timeout=30) as wire:
            while not stop.is_set():
                wire.send(chat("again", session=session)).answer()

    threads = [threading.Thread(target=come_back, args=(session,), daemon=True) for session in busy]
    for thread in threads:
        thread.start()
    try:
        for i in range(5):
            assert serve.ask(chat("newcomer", session=f"new {i}"), timeout=20).status == 200
    finally:
        stop.set()
        for thread in threads:
            thread.join(10)


@pytest.mark.parametrize("policy", ["resident-set", "session-boost", "sticky"])
def test_turns_of_a_session_stay_on_its_endpoint(policy, fake, gateway):
    engines = [fake() for _ in range(4)]
    serve = gateway(engines, "--policy", policy)
    for session in range(12):
        homes = {serve.ask(chat(f"turn {turn} of {session}", session=f"s{session}")).get("x-turnpike-endpoint") for turn in range(4)}
        assert len(homes) == 1


@pytest.mark.parametrize("header", ["X-Session-ID", "x-claude-code-session-id", "x-opencode-session", "x-session-affinity",
                                    "x-dynamo-session-id", "x-smg-routing-key", "x-openwebui-chat-id", "session_id"])
def test_session_in_a_header_that_clients_really_send_is_recognised(header, fake, gateway):
    """A session in another header than the configured one is silently nobody's in the ancestor."""
    serve = gateway([fake() for _ in range(4)])
    for session in range(6):
        homes = {serve.ask(chat(f"{session}/{turn}", headers=[f"{header}: id-{session}"])).get("x-turnpike-endpoint")
                 for turn in range(3)}
        assert len(homes) == 1
    assert serve.total("sessions") >= 6 if "sessions" in serve.pools()[0] else True


def test_session_header_flag_replaces_the_default(fake, gateway):
    serve = gateway([fake() for _ in range(4)], "--session-header", "X-Chat", "--session-header", "X-Agent")
    for header in ("X-Chat", "X-Agent"):
        homes = {serve.ask(chat(f"{turn}", headers=[f"{header}: one"])).get("x-turnpike-endpoint") for turn in range(6)}
        assert len(homes) == 1


def test_new_sessions_with_one_long_system_prompt_spread(fake, gateway):
    """At three peers a long shared system prompt sends all new sessions to one engine."""
    gate = Gate()
    engines = [fake(gated(gate)) for _ in range(4)]
    serve = gateway(engines)
    system = [{"role": "system", "content": "You are a very thorough assistant. " * 400}]
    wires = []
    for i in range(16):
        wires.append(Wire(serve.port).send(chat(session=f"s{i}", messages=[*system, {"role": "user", "content": f"question {i}"}])))
        eventually(lambda i=i: gate.held == i + 1)
    counts = sorted(len(engine.requests) for engine in engines)
    gate.open()
    for wire in wires:
        wire.close()
    assert counts[0] >= 1 and counts[-1] <= 8, counts


def test_parallel_requests_of_one_session_are_all_served(fake, gateway):
    serve = gateway([fake(), fake()])
    wires = [Wire(serve.port).send(chat(f"{i}", session="one")) for i in range(12)]
    for wire in wires:
        assert wire.answer().status == 200
        wire.close()


def test_first_event_does_not_wait_for_nagle(fake, gateway):
    """At one peer the first event waits 42 ms. Median of many, so that a busy machine does not fail the test."""
    import time
    serve = gateway([fake()])
    times = []
    with Wire(serve.port) as wire:
        for i in range(21):
            started = time.monotonic()
            wire.send(chat(f"{i}", stream=True)).head()
            wire.events = b""
            wire.event()
            times.append(time.monotonic() - started)
            while wire.chunk() is not None:
                pass
    assert sorted(times)[10] < 0.030


def test_one_slow_reader_does_not_make_the_gateway_swallow_the_stream(fake, gateway):
    """At two peers it does. The engine's writes block instead, and the gateway's memory stays."""
    from fake_engine import STREAM_HEAD, chunk, delta, sse
    sent = [0]
    block = chunk(sse(delta(content="x" * 1000))) * 64
    ended = threading.Event()

    def script(exchange):
        exchange.send(STREAM_HEAD)
        exchange.connection.settimeout(30)
        try:
            while sent[0] < 256 * 1024 * 1024:
                exchange.send(block)
                sent[0] += len(block)
        except OSError:
            pass
        ended.set()

    serve = gateway([fake(script)])
    before = serve.resident_kb()
    with Wire(serve.port, receive_buffer=4096) as slow:
        slow.send(chat(stream=True)).head()
        last = [-1]

        def stalled():
            threading.Event().wait(0.2)
            still, last[0] = sent[0] == last[0], sent[0]
            return still

        eventually(stalled, within=20, what="the engine to be held back")
        assert sent[0] < 64 * 1024 * 1024
        assert serve.resident_kb() - before < 16 * 1024
        # Others are served meanwhile.
    ended.wait(20)
    assert ask(serve.port, b"GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n").status == 200


def test_short_answers_to_long_prompts_are_not_slower_through_the_queue(engine, gateway):
    """Fifty long prompts with one token of answer through the queue and without it, on the simulated engine."""
    import time
    elapsed = {}
    for policy in ("round-robin", "session-boost"):
        urls = engine("--replicas", "2", "--model", "m", "--profile", "kthena-table", "--speed", "20")
        serve = gateway(urls, "--policy", policy, "--speed", "20")
        started = time.monotonic()
        wires = [Wire(serve.port, timeout=50).send(chat("long prompt " * 800 + str(i), max_tokens=1, session=f"s{i}")) for i in range(50)]
        for wire in wires:
            assert wire.answer().status == 200
            wire.close()
        elapsed[policy] = time.monotonic() - started
    assert elapsed["session-boost"] < elapsed["round-robin"] * 1.3 + 0.3, elapsed


def test_an_id_that_may_be_one_per_request_counts_when_it_comes_again(fake, gateway):
    serve = gateway([fake()], "--policy", "session-boost")
    for i in range(3):
        assert serve.ask(chat(f"{i}", headers=[f"x-correlation-id: {i}"])).status == 200
    assert serve.total("sessions") == 3
    assert serve.total("sessions_tracked") == 0
    assert serve.ask(chat("again", headers=["x-correlation-id: 1"])).get("x-turnpike-decision") == "boosted"
    eventually(lambda: serve.total("sessions_tracked") == 1)
