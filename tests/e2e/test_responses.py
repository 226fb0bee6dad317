"""The Responses API keeps answers in the memory of the endpoint that gave them: whatever refers to one goes there and nowhere else."""
import json
import threading

import pytest
from fake_engine import STREAM_HEAD, Gate, whole
from wire import Wire, eventually, post


class Store:
    """An engine with a store of its own, as vLLM has one."""

    def __init__(self, name):
        self.name, self.count, self.responses, self.lock = name, 0, {}, threading.Lock()
        self.gate = None

    def __call__(self, exchange):
        request = exchange.request
        if request.path != "/v1/responses":
            return self.about(exchange, request)
        body = request.json
        if self.gate:
            self.gate.wait()
        previous = body.get("previous_response_id")
        if previous and previous not in self.responses:
            return exchange.send(whole({"error": {"message": f"{self.name} has no {previous}"}}, "404 Not Found"))
        with self.lock:
            self.count += 1
            answer = {"id": f"resp_{self.name}_{self.count}", "object": "response", "status": "completed", "model": "m",
                      "output": [{"id": "msg_1", "type": "message", "role": "assistant", "status": "completed",
                                  "content": [{"type": "output_text", "text": f"Answer {self.count}", "annotations": []}]}],
                      "usage": {"input_tokens": 10, "output_tokens": 3, "total_tokens": 13}}
            self.responses[answer["id"]] = answer
        if not body.get("stream"):
            return exchange.send(whole(answer))
        exchange.send(STREAM_HEAD)
        exchange.event({"type": "response.created", "response": {**answer, "output": [], "status": "in_progress"}})
        exchange.event({"type": "response.output_text.delta", "delta": "Answer"})
        exchange.event({"type": "response.completed", "response": answer})
        exchange.send(b"0\r\n\r\n")

    def about(self, exchange, request):
        name = request.path.removeprefix("/v1/responses/").split("/")[0].split("?")[0]
        if name not in self.responses:
            return exchange.send(whole({"error": {"message": "gone"}}, "404 Not Found"))
        if request.method == "DELETE":
            del self.responses[name]
            return exchange.send(whole({"id": name, "deleted": True}))
        if request.path.endswith("/cancel"):
            return exchange.send(whole({"id": name, "status": "cancelled"}))
        exchange.send(whole(self.responses[name]))


def response(serve, headers=(), **fields):
    return serve.ask(post("/v1/responses", {"model": "m", "input": "x", **fields}, headers))


