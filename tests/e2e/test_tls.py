"""TLS on both sides: real clients, certificates that change, peers that read slowly or leave, and what is refused."""
import socket
import ssl
import subprocess
import threading

import httpx
import openai
import pytest
from certificates import Authority
from fake_engine import Gate, completion, delta, talk, whole
from wire import Closed, Wire, chat, eventually, post


@pytest.fixture(scope="session")
def pair(authority):
    return authority.issue("gateway")


@pytest.fixture
def secure(gateway, pair):
    """A gateway with TLS: secure(backends, flags...)."""
    def start(backends, *flags, **options):
        return gateway(backends, "--tls-cert", pair[0], "--tls-key", pair[1], *flags, **options)
    return start


def test_curl(secure, fake, authority):
    serve = secure([fake()])
    url = f"https://localhost:{serve.port}/v1/chat/completions"
    body = '{"model":"m","messages":[{"role":"user","content":"Hi"}]}'
    done = subprocess.run(["curl", "-sS", "--max-time", "10", "--cacert", authority.certificate, "-d", body, "-w", "%{http_code}", url],
                          capture_output=True, text=True, timeout=20)
    assert done.stdout.endswith("200") and "Hello there" in done.stdout, done
    untrusting = subprocess.run(["curl", "-sS", "--max-time", "10", "-d", body, url], capture_output=True, text=True, timeout=20)
    assert untrusting.returncode == 60
    eventually(lambda: serve.metric("turnpike_tls_handshakes_total", result="failed") >= 1)
    assert serve.metric("turnpike_tls_handshakes_total", result="done") >= 1


def test_openai_python(secure, fake, authority):
    serve = secure([fake()])
    with httpx.Client(verify=authority.trusted()) as http, openai.OpenAI(
            base_url=f"https://localhost:{serve.port}/v1", api_key="sk-test", max_retries=0, timeout=20, http_client=http) as client:
        messages = [{"role": "user", "content": "Hi"}]
        for _ in range(3):
            assert client.chat.completions.create(model="m", messages=messages).choices[0].message.content == "Hello there"
        assert serve.metric("turnpike_tls_handshakes_total", result="done") == 1
        stream = client.chat.completions.create(model="m", messages=messages, stream=True)
        assert "".join(event.choices[0].delta.content or "" for event in stream if event.choices) == "Hello there"


def test_large_bodies_both_ways(secure, fake, authority):
    text = "x" * 3_000_000
    serve = secure([fake(lambda exchange: exchange.send(whole(completion(exchange.request.prompt))))])
    with Wire(serve.port, tls=authority.trusted()) as wire:
        for _ in range(2):
            assert wire.send(chat(text)).answer().text == text


def test_a_session_is_resumed(secure, fake, authority):
    serve = secure([fake()])
    for newest in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = authority.trusted()
        context.maximum_version = newest
        with Wire(serve.port, tls=context) as wire:
            wire.send(chat()).answer()
            session = wire.socket.session
        with socket.create_connection(("127.0.0.1", serve.port)) as plain, \
                context.wrap_socket(plain, server_hostname="localhost", session=session) as again:
            assert again.session_reused, newest


def test_old_protocols_are_refused(secure, fake, authority):
    serve = secure([fake()])
    context = authority.trusted()
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError):
        Wire(serve.port, tls=context)


def test_plain_http_on_a_tls_port_gets_no_answer(secure, fake):
    serve = secure([fake()])
    with Wire(serve.port) as wire:
        assert not wire.send(chat()).rest().startswith(b"HTTP")
    eventually(lambda: serve.metric("turnpike_tls_handshakes_total", result="failed") == 1)


def test_client_certificates(secure, fake, authority, tmp_path):
    clients = Authority(tmp_path, "clients")
    known, stranger = clients.issue("known"), authority.issue("stranger")
    tls = {"client_ca": str(clients.certificate), "client_certificates": "required"}
    serve = secure([], config={"tls": tls, "backends": [fake().url]}, ready=False)
    serve.wait_ready()
    with Wire(serve.port, tls=authority.trusted(known)) as wire:
        assert wire.send(chat()).answer().status == 200
    for context in (authority.trusted(), authority.trusted(stranger)):
        # The server's refusal comes after the client thinks the handshake done (TLS 1.3).
        with pytest.raises((ssl.SSLError, ConnectionError, Closed)), Wire(serve.port, tls=context) as wire:
            wire.send(chat()).answer()


def test_the_certificate_is_renewed_while_a_stream_runs(gateway, fake, tmp_path):
    gate = Gate()

    def script(exchange):
        exchange.start_stream(delta(role="assistant", content=""), delta(content="before"))
        gate.wait()
        exchange.event(delta(content=" after"))
        exchange.end_stream()

    authority = Authority(tmp_path)
    certificate, key = authority.issue("gateway")
    serve = gateway([], config={"tls": {"certificate": str(certificate), "key": str(key), "reload_interval": "50ms"},
                                "backends": [fake(script).url]}, ready=False)
    serve.wait_ready()

    def shown():
        with Wire(serve.port, tls=authority.trusted()) as wire:
            return wire.socket.getpeercert()["serialNumber"]

    with Wire(serve.port, tls=authority.trusted()) as wire:
        wire.send(chat(stream=True)).head()
        wire.event()
        first = shown()
        # One file after the other; in between they do not fit, and the old pair stays.
        certificate.write_text("no certificate at all")
        eventually(lambda: serve.metric("turnpike_tls_reload_failures_total") >= 1)
        assert shown() == first
        authority.issue("gateway")
        eventually(lambda: shown() != first, what="the new certificate")
        assert serve.metric("turnpike_tls_reloads_total") >= 1
        assert serve.metric("turnpike_tls_certificate_expiry_timestamp_seconds") > 1_700_000_000
        gate.open()
        assert wire.event()["choices"][0]["delta"]["content"] == "before"
        assert wire.event()["choices"][0]["delta"]["content"] == " after"


