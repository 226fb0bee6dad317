"""A model server whose answers are scripts on the wire: what no decent server does, and what all of them do some day."""
import json
import os
import socket
import ssl
import struct
import threading
import time

CREATED = 1760000000


def completion(text="Hello there", model="m", prompt_tokens=10, cached=0, **message):
    return {"id": "chatcmpl-fake", "object": "chat.completion", "created": CREATED, "model": model,
            "choices": [{"index": 0, "message": {"role": "assistant", "content": text, **message}, "logprobs": None,
                         "finish_reason": "tool_calls" if "tool_calls" in message else "stop"}],
            "usage": {"prompt_tokens": prompt_tokens, "completion_tokens": 3, "total_tokens": prompt_tokens + 3,
                      "prompt_tokens_details": {"cached_tokens": cached}}}


def delta(model="m", finish=None, **fields):
    return {"id": "chatcmpl-fake", "object": "chat.completion.chunk", "created": CREATED, "model": model,
            "choices": [{"index": 0, "delta": fields, "logprobs": None, "finish_reason": finish}]}


def usage_event(model="m", prompt_tokens=10, completion_tokens=3, cached=0):
    return {"id": "chatcmpl-fake", "object": "chat.completion.chunk", "created": CREATED, "model": model, "choices": [],
            "usage": {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens,
                      "total_tokens": prompt_tokens + completion_tokens, "prompt_tokens_details": {"cached_tokens": cached}}}


def sse(event):
    return b"data: " + (event if isinstance(event, bytes) else json.dumps(event).encode()) + b"\n\n"


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def whole(body, status="200 OK", content_type="application/json", headers=()):
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status}", f"content-type: {content_type}", f"content-length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"


class Request:
    def __init__(self, method, path, fields, body):
        self.method, self.path, self.fields, self.body = method, path, fields, body

    def get(self, name, otherwise=None):
        return next((value for key, value in self.fields if key == name), otherwise)

    def all(self, name):
        return [value for key, value in self.fields if key == name]

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def prompt(self):
        return self.json["messages"][-1]["content"]


class Exchange:
    """One request and the connection it came on, for the script that answers it."""

    def __init__(self, request, connection):
        self.request, self.connection = request, connection

    def send(self, data):
        self.connection.sendall(data)

    def start_stream(self, *events):
        self.send(STREAM_HEAD)
        for event in events:
            self.event(event)

    def event(self, event):
        self.send(chunk(sse(event)))

    def end_stream(self):
        self.send(chunk(sse(b"[DONE]")) + LAST_CHUNK)

    def wait_closed(self, within=20.0):
        """The seconds until the peer closes its side; fails if it does not."""
        started = time.monotonic()
        self.connection.settimeout(within)
        try:
            while self.connection.recv(65536):
                pass
        except (ConnectionError, ssl.SSLError):
            pass
        return time.monotonic() - started

    def close(self):
        self.connection.shutdown(socket.SHUT_RDWR)

    def reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # Not close(): that waits until the file which reads from the socket is closed as well.
        os.close(self.connection.detach())


def talk(exchange):
    """The default answer: a short chat completion in the form that was asked for."""
    request = exchange.request
    body = request.json if request.body else {}
    model = body.get("model", "m")
    if not body.get("stream"):
        exchange.send(whole(completion(model=model)))
        return
    exchange.start_stream(delta(model, role="assistant", content=""), delta(model, content="Hello"),
                          delta(model, content=" there"), delta(model, finish="stop"))
    if (body.get("stream_options") or {}).get("include_usage"):
        exchange.event(usage_event(model))
    exchange.end_stream()