def bare(method, path, headers=()):
    lines = [f"{method} {path} HTTP/1.1", "Host: g", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@pytest.fixture
def stores(fake):
    stores = [Store(name) for name in "abc"]
    engines = [fake(store) for store in stores]
    return stores, engines


@pytest.mark.parametrize("policy", ["resident-set", "session-boost", "round-robin"])
def test_an_answer_is_gone_on_from_where_it_is(stores, gateway, policy):
    serve = gateway(stores[1], "--policy", policy)
    ids = []
    for i in range(6):
        answer = response(serve, stream=True) if i % 2 else response(serve)
        assert answer.status == 200
        ids.append(answer.events[0]["response"]["id"] if i % 2 else answer.json["id"])
    assert len({name.split("_")[1] for name in ids}) > 1, "they are on several endpoints"
    for name in reversed(ids):
        for _ in range(3):
            answer = response(serve, previous_response_id=name)
            assert answer.status == 200, answer.body
            assert answer.json["id"].split("_")[1] == name.split("_")[1]
            name = answer.json["id"]
    assert serve.metric("turnpike_stored_responses") == 24
    assert [sorted(pool["models"]) for pool in serve.pools()] == [["m"]]


def test_turns_that_only_refer_to_an_answer_are_one_session(stores, gateway):
    serve = gateway(stores[1])
    answer = response(serve)
    for _ in range(3):
        answer = response(serve, previous_response_id=answer.json["id"])
    assert answer.get("x-turnpike-session-from") == "body:previous_response_id"
    assert answer.get("x-turnpike-decision") == "resident"
    assert sum(pool["sessions"] for pool in serve.pools()) == 1


def test_what_nobody_holds_is_a_404(stores, gateway):
    serve = gateway(stores[1])
    answer = response(serve, previous_response_id="resp_unknown")
    assert (answer.status, answer.get("x-turnpike-reason")) == (404, "unknown-response")
    assert answer.json["error"]["param"] == "previous_response_id" and "resp_unknown" in answer.json["error"]["message"]
    assert serve.ask(bare("GET", "/v1/responses/resp_unknown")).status == 404
    assert all(store.count == 0 for store in stores[0])


def test_answers_of_others_are_not_there(stores, gateway):
    serve = gateway(stores[1])
    mine = response(serve, headers=["Authorization: Bearer k1"]).json["id"]
    assert response(serve, headers=["Authorization: Bearer k2"], previous_response_id=mine).status == 404
    assert serve.ask(bare("GET", f"/v1/responses/{mine}", ["Authorization: Bearer k2"])).status == 404
    assert serve.ask(bare("GET", f"/v1/responses/{mine}", ["Authorization: Bearer k1"])).status == 200


def test_an_answer_can_be_read_cancelled_and_deleted(stores, gateway):
    serve = gateway(stores[1], "--policy", "round-robin")
    ids = [response(serve).json["id"] for _ in range(6)]
    with Wire(serve.port) as wire:
        for name in ids:
            assert wire.send(bare("GET", f"/v1/responses/{name}?include=x")).answer().json["id"] == name
            assert wire.send(bare("GET", f"/v1/responses/{name}/input_items")).answer().status == 200
            assert wire.send(bare("POST", f"/v1/responses/{name}/cancel")).answer().json["status"] == "cancelled"
            assert wire.send(bare("DELETE", f"/v1/responses/{name}")).answer().json["deleted"]
            assert wire.send(bare("GET", f"/v1/responses/{name}")).answer().status == 404
    assert serve.ask(bare("PUT", f"/v1/responses/{ids[0]}")).status == 405
    assert serve.metric("turnpike_stored_responses") == 0


def test_it_waits_for_its_endpoint_though_others_are_free(stores, gateway):
    (a, b, _), engines = stores
    serve = gateway(engines[:2], config={"policy": "session-boost", "expert": {"admission": {"rule": "inflight", "limit": 1}}})
    name = response(serve).json["id"]
    store = a if name in a.responses else b
    store.gate = Gate()
    wires = [Wire(serve.port).send(post("/v1/responses", {"model": "m", "input": "x", "previous_response_id": name})) for _ in range(3)]
    eventually(lambda: store.gate.held == 1 and serve.total("queued") == 2)
    waiting = serve.admin("/api/queue").json["requests"]
    assert all(entry["model"].startswith("endpoint ") for entry in waiting), waiting
    assert response(serve).status == 200  # the other one answers
    store.gate.open()
    for wire in wires:
        assert wire.answer().json["id"].split("_")[1] == name.split("_")[1]
        wire.close()


def test_a_dead_endpoint_takes_its_answers_with_it(stores, gateway):
    (a, b, _), engines = stores
    serve = gateway(engines[:2], config={"health": {"active": False}})
    name = response(serve).json["id"]
    holder, other = (0, 1) if name in a.responses else (1, 0)
    engines[holder].end()
    answer = response(serve, previous_response_id=name)
    assert (answer.status, answer.get("x-turnpike-reason")) == (404, "unknown-response")
    assert serve.ask(bare("GET", f"/v1/responses/{name}")).status == 404
    assert stores[0][other].count == 0 and response(serve).status == 200


def test_an_endpoint_that_is_taken_out_takes_its_answers_with_it(stores, gateway):
    serve = gateway(stores[1])
    name = response(serve).json["id"]
    url = next(engine.url for store, engine in zip(*stores) if name in store.responses)
    assert serve.admin("/api/endpoints", {"url": url, "action": "remove"}).status == 200
    eventually(lambda: len(serve.endpoints()) == 2)
    for answer in (response(serve, previous_response_id=name), serve.ask(bare("GET", f"/v1/responses/{name}"))):
        assert (answer.status, answer.get("x-turnpike-reason")) == (404, "unknown-response")


def test_one_endpoint_needs_no_map(fake, gateway):
    """After a restart of the gateway, too: nobody else could hold it."""
    store = Store("a")
    engine = fake(store)
    name = response(gateway([engine])).json["id"]
    serve = gateway([engine])
    assert response(serve, previous_response_id=name).status == 200
    assert serve.ask(bare("GET", f"/v1/responses/{name}")).json["id"] == name


def test_a_conversation_stays_where_it_began(stores, gateway):
    serve = gateway(stores[1], "--policy", "round-robin")
    for form in ("conv_1", {"id": "conv_2"}):
        places = {response(serve, conversation=form).json["id"].split("_")[1] for _ in range(4)}
        assert len(places) == 1


def test_no_more_answers_are_remembered_than_the_limit_says(stores, gateway):
    serve = gateway(stores[1], config={"limits": {"stored_responses": 10}})
    ids = [response(serve).json["id"] for _ in range(30)]
    assert serve.metric("turnpike_stored_responses") <= 10
    assert serve.metric("turnpike_stored_responses_forgotten_total") >= 20
    assert response(serve, previous_response_id=ids[0]).status == 404
    assert response(serve, previous_response_id=ids[-1]).status == 200
