"""The servers of tests/stack, a separate InfluxDB for faults that would disturb others, and a gate in front of it."""

import http.client
import http.server
import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

STACK = pathlib.Path(__file__).resolve().parent.parent / "stack"
ADDRESSES = {"kafka": "KAFKA", "influx2": "INFLUX2_URL"}
ORG, TOKEN = "test", "loss-operator-token"
CHILDREN = []  # every process that was started, for the case that the run is interrupted
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy must not see requests to 127.0.0.1


def bring_up(*names):
    """The variables of tests/stack/env without BRIDGE_LIVE_. Starts these servers if they do not run."""
    told = 'eval "$("$0")" && env -0'
    output = subprocess.run(["bash", "-c", told, STACK / "env"], check=True, stdout=subprocess.PIPE, text=True).stdout
    pairs = (pair.split("=", 1) for pair in output.split("\0") if "=" in pair)
    stack = {name.removeprefix("BRIDGE_LIVE_"): value for name, value in pairs if name.startswith("BRIDGE_LIVE_")}
    missing = [name for name in names if not listens(stack[ADDRESSES[name]].removeprefix("http://"))]
    if missing:
        subprocess.run([STACK / "up", *missing], check=True)
    return stack


def listens(address):
    host, port = address.rsplit(":", 1)
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


class Influx:
    """A client of InfluxDB 2 with the administrator's token."""

    def __init__(self, url, org, token):
        self.url, self.org, self.token = url, org, token

    def ask(self, method, path, body=None):
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        with self.open(path, method, data) as answer:
            return json.loads(answer.read() or b"null")

    def open(self, path, method="GET", data=None):
        headers = {"Authorization": f"Token {self.token}", "Content-Type": "application/json"}
        return DIRECT.open(urllib.request.Request(self.url + path, data, headers, method=method), timeout=30)

    def create_bucket(self, name, retention_s=0):
        rules = [{"type": "expire", "everySeconds": retention_s}] if retention_s else []
        bucket = {"orgID": self._org_id(), "name": name, "retentionRules": rules}
        return self.ask("POST", "/api/v2/buckets", bucket)["id"]

    def create_token(self, bucket_id):
        """Id and text of a new token that may write one bucket."""
        resource = {"type": "buckets", "id": bucket_id, "orgID": self._org_id()}
        made = {"orgID": self._org_id(), "permissions": [{"action": "write", "resource": resource}]}
        made = self.ask("POST", "/api/v2/authorizations", made)
        return made["id"], made["token"]

    def set_token(self, token_id, status):
        """Sets a token to `active` or `inactive`; InfluxDB answers 401 to an inactive one."""
        self.ask("PATCH", f"/api/v2/authorizations/{token_id}", {"status": status})

    def write(self, bucket, lines):
        path = f"/api/v2/write?precision=ms&org={self.org}&bucket={bucket}"
        self.ask("POST", path, "\n".join(lines).encode())

    def numbers(self, bucket):
        """The field `n` of every point, queried with InfluxQL."""
        query = urllib.parse.urlencode({"db": bucket, "epoch": "ms", "q": "SELECT n FROM m"})
        series = self.ask("GET", f"/query?{query}")["results"][0].get("series", [])
        return [int(row[1]) for one in series for row in one["values"]]

    def _org_id(self):
        return self.ask("GET", f"/api/v2/orgs?org={self.org}")["orgs"][0]["id"]


class OwnInflux(Influx):
    """A process of the server that tests/stack has built, with its own port and its data in `folder`."""

    def __init__(self, binary, folder):
        self.port, self.binary, self.folder = free_port(), binary, folder
        super().__init__(f"http://127.0.0.1:{self.port}", ORG, TOKEN)
        self.start()
        setup = {"username": "admin", "password": "admin-password", "org": ORG, "bucket": "first", "token": TOKEN}
        self.ask("POST", "/api/v2/setup", setup)

    def start(self):
        """Waits until the server answers."""
        os.makedirs(self.folder, exist_ok=True)
        command = [self.binary, "--http-bind-address", f"127.0.0.1:{self.port}", "--reporting-disabled", "--ui-disabled"]
        command += ["--log-level", "warn", "--bolt-path", f"{self.folder}/bolt"]
        command += ["--sqlite-path", f"{self.folder}/sqlite", "--engine-path", f"{self.folder}/engine"]
        self.process = start(command, f"{self.folder}.log")
        deadline = time.monotonic() + 60
        while True:
            try:
                return self.ask("GET", "/health")
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise RuntimeError(f"InfluxDB does not start; its log: {self.folder}.log") from None
                time.sleep(0.1)

    def signal(self, number):
        self.process.send_signal(number)
        if number == signal.SIGKILL:
            self.process.wait()


class Gate(http.server.ThreadingHTTPServer):
    """Forwards requests to InfluxDB, or answers all of them with `status` while that is set."""

    daemon_threads = True

    def __init__(self, influx):
        super().__init__(("127.0.0.1", 0), Passing)
        self.upstream, self.status = urllib.parse.urlsplit(influx.url).netloc, None
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):
        """Forwards data until one side closes its connection, then closes the other one."""


class Passing(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])) if "Content-Length" in self.headers else self._chunks()
        status, said = (self.server.status, b"") if self.server.status else self._pass_on(body)
        self.send_response(status)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def _pass_on(self, body):
        upstream = http.client.HTTPConnection(self.server.upstream, timeout=30)
        kept = ("Authorization", "Content-Encoding", "Content-Type")
        headers = {name: self.headers[name] for name in kept if name in self.headers}
        upstream.request("POST", self.path, body, headers)
        answer = upstream.getresponse()
        said = answer.read()
        upstream.close()
        return answer.status, said

    def _chunks(self):
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def log_message(self, *_):
        pass


def start(command, log, variables=None):
    with open(log, "ab") as into:
        child = subprocess.Popen(command, env=os.environ | (variables or {}), stdout=into, stderr=into)
    CHILDREN.append(child)
    return child


def free_port():
    """A port below Linux's range for outgoing connections, because one of those could take the port between two starts."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port
