"""Why a request waited: in the access log, and afterwards from the admin API."""
from fake_engine import Gate, completion, whole
from wire import Wire, chat, eventually


def held(gate):
    def script(exchange):
        gate.wait()
        exchange.send(whole(completion(exchange.request.prompt)))
    return script


def with_id(name, prompt, **how):
    return chat(prompt, headers=[f"x-request-id: {name}"], **how)


def one_place(**more):
    return {"policy": "session-boost", "expert": {"admission": {"rule": "inflight", "limit": 1}}, **more}


def test_a_waiting_request_is_explained_when_it_has_ended(fake, gateway):
    engine = fake()
    serve = gateway([engine], "--access-log", "json", config=one_place())
    assert serve.ask(chat("turn 1", session="known")).status == 200
    gate = Gate()
    engine.script = held(gate)
    wires = [Wire(serve.port).send(with_id("first", "first"))]
    eventually(lambda: gate.held == 1)
    for count, (name, session) in enumerate([("stranger", "new"), ("follow-up", "known")], 1):
        wires.append(Wire(serve.port).send(with_id(name, name, session=session)))
        eventually(lambda wanted=count: serve.total("queued") == wanted)
    assert serve.admin("/api/requests/stranger").status == 404  # it still waits
    gate.open()
    for wire in wires:
        assert wire.answer().status == 200
        wire.close()
    eventually(lambda: serve.admin("/api/requests/stranger").status == 200)

    stranger = serve.admin("/api/requests/stranger").json
    assert (stranger["decision"], stranger["ahead"], stranger["overtook"], stranger["overtaken"]) == ("cold", 0, 0, 1)
    assert [(p["id"], p["decision"]) for p in stranger["passed_by"]] == [("follow-up", "boosted")]
    assert stranger["waited_seconds"] > 0 and "order of the policy" in stranger["rule"]
    follow_up = serve.admin("/api/requests/follow-up").json
    assert (follow_up["decision"], follow_up["ahead"], follow_up["overtook"]) == ("boosted", 1, 1)
    assert follow_up["passed_by"] == [] and follow_up["choice"]["candidates"] == 1
    line = next(line for line in serve.access_log(4) if line["id"] == "follow-up")
    assert (line["decision"], line["ahead"], line["overtook"], line["overtaken"]) == ("boosted", 1, 1, 0)


def test_the_runner_up_is_named_with_both_scores(fake, gateway):
    engines = [fake(), fake()]
    serve = gateway(engines, "--access-log", "json", "--policy", "least-request")
    assert serve.ask(with_id("a", "x")).status == 200
    choice = eventually(lambda: serve.admin("/api/requests/a").json.get("choice"))
    names = {endpoint["name"] for endpoint in serve.endpoints()}
    assert choice["candidates"] == 2 and choice["score"] >= choice["runner_up_score"] * 0.99
    line = serve.access_log(1)[0]
    assert {line["endpoint"], line["runner_up"]} == names
    assert choice["runner_up"] == line["runner_up"]


def test_resident_set_tells_need_and_room(fake, gateway):
    serve = gateway([fake()], "--policy", "resident-set")
    assert serve.ask(with_id("a", "x", session="s")).status == 200
    found = eventually(lambda: serve.admin("/api/requests/a").json.get("need_tokens") and serve.admin("/api/requests/a").json)
    assert 0 < found["need_tokens"] < found["room_tokens"]


def test_a_refused_request_is_explained_too(fake, gateway):
    gate = Gate()
    serve = gateway([fake(held(gate))], config=one_place(timeouts={"queue": "100ms"}))
    wire = Wire(serve.port).send(with_id("first", "first"))
    eventually(lambda: gate.held == 1)
    assert serve.ask(with_id("late", "late")).status == 504
    late = eventually(lambda: serve.admin("/api/requests/late").json.get("id") and serve.admin("/api/requests/late").json)
    assert (late["reason"], late["decision"], late["rule"]) == ("queue-timeout", None, "it was never dispatched")
    gate.open()
    assert wire.answer().status == 200
    wire.close()


def test_only_so_many_are_kept(fake, gateway):
    serve = gateway([fake()], "--workers", "1", config={"limits": {"recent_requests": 2}})
    for name in ("a", "b", "c"):
        assert serve.ask(with_id(name, name)).status == 200
    eventually(lambda: serve.admin("/api/requests/c").status == 200)
    assert serve.admin("/api/requests/a").status == 404
    assert serve.admin("/api/requests/b").status == 200
    assert serve.metric("turnpike_recent_requests") == 2


def test_nothing_is_kept_when_it_is_off(fake, gateway):
    serve = gateway([fake()], config={"limits": {"recent_requests": 0}})
    assert serve.ask(with_id("a", "a")).status == 200
    assert serve.admin("/api/requests/a").status == 404
    assert serve.metric("turnpike_recent_requests") == 0
