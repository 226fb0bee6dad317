"""HTTP/1.1 by hand: what a test says on the wire is what stands in the test, byte for byte."""
import json
import socket
import struct
import time


class Closed(Exception):
    """The peer closed before what was waited for had come."""


class Wire:
    """One connection to a loopback port. Reads raise TimeoutError after `timeout` seconds."""

    def __init__(self, port, timeout=10.0, receive_buffer=None, tls=None):
        """`tls`: a client's context, to speak it with "localhost"."""
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, data):
        self.socket.sendall(data)
        return self

    def close(self):
        self.socket.close()

    def reset(self):
        """Closes with a RST instead of a FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)

    def _fill(self):
        data = self.socket.recv(65536)
        if not data:
            raise Closed(f"closed after {self.buffer!r}")
        self.buffer += data

    def until(self, mark):
        """The bytes up to and with `mark`."""
        while mark not in self.buffer:
            self._fill()
        end = self.buffer.index(mark) + len(mark)
        taken, self.buffer = self.buffer[:end], self.buffer[end:]
        return taken

    def exactly(self, count):
        while len(self.buffer) < count:
            self._fill()
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def rest(self):
        """Everything until the peer closes; a reset counts as a close."""
        try:
            while True:
                self._fill()
        except (Closed, ConnectionError):
            taken, self.buffer = self.buffer, b""
            return taken

    def is_closed(self, within=5.0):
        """True if the peer closes, having said nothing more, within that many seconds."""
        self.socket.settimeout(within)
        try:
            return not self.buffer and self.socket.recv(1) == b""
        except ConnectionError:
            return True
        except TimeoutError:
            return False

    def head(self):
        """The next response's head: (status, [(name in lower case, value)])."""
        lines = self.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        version, status = lines[0].split(" ", 2)[:2]
        assert version in ("HTTP/1.1", "HTTP/1.0"), lines[0]
        fields = [line.split(":", 1) for line in lines[1:] if line]
        return Answer(int(status), [(name.lower(), value.strip()) for name, value in fields])

    def answer(self):
        """The next response, whole. Interim ones (1xx) are taken off and kept in `interim`."""
        interim = []
        while True:
            answer = self.head()
            if not 100 <= answer.status < 200:
                break
            interim.append(answer.status)
        answer.interim = interim
        answer.body, answer.complete = self._body(answer)
        return answer

    def _body(self, answer):
        if answer.status in (204, 304):
            return b"", True
        if answer.get("transfer-encoding") == "chunked":
            body = b""
            try:
                while True:
                    chunk = self.chunk()
                    if chunk is None:
                        return body, True
                    body += chunk
            except (Closed, ConnectionError):
                return body, False
        if answer.get("content-length") is not None:
            try:
                return self.exactly(int(answer.get("content-length"))), True
            except (Closed, ConnectionError):
                return self.buffer, False
        return self.rest(), True

    def chunk(self):
        """The next chunk of a chunked body; None for the last one, whose trailers are consumed."""
        size = int(self.until(b"\r\n").split(b";")[0], 16)
        if size == 0:
            while self.until(b"\r\n") != b"\r\n":
                pass
            return None
        data = self.exactly(size)
        assert self.exactly(2) == b"\r\n"
        return data

    def event(self):
        """The payload of the next server-sent event of a chunked answer, JSON decoded; "[DONE]" as it is."""
        while b"\n\n" not in self.__dict__.setdefault("events", b""):
            chunk = self.chunk()
            if chunk is None:
                raise Closed("the stream ended")
            self.events += chunk
        event, self.events = self.events.split(b"\n\n", 1)
        for line in event.split(b"\n"):
            if line.startswith(b"data: "):
                payload = line[6:].decode()
                return payload if payload == "[DONE]" else json.loads(payload)
        return self.event()


class Answer:
    def __init__(self, status, fields):
        self.status, self.fields = status, fields
        self.body, self.complete, self.interim = b"", True, []

    def get(self, name, otherwise=None):
        return next((value for key, value in self.fields if key == name), otherwise)

    def all(self, name):
        return [value for key, value in self.fields if key == name]

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def events(self):
        """Payloads of the server-sent events, JSON decoded; "[DONE]" as it is."""
        found = []
        for event in self.body.decode().split("\n\n"):
            for line in event.split("\n"):
                if line.startswith("data: "):
                    found.append(line[6:] if line[6:] == "[DONE]" else json.loads(line[6:]))
        return found

    @property
    def text(self):
        """What the assistant said, of a whole chat completion or of a stream."""
        if self.get("content-type", "").startswith("text/event-stream"):
            return "".join(choice["delta"].get("content") or "" for event in self.events if isinstance(event, dict)
                           for choice in event.get("choices", []))
        return self.json["choices"][0]["message"]["content"]


def chat(prompt="Hello", *, model="m", stream=False, session=None, headers=(), **fields):
    """A chat completion request as bytes."""
    body = {"model": model, "messages": [{"role": "user", "content": prompt}], **({"stream": True} if stream else {}), **fields}
    lines = list(headers)
    if session is not None:
        lines.append(f"X-Session-ID: {session}")
    return post("/v1/chat/completions", body, lines)


def post(path, body, headers=(), content_type="application/json"):
    """`body`: bytes, or something to write as JSON. `headers`: further lines."""
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    lines = ["Host: gateway.test", f"Content-Type: {content_type}", f"Content-Length: {len(body)}", *headers]
    return f"POST {path} HTTP/1.1\r\n".encode() + "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def get(path, headers=()):
    return f"GET {path} HTTP/1.1\r\n".encode() + "\r\n".join(["Host: gateway.test", *headers]).encode() + b"\r\n\r\n"


def ask(port, request, timeout=10.0):
    """One request on a connection of its own."""
    with Wire(port, timeout) as wire:
        return wire.send(request).answer()


def eventually(condition, within=10.0, what=""):
    """Waits until `condition()` is true and returns its value; fails after `within` seconds. Another process cannot be
    given a clock, so that its state is polled, as rarely as does not slow the test and never for longer than needed."""
    deadline = time.monotonic() + within
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within} s: {what or condition}")
        time.sleep(0.005)
