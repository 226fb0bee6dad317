"""Two workers: the same rules, whoever accepted the connection."""
import threading

from fake_engine import Gate, completion, whole
from wire import Wire, chat, eventually


def test_limit_holds_over_all_workers(fake, gateway):
    gate = Gate()

    def script(exchange):
        gate.wait()
        exchange.send(whole(completion()))

    serve = gateway([fake(script)], "--workers", "2", "--policy", "session-boost")
    wires = [Wire(serve.port).send(chat(f"{i}")) for i in range(40)]
    eventually(lambda: serve.total("queued") == 24)
    eventually(lambda: gate.held == 16)
    assert serve.total("leases") == 16
    for wire in wires[::3]:
        wire.close()
    gate.open()
    for wire in (wire for i, wire in enumerate(wires) if i % 3):
        assert wire.answer().status == 200
        wire.close()


def test_sessions_stay_on_their_endpoint_over_all_workers(fake, gateway):
    serve = gateway([fake() for _ in range(3)], "--workers", "2")
    for session in range(8):
        homes = {serve.ask(chat(f"{turn}", session=f"s{session}")).get("x-turnpike-endpoint") for turn in range(6)}
        assert len(homes) == 1


def test_many_clients_at_once(fake, gateway):
    serve = gateway([fake() for _ in range(2)], "--workers", "2")
    failures = []

    def client(number):
        try:
            with Wire(serve.port, timeout=30) as wire:
                for turn in range(20):
                    answer = wire.send(chat(f"{number}/{turn}", session=f"s{number}", stream=turn % 2 == 1)).answer()
                    assert answer.status == 200 and answer.complete and answer.text == "Hello there"
        except Exception as problem:  # gathered, so that the threads' failures are the test's
            failures.append(f"{number}: {problem!r}")

    threads = [threading.Thread(target=client, args=(i,)) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures, failures


def test_drain_with_two_workers(fake, gateway):
    gate = Gate()

    def script(exchange):
        gate.wait()
        exchange.send(whole(completion()))

    serve = gateway([fake(script)], "--workers", "2", "--policy", "session-boost")
    serve.expects_clean_end = False
    wires = [Wire(serve.port).send(chat(f"{i}")) for i in range(24)]
    eventually(lambda: serve.total("queued") == 8)
    serve.signal()
    eventually(lambda: serve.admin("/readyz").status == 503)
    gate.open()
    assert [wire.answer().status for wire in wires] == [200] * 24
    for wire in wires:
        wire.close()
    assert serve.wait() == 0
