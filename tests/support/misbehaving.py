"""A source that misbehaves on purpose, at 127.0.0.1: a JSON API, a batch API (at once and by ticket) and a page.

It counts the calls for each number and knows which numbers have their final answer already. The fault of a call depends
on the seed, the number and how often it was looked up, never on the order of threads.
"""

import json
import random
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

HANG_SECONDS = 30.0  # longer than any recipe of a test waits
Plan = Callable[[str, int], str | None]  # a number and the count of calls for it, from 1 → a fault, or None

CAPTCHA = "<html><body><h1>Are you human?</h1><p>Solve this CAPTCHA</p></body></html>"
LOGIN = "<html><body><form id='login'><input name='user'></form></body></html>"


def never(number: str, nth: int) -> str | None:
    return None


def always(fault: str) -> Plan:
    return lambda number, nth: fault


def seeded(seed: int, shares: Mapping[str, float]) -> Plan:
    """Each fault with its share of the calls."""

    def plan(number: str, nth: int) -> str | None:
        draw = random.Random(f"{seed} {number} {nth}").random()
        for fault, share in shares.items():
            if draw < share:
                return fault
            draw -= share
        return None

    return plan


class Misbehaving:
    """The server's state, which a test may change while it runs."""

    def __init__(self, plan: Plan = never) -> None:
        self.plan = plan
        self.latency = 0.0
        self.down = False
        self.retry_after = "0.05"  # of the fault "limited"
        self.robots: tuple[int, str] = (404, "")
        self.key = ""  # when set, requests need `Authorization: Bearer <key>`
        self.calls: Counter[str] = Counter()
        self.requests: list[tuple[str, str, dict[str, str], str]] = []  # method, path, headers, body
        self.finals: Counter[str] = Counter()  # how often each number got a final answer
        self.asked_again: list[str] = []  # numbers that were looked up after their final answer
        self.most_at_once = 0
        self.at_once = 0
        self._tickets: dict[str, tuple[list[str], int]] = {}
        self.holding: bool | set[str] = False  # True: no ticket becomes ready; a set: none of these does
        self.polls_before_ready = 1  # how often a ticket is polled before it is ready
        self.forgetting: int | None = None  # the status with which it says that a ticket is unknown
        self.forgotten: set[str] = set()  # the tickets that it says are unknown; empty means all
        self.paid: Counter[str] = Counter()  # how often each number was accepted; the same key counts once
        self.keys: dict[str, tuple[str, list[str]]] = {}  # Idempotency-Key → its ticket and numbers
        # By number, "" for all others: status, content type and body of its answer, as they are.
        self.raw: dict[str, tuple[int, str, bytes]] = {}
        self.items: dict[str, Any] = {}  # by number: its item in an answer about many, None to leave it out
        self.limited_inside = ""  # the answer of the fault of that name: "too many requests" with status 200
        self.credit: int | None = None  # how many numbers it still answers; then it says "no credit" for each
        self._refused: dict[str, set[str]] = {}  # by ticket: decided when it is accepted, and never changed
        self.lock = threading.Lock()
        self.closing = threading.Event()
        self.url = ""

    def fault(self, number: str) -> str | None:
        """Count a call for a number, and return its fault, if any."""
        with self.lock:
            self.calls[number] += 1
            if self.finals[number]:
                self.asked_again.append(number)
            return self.plan(number, self.calls[number])

    def answered(self, number: str) -> None:
        with self.lock:
            self.finals[number] += 1

    @contextmanager
    def inside(self) -> Iterator[None]:
        with self.lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            yield
        finally:
            with self.lock:
                self.at_once -= 1

    def submit(self, numbers: list[str], key: str = "") -> str:
        with self.lock:
            if key in self.keys:
                ticket, before = self.keys[key]
                assert before == numbers, "the same key with other numbers"
                return ticket
            ticket = f"t{len(self._tickets)}"
            self._tickets[ticket] = (numbers, 0)
            self._refused[ticket] = refused = self._spend(numbers)
            self.paid.update(number for number in numbers if number not in refused)
            if key:
                self.keys[key] = (ticket, numbers)
            return ticket

    def _spend(self, numbers: list[str]) -> set[str]:
        """Pay for these numbers; return those for which no credit is left."""
        if self.credit is None:
            return set()
        paid, self.credit = numbers[: self.credit], max(0, self.credit - len(numbers))
        return set(numbers) - set(paid)

    def pay(self, numbers: list[str]) -> set[str]:
        """Answer numbers without a ticket; return those for which no credit is left."""
        with self.lock:
            refused = self._spend(numbers)
            self.paid.update(number for number in numbers if number not in refused)
            return refused

    def refused(self, ticket: str) -> set[str]:
        return self._refused[ticket]

    def fetch(self, ticket: str) -> tuple[list[str], int]:
        """The numbers of a ticket, and how often it was polled before."""
        with self.lock:
            numbers, times = self._tickets[ticket]
            self._tickets[ticket] = (numbers, times + 1)
            return numbers, times


