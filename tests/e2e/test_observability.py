"""What an operator sees: probes, metrics, the access log, the admin API."""
import json
import pathlib
import re
import subprocess

import pytest
from fake_engine import Gate, completion, whole
from processes import ROOT
from wire import Wire, chat, eventually, get, post


def test_probes(fake, gateway):
    serve = gateway([fake()])
    assert serve.admin("/healthz").status == 200
    assert serve.admin("/readyz").status == 200


def test_admin_paths_are_not_on_the_public_port(fake, gateway):
    serve = gateway([fake()])
    for path in ("/metrics", "/api/pools", "/api/config", "/api/reload"):
        assert serve.ask(get(path)).status == 404


@pytest.fixture(scope="session")
def promtool():
    done = subprocess.run([ROOT / "scripts" / "fetch_promtool.sh"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip("promtool cannot be fetched")
    return done.stdout.strip().splitlines()[-1]


def test_metrics_are_clean(promtool, fake, gateway):
    serve = gateway([fake(), fake()])
    for i in range(3):
        serve.ask(chat(session="s"))
        serve.ask(chat(session="s", stream=True))
    serve.ask(chat(model="nope"))
    serve.ask(post("/v1/chat/completions", b"{"))
    answer = serve.admin("/metrics")
    assert answer.get("content-type").startswith("text/plain")
    done = subprocess.run([promtool, "check", "metrics"], input=answer.body, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


KTHENA = "kthena_router_session_boost_queue_"


def test_the_ancestors_metrics_are_there_when_asked_for(promtool, fake, gateway):
    gate = Gate()

    def script(exchange):
        gate.wait()
        exchange.send(whole(completion()))

    serve = gateway([fake(script)], config={
        "policy": "session-boost", "metrics": {"kthena_names": True}, "timeouts": {"queue": "200ms"},
        "expert": {"admission": {"rule": "inflight", "limit": 1}}})
    wire = Wire(serve.port).send(chat())
    eventually(lambda: gate.held == 1)
    assert serve.metric(KTHENA + "inflight", model="m") == 1
    late = Wire(serve.port).send(chat())
    eventually(lambda: serve.metric(KTHENA + "size", model="m") == 1)
    assert late.answer().status == 504
    gate.open()
    assert wire.answer().status == 200
    wire.close()
    late.close()
    eventually(lambda: serve.metric(KTHENA + "duration_seconds_count", model="m") == 1)
    assert serve.metric(KTHENA + "dequeue_total", model="m") == 1
    assert serve.metric(KTHENA + "cancelled_total", model="m") == 1
    bounds = re.findall(KTHENA + r'duration_seconds_bucket{model="m",le="([^"]+)"}', serve.admin("/metrics").body.decode())
    assert (bounds[0], bounds[-2]) == ("0.001", "5")
    done = subprocess.run([promtool, "check", "metrics"], input=serve.admin("/metrics").body, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def test_the_ancestors_metrics_are_absent_otherwise(fake, gateway):
    serve = gateway([fake()])
    assert serve.ask(chat()).status == 200
    assert not any(name.startswith("kthena") for name in serve.metrics())


def test_metrics_named_in_the_documentation_exist(fake, gateway):
    serve = gateway([fake()])
    assert serve.ask(chat(session="s")).status == 200
    names = {"turnpike_queue_length", "turnpike_queue_wait_seconds_bucket", "turnpike_queue_dispatched_total", "turnpike_in_flight",
             "turnpike_sessions_tracked", "turnpike_endpoint_leases", "turnpike_endpoint_backlog_tokens",
             "turnpike_endpoint_capacity_tokens", "turnpike_endpoint_gauge_age_seconds"}

    def missing():
        return names - set(re.findall(r"^(\w+)\{", serve.admin("/metrics").body.decode(), re.MULTILINE))

    # Some come with the first scrape of the engine's gauges, some with the end of the request.
    eventually(lambda: not missing(), what="all names")


def test_counts_follow_what_happened(fake, gateway):
    gate = Gate()

    def script(exchange):
        gate.wait()
        exchange.send(whole(completion()))

    serve = gateway([fake(script)], "--policy", "session-boost")
    wires = [Wire(serve.port).send(chat(f"{i}")) for i in range(20)]
    eventually(lambda: serve.total("queued") == 4)
    assert (serve.total("in_flight"), serve.total("leases")) == (16, 16)
    assert serve.metric("turnpike_queue_length") == 4
    assert serve.metric("turnpike_in_flight") == 16
    gate.open()
    for wire in wires:
        wire.answer()
        wire.close()
    eventually(serve.is_idle)
    assert serve.metric("turnpike_queue_length") == 0
    eventually(lambda: serve.metric("turnpike_queue_dispatched_total") == 20)


def test_access_log_json(fake, gateway):
    serve = gateway([fake()], "--access-log", "json")
    serve.ask(chat(session="a-secret-session", stream=True, headers=["X-Request-ID: request-7", "Authorization: Bearer sk-secret"]))
    line = serve.access_log()[0]
    values = [str(value) for value in line.values()]
    assert "request-7" in values and "m" in values and "200" in values
    # Ids are hashed, keys are never written.
    assert "a-secret-session" not in json.dumps(line) and "sk-secret" not in json.dumps(line)


def test_access_log_text(fake, gateway):
    serve = gateway([fake()], "--access-log", "text")
    serve.ask(chat(headers=["X-Request-ID: request-8"]))
    line = eventually(lambda: next((line for line in serve.stdout + serve.stderr if "request-8" in line), None))
    assert "200" in line


def test_access_log_cannot_be_forged(fake, gateway):
    serve = gateway([fake()], "--access-log", "text")
    serve.ask(chat(model='m" 200 forged="yes', headers=['X-Request-ID: a" 200 "b']))
    serve.ask(chat(headers=["X-Request-ID: the-end"]))
    eventually(lambda: any("the-end" in line for line in serve.stdout + serve.stderr))
    assert not any(line.endswith('forged="yes') for line in serve.stdout + serve.stderr)


def test_access_log_off_by_flag(fake, gateway):
    serve = gateway([fake()], "--access-log", "off")
    serve.ask(chat(headers=["X-Request-ID: silent-1"]))
    serve.expects_clean_end = False
    assert serve.end() == 0
    assert not any("silent-1" in line for line in serve.stdout + serve.stderr)


def test_endpoints_and_sessions_are_listed(fake, gateway):
    engines = [fake(), fake()]
    serve = gateway(engines)
    for i in range(5):
        serve.ask(chat(session=f"s{i}"))
    text = serve.admin("/api/endpoints").body.decode()
    for engine in engines:
        assert str(engine.port) in text
    assert serve.admin("/api/sessions?limit=2").status == 200
    assert serve.admin("/api/queue").status == 200
    assert serve.admin("/api/pools/m").status == 200
    assert serve.admin("/api/pools/nope").status == 404
    assert serve.admin("/nothing").status == 404


def test_admin_garbage_is_refused_and_harmless(fake, gateway):
    serve = gateway([fake()])
    for request in (b"\x00\x01\r\n\r\n", b"GET /api/sessions?limit=-1&after=%zz HTTP/1.1\r\nHost: a\r\n\r\n",
                    post("/api/endpoints", b"{"), post("/api/endpoints", {"url": 3, "action": "add"})):
        with Wire(serve.admin_port) as wire:
            wire.send(request)
            try:
                assert wire.answer().status < 500
            except Exception:  # closed without a word is as good
                pass
    assert serve.admin("/healthz").status == 200
    assert serve.ask(chat()).status == 200


def test_endpoint_is_added_drained_and_removed_live(fake, gateway):
    one, two = fake(), fake()
    serve = gateway([one])
    assert serve.ask(chat()).status == 200
    assert serve.admin("/api/endpoints", {"url": two.url, "action": "add"}).status in (200, 201, 202, 204)
    eventually(lambda: str(two.port) in serve.admin("/api/endpoints").body.decode())
    assert serve.admin("/api/endpoints", {"url": one.url, "action": "drain"}).status in (200, 202, 204)
    before = len(one.requests)

    def served_by_two():
        assert serve.ask(chat()).status == 200
        return len(two.requests) > 3

    eventually(served_by_two)
    assert len(one.requests) <= before + 1


def test_no_name_of_a_header_or_model_breaks_the_metrics(promtool, fake, gateway):
    strange = 'quote" back\\slash and line\nfeed'
    engine = fake(models=[strange])
    serve = gateway([engine])
    assert serve.ask(chat(model=strange)).status == 200
    done = subprocess.run([promtool, "check", "metrics"], input=serve.admin("/metrics").body, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def test_version_and_help(command):
    status, out, _ = command("--version")
    assert status == 0 and re.search(r"\d+\.\d+", out)
    for name in ("serve", "engine", "load", "check"):
        status, out, _ = command(name, "--help")
        assert status == 0 and len(out) > 100
        assert pathlib.Path(name).name in out


def test_a_restarted_engine_holds_nothing(fake, gateway):
    """Its cache is empty: a session that was resident there is not any more."""
    engine = fake()
    serve = gateway([engine], "--policy", "resident-set")

    def mode():
        return serve.admin("/api/sessions").json["sessions"][0]["mode"]

    assert serve.ask(chat(session="s")).status == 200
    eventually(lambda: mode() == "acting")
    eventually(lambda: serve.endpoints()[0]["dialect"] == "vllm")
    engine.started += 1
    eventually(lambda: serve.endpoints()[0]["restarts"] == 1)
    assert mode() == "paused"
