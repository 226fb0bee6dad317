"""Requests that ask for endpoints with certain labels."""
from fake_engine import Gate, completion, whole
from wire import Wire, chat, eventually


def labelled(*backends):
    """A configuration of endpoints a, b, c, ...: (engine, labels) each, one request at a time."""
    return {"policy": "session-boost", "expert": {"admission": {"limit": 1}},
            "backends": [{"url": engine.url, "name": name, "labels": labels}
                         for name, (engine, labels) in zip("abcd", backends)]}


def asks_for(labels, prompt):
    return chat(prompt, headers=[f"x-turnpike-labels: {labels}"])


def test_request_goes_only_where_all_its_labels_are(fake, gateway):
    serve = gateway(config=labelled((fake(), ["gpu=h100", "zone=x"]), (fake(), ["gpu=h100", "zone=y"]), (fake(), [])))
    serve.wait_ready(3)
    for labels, expected in [("zone=y", "b"), ("zone=x, gpu=h100", "a"), (" gpu=h100 ,zone=y,", "b")]:
        for i in range(3):
            answer = serve.ask(asks_for(labels, f"{labels} {i}"))
            assert answer.status == 200 and answer.get("x-turnpike-endpoint") == expected
    answer = serve.ask(asks_for("gpu=a100", "nobody"))
    assert answer.status == 404 and b"gpu=a100" in answer.body
    assert serve.ask(asks_for(" , ", "anybody")).status == 200
    # Clients see no more models than there are, nor does the admin.
    models = serve.ask(b"GET /v1/models HTTP/1.1\r\nHost: gateway.test\r\n\r\n").json
    assert [model["id"] for model in models["data"]] == ["m"]
    assert [pool["models"] for pool in serve.pools()] == [["m"]]


def test_who_waits_for_a_label_blocks_nobody(fake, gateway):
    gate = Gate()

    def held(exchange):
        gate.wait()
        exchange.send(whole(completion(exchange.request.prompt)))

    serve = gateway(config=labelled((fake(held), ["gpu=h100"]), (fake(), [])))
    serve.wait_ready(2)
    wires = [Wire(serve.port).send(asks_for("gpu=h100", f"{i}")) for i in range(3)]
    eventually(lambda: gate.held == 1 and serve.total("queued") == 2)
    for i in range(3):
        assert serve.ask(chat(f"other {i}")).get("x-turnpike-endpoint") == "b"
    gate.open()
    for wire in wires:
        assert wire.answer().get("x-turnpike-endpoint") == "a"
        wire.close()