def item(number: str) -> dict[str, Any]:
    """The answer for one number. Numbers that end in 7 are unknown, those that end in 9 are refused."""
    if number.endswith("7"):
        return {"number": number, "status": "unknown"}
    if number.endswith("9"):
        return {"number": number, "status": "refused"}
    return {
        "number": number,
        "status": "ok",
        "data": {"operator": f"Op {number[-3:]}", "ported": number[-1] in "02468"},
    }


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    state: Misbehaving

    def log_message(self, *_: Any) -> None: ...

    def do_GET(self) -> None:
        self._turn("")

    def do_POST(self) -> None:
        self._turn(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())

    def _turn(self, body: str) -> None:
        state = self.state
        with state.inside():
            with state.lock:
                state.requests.append((self.command, self.path, dict(self.headers.items()), body))
            try:
                self._answer(body)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

    def _answer(self, body: str) -> None:
        state, parts = self.state, urlsplit(self.path)
        if parts.path == "/robots.txt":
            return self._send(state.robots[0], state.robots[1], "text/plain")
        if parts.path.startswith("/v1/lookup/"):
            return self._one(parts.path.rpartition("/")[2].replace("%2B", "+"), self._json_of)
        if parts.path == "/number":
            asked = parse_qs(parts.query)
            return self._one(f"+{asked['country'][0]}{asked['n'][0]}", self._page_of)
        if parts.path == "/v1/many":
            return self._many(json.loads(body)["numbers"])
        if parts.path == "/v2/batches":
            numbers = json.loads(body)["msisdns"]
            fault, key = self._first_fault(numbers), self.headers.get("Idempotency-Key", "")
            if fault == "taken":  # accepted, but the response is lost
                state.submit(numbers, key)
                fault = "reset"
            if self._goes_wrong(fault):
                return None
            return self._send(202, json.dumps({"id": state.submit(numbers, key)}))
        if parts.path.startswith("/v2/batches/"):
            if state.down:
                return self._reset()
            ticket = parts.path.rpartition("/")[2]
            if state.forgetting and (not state.forgotten or ticket in state.forgotten):
                return self._send(state.forgetting, "{}")
            numbers, times = state.fetch(ticket)
            held = ticket in state.holding if isinstance(state.holding, set) else state.holding
            if times < state.polls_before_ready or held:
                return self._send(200, json.dumps({"state": "running"}))
            return self._items(numbers, None, {"state": "done"}, state.refused(ticket))
        time.sleep(state.latency)
        return self._send(404, "{}")

    # ── single numbers ──────────────────────────────────────────────────────────────────────────────────────────

    def _one(self, number: str, answer: Callable[[str, str | None], None]) -> None:
        fault = self.state.fault(number)
        if self._goes_wrong(fault):
            return None
        if self.state.pay([number]):
            return self._send(402, "{}")
        if raw := self.state.raw.get(number) or self.state.raw.get(""):
            status, kind, body = raw
            return self._send(status, body, kind)
        return answer(number, fault)

    def _json_of(self, number: str, fault: str | None) -> None:
        found = item(number)
        if fault == "changed":
            found = {"state": "fine", "payload": found}
        elif fault == "wrong_type":
            return self._send(200, "<html><body>Hello</body></html>", "text/html")
        else:
            self.state.answered(number)
        return self._send(404 if found.get("status") == "unknown" else 200, json.dumps(found))

    def _page_of(self, number: str, fault: str | None) -> None:
        if fault == "wrong_type":
            return self._send(200, json.dumps(item(number)))
        if fault == "changed":
            return self._send(200, "<html><body><section>New look!</section></body></html>", "text/html")
        self.state.answered(number)
        if number.endswith("7"):
            return self._send(200, "<p class='no-result'>nothing</p>", "text/html; charset=utf-8")
        page = (
            f"<dl class='record'><dd class='operator'>Op {number[-3:]}</dd><dd class='kind' data-kind='mov'>x</dd></dl>"
        )
        return self._send(200, page, "text/html; charset=utf-8")

    # ── many numbers ────────────────────────────────────────────────────────────────────────────────────────────

    def _first_fault(self, numbers: list[str]) -> str | None:
        faults = [self.state.fault(f"+{number.lstrip('+')}") for number in numbers]
        return next((fault for fault in faults if fault), None)

    def _many(self, numbers: list[str]) -> None:
        fault = self._first_fault(numbers)
        if not self._goes_wrong(fault):
            if raw := self.state.raw.get(""):
                return self._send(raw[0], raw[2], raw[1])
            self._items(numbers, fault, {}, self.state.pay(numbers))

    def _items(self, numbers: list[str], fault: str | None, around: dict[str, Any], refused: Set[str]) -> None:
        state = self.state
        if fault == "wrong_type":
            return self._send(200, "<html></html>", "text/html")
        if fault == "changed":
            return self._send(200, json.dumps({**around, "answers": []}))
        written = [f"+{number.lstrip('+')}" for number in numbers]
        items = [one for one in (state.items.get(number, item(number)) for number in written) if one is not None]
        if fault == "missing":
            items = items[: len(items) // 2]
        if fault == "wrong_number":
            items[-1] = item("+34699999998")
        for number, one in zip(numbers, items, strict=False):
            if number in refused:
                one.clear()
                one.update(number=f"+{number.lstrip('+')}", status="no_credit")
            else:
                state.answered(one["number"])
        if fault == "duplicate":
            items += [{**one, "data": {"operator": "Second", "ported": True}} for one in items]
        return self._send(200, json.dumps({**around, "results": items}))

    # ── faults ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _goes_wrong(self, fault: str | None) -> bool:
        """Act out a fault that leaves no answer; return whether it was one."""
        state = self.state
        if state.latency or fault == "latency":
            time.sleep(state.latency or 0.15)
        if state.down:
            fault = "reset"
        if state.key and self.headers.get("Authorization") != f"Bearer {state.key}":
            fault = "unauthorized"
        play = {
            "hang": lambda: state.closing.wait(HANG_SECONDS) and None,
            "limited": lambda: self._send(429, "{}", more={"Retry-After": state.retry_after}),
            "limited_long": lambda: self._send(429, "{}", more={"Retry-After": "900"}),
            "limited_inside": lambda: self._send(200, state.limited_inside),
            "limited_bare": lambda: self._send(429, "slow down", "text/plain"),
            "error500": lambda: self._send(500, "oops", "text/plain"),
            "error503": lambda: self._send(503, "<h1>Service Unavailable</h1>", "text/html"),
            "reset": self._reset,
            "truncated": self._truncated,
            "endless": self._endless,
            "drip": self._drip,
            "drip_headers": self._drip_headers,
            "captcha": lambda: self._send(200, CAPTCHA, "text/html"),
            "login": lambda: self._send(200, LOGIN, "text/html"),
            "redirect": lambda: self._send(302, "", more={"Location": "/login"}),
            "unauthorized": lambda: self._send(401, '{"error": "bad key"}'),
            "no_credit": lambda: self._send(402, '{"error": "no credit"}'),
            "forbidden": lambda: self._send(403, "no"),
            "bad_request": lambda: self._send(400, '{"error": "bad request"}'),
        }.get(fault or "")
        if play is None:
            return False
        if fault == "hang":
            self.close_connection = True
        play()
        return True

    def _send(
        self, status: int, body: str | bytes, kind: str = "application/json", more: Mapping[str, str] | None = None
    ) -> None:
        content = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(content)), **(more or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def _truncated(self) -> None:
        self.close_connection = True
        self.wfile.write(
            b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{"status": "ok"'
        )

    def _endless(self) -> None:
        self.close_connection = True
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[")
        while not self.state.closing.is_set():
            self.wfile.write(b"0," * 8000)

    def _drip_headers(self) -> None:
        """Headers that never end: a byte now and then."""
        self.close_connection = True
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        for _ in range(5000):
            if self.state.closing.wait(0.02):
                return
            self.wfile.write(b"x")

    def _drip(self) -> None:
        """A byte now and then: no read ever times out."""
        self.close_connection = True
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n")
        for _ in range(5000):
            if self.state.closing.wait(0.02):
                return
            self.wfile.write(b" ")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that went away: many of these faults make them do so."""


@contextmanager
def misbehaving(plan: Plan = never) -> Iterator[Misbehaving]:
    """A running server; its address is `url`."""
    state = Misbehaving(plan)
    handler = type("BoundHandler", (Handler,), {"state": state})
    with _Server(("127.0.0.1", 0), handler) as server:
        state.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield state
        finally:
            state.closing.set()
            server.shutdown()
            thread.join(5)