@pytest.mark.parametrize("leave", ["close", "half_close"])
def test_a_client_that_leaves_is_noticed(leave, secure, fake, authority):
    reached, left = threading.Event(), threading.Event()

    def script(exchange):
        exchange.start_stream(delta(role="assistant", content=""))
        reached.set()
        exchange.wait_closed()
        left.set()

    serve = secure([fake(script)])
    wire = Wire(serve.port, tls=authority.trusted()).send(chat(stream=True))
    assert reached.wait(10)
    getattr(wire, leave)()
    assert left.wait(5)
    wire.close()


def test_a_slow_reader_slows_the_engine_and_gets_all(secure, fake, authority):
    sent, piece, count = [], "y" * 65536, 400

    def script(exchange):
        exchange.start_stream(delta(role="assistant", content=""))
        for _ in range(count):
            exchange.event(delta(content=piece))
            sent.append(1)
        exchange.end_stream()

    serve = secure([fake(script)])
    with Wire(serve.port, timeout=30, receive_buffer=16384, tls=authority.trusted()) as wire:
        wire.send(chat(stream=True)).head()
        held = -1

        def stopped():
            nonlocal held
            before, held = held, len(sent)
            return held == before and held > 0

        eventually(lambda: stopped(), what="the engine to be held up")
        assert len(sent) < count and serve.resident_kb() < 200_000
        total = 0
        for event in iter(wire.event, "[DONE]"):
            total += len(event["choices"][0]["delta"].get("content") or "")
        assert total == len(piece) * count


def test_engines_over_https(gateway, fake, authority):
    engine = fake(tls=authority.serving())
    serve = gateway([], config={"backends": [{"url": engine.url, "tls": {"ca": str(authority.certificate)}}]}, ready=False)
    serve.wait_ready()
    eventually(lambda: serve.metric("turnpike_endpoint_scrapes_total") >= 2)
    assert serve.metric("turnpike_endpoint_scrape_failures_total") == 0
    with Wire(serve.port) as wire:
        for stream in (False, True, False):
            assert wire.send(chat("x" * 300_000, stream=stream)).answer().text == "Hello there"
    # Health, models, gauges, and one for all of these requests.
    assert engine.connections <= 4


@pytest.mark.parametrize("tls, why", [
    ({}, "certificate verify failed"),
    ({"ca": True, "server_name": "another.name"}, "ostname mismatch"),
])
def test_an_engine_whose_certificate_is_not_good_gets_nothing(tls, why, gateway, fake, authority):
    if "ca" in tls:
        tls["ca"] = str(authority.certificate)
    engine = fake(tls=authority.serving())
    config = {"backends": [{"url": engine.url, "models": ["m"], "tls": tls}], "timeouts": {"no_endpoint_wait": "100ms"}}
    serve = gateway([], config=config, ready=False)
    eventually(lambda: any(why in (endpoint.get("trouble") or "") for endpoint in serve.endpoints()), what=why)
    assert serve.ask(chat()).status in (502, 503)
    assert not engine.requests


def test_insecure_takes_any_certificate(gateway, fake, authority):
    engine = fake(tls=authority.serving(hosts="DNS:elsewhere"))
    serve = gateway([], config={"backends": [{"url": engine.url, "tls": {"insecure": True}}]}, ready=False)
    serve.wait_ready()
    assert serve.ask(chat()).status == 200


def test_an_engine_that_wants_a_certificate(gateway, fake, authority):
    context = authority.serving()
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.certificate)
    certificate, key = map(str, authority.issue("gateway-client"))
    engine = fake(tls=context)
    serve = gateway([], config={"backends": [{"url": engine.url, "tls": {
        "ca": str(authority.certificate), "certificate": certificate, "key": key}}]}, ready=False)
    serve.wait_ready()
    assert serve.ask(chat(stream=True)).text == "Hello there"


def test_an_engine_that_dies_in_mid_stream(gateway, fake, authority):
    def script(exchange):
        exchange.start_stream(delta(role="assistant", content=""), delta(content="half"))
        exchange.close()

    engine = fake(script, tls=authority.serving())
    serve = gateway([], config={"backends": [{"url": engine.url, "tls": {"insecure": True}}]}, ready=False)
    serve.wait_ready()
    answer = serve.ask(chat(stream=True))
    assert not answer.complete and "error" in answer.events[-1]


@pytest.mark.parametrize("flags, why", [
    (("--tls-cert", "/no/such.pem"), "tls.certificate: needs its key"),
    (("--tls-cert", "/no/such.pem", "--tls-key", "/no/such.key"), "/no/such.pem holds no usable certificate"),
])
def test_what_cannot_be_served_is_said(flags, why, command):
    status, _, said = command("serve", "--backend", "http://127.0.0.1:1", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", *flags)
    assert status in (1, 2) and why in said


def test_both_sides_at_once(secure, fake, authority):
    engine = fake(talk, tls=authority.serving())
    serve = secure([], config={"backends": [{"url": engine.url, "tls": {"ca": str(authority.certificate)}}]}, ready=False)
    serve.wait_ready()
    with Wire(serve.port, tls=authority.trusted()) as wire:
        body = {"model": "m", "messages": [{"role": "user", "content": "z" * 100_000}]}
        request = post("/v1/chat/completions", body, ["Expect: 100-continue"])
        head, _, rest = request.partition(b"\r\n\r\n")
        wire.send(head + b"\r\n\r\n")
        assert wire.head().status == 100
        assert wire.send(rest).answer().text == "Hello there"