class FakeEngine:
    """Listens on a loopback port. `script(exchange)` answers each inference request, in a thread of its connection; a test
    may replace it at any time. Models, health and gauges are answered beside it. `problems` collects what went wrong in a
    script; the fixture fails the test for any.
    """

    def __init__(self, script=talk, models=("m",), port=0, tls=None):
        """`tls`: the context of a server, to speak it."""
        self.script, self.models, self.tls = script, list(models), tls
        self.running, self.waiting = 0, 0
        self.started = 1_700_000_000
        self.requests, self.problems, self.connections, self.probes = [], [], 0, 0
        self._open = set()
        self._lock = threading.Lock()
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", port))
        self._listener.listen(512)
        self.port = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self.up = True
        threading.Thread(target=self._accept, daemon=True).start()

    def end(self):
        """Stops listening and resets what is open: the machine is gone."""
        self.up = False
        # shutdown wakes the thread that waits in accept.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for connection in self._open:
                try:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def _accept(self):
        while self.up:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._open.add(connection)
                self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        plain = connection
        try:
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True)
            stream = connection.makefile("rb")
            while self._exchange(stream, connection):
                pass
        except (ConnectionError, OSError, ValueError):
            pass  # the peer left, or the script closed: both are ordinary
        except Exception as problem:  # pylint: disable=broad-except
            self.problems.append(repr(problem))
        finally:
            with self._lock:
                self._open.discard(plain)
            connection.close()

    def _exchange(self, stream, connection):
        line = stream.readline().decode("latin-1").strip()
        if not line:
            return False
        method, path, version = line.split(" ")
        if version != "HTTP/1.1":
            self.problems.append(f"the request line says {version}")
        fields = []
        while True:
            line = stream.readline().decode("latin-1").rstrip("\r\n")
            if not line:
                break
            name, value = line.split(":", 1)
            fields.append((name.lower(), value.strip()))
        request = Request(method, path, fields, b"")
        request.body = self._body(stream, request)
        bare = path.split("?")[0]
        if method == "GET" and bare in ("/v1/models", "/metrics", "/health"):
            self.probes += 1
            self._probe(bare, connection)
            return True
        with self._lock:
            self.requests.append(request)
        self.script(Exchange(request, connection))
        return True

    @staticmethod
    def _body(stream, request):
        if request.get("transfer-encoding") == "chunked":
            body = b""
            while True:
                size = int(stream.readline().split(b";")[0], 16)
                if size == 0:
                    while stream.readline() not in (b"\r\n", b""):
                        pass
                    return body
                body += stream.read(size)
                stream.readline()
        return stream.read(int(request.get("content-length", "0")))

    def _probe(self, path, connection):
        if path == "/v1/models":
            models = [{"id": name, "object": "model", "created": CREATED, "owned_by": "vllm"} for name in self.models]
            connection.sendall(whole({"object": "list", "data": models}))
        elif path == "/metrics":
            label = f'engine="0",model_name="{self.models[0] if self.models else "none"}"'
            text = (f"# TYPE vllm:num_requests_running gauge\nvllm:num_requests_running{{{label}}} {self.running}\n"
                    f"# TYPE vllm:num_requests_waiting gauge\nvllm:num_requests_waiting{{{label}}} {self.waiting}\n"
                    f"# TYPE vllm:kv_cache_usage_perc gauge\nvllm:kv_cache_usage_perc{{{label}}} 0.0\n"
                    f"# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds {self.started}\n"
                    '# TYPE vllm:cache_config_info gauge\nvllm:cache_config_info{block_size="16",engine="0",num_gpu_blocks="20000"} 1\n')
            connection.sendall(whole(text.encode(), content_type="text/plain; version=0.0.4"))
        else:
            connection.sendall(whole({}))


class Gate:
    """Holds scripts until the test opens it: `gate.hold` as the first line of a script, then what comes after."""

    def __init__(self):
        self._open = threading.Event()
        self.held = 0
        self._lock = threading.Lock()

    def wait(self):
        with self._lock:
            self.held += 1
        if not self._open.wait(30):
            raise TimeoutError("the gate was never opened")

    def open(self):
        self._open.set()
