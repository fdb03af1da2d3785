"""Shared by all sections: servers, built programs, topics, the counting receiver, and one measured run."""

import dataclasses
import importlib.util
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
STACK = ROOT / "tests/stack"
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "kafka-influx-bridge"

sys.path.append(str(ROOT / "tests/loss"))
from servers import bring_up  # noqa: E402

PARTITIONS = 6
QUIET_MS = 1_500  # after this time without a request, the run is complete if the number is right
SILENT_MS = 20_000  # after this time without a request, records are missing
START_S = 30
STOP_S = 20
POLL_S = 0.05


class Failed(Exception):
    """A program ended unexpectedly, or records are missing."""


class Stage:
    """One run of the comparison. `scale` multiplies the numbers of records."""

    def __init__(self, rounds, scale, smoke):
        self.rounds, self.scale, self.smoke = rounds, scale, smoke
        self.tools, self.bridge = build(smoke)
        self.telegraf, self.python = peers()
        self.stack = bring_up("kafka")
        self.brokers = self.stack["KAFKA"]
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="run-", dir=TARGET / "bench"))
        self.name = f"bench_{time.time_ns():x}"
        self.topics, self.made, self.runs = {}, 0, 0

    def count(self, records, least=1_000):
        """This number of records at the current scale, rounded to thousands, which suit Telegraf's batches."""
        return max(least, round(records * self.scale / 1_000) * 1_000)

    def topic(self, records, kind="ec2", partitions=PARTITIONS, topics=1, **shape):
        """Creates a topic, or several, with these records, unless it exists."""
        key = (records, kind, partitions, topics, *sorted(shape.items()))
        if key not in self.topics:
            name = f"{self.name}_{self.made}"
            self.made += 1
            options = {"kind": kind, "records": records, "partitions": partitions, "topics": topics} | shape
            # Recorded first, so that an interrupted run removes the topics, too.
            self.topics[key] = Topic(name, [name] if topics == 1 else [f"{name}-{n}" for n in range(topics)])
            produced = self.tool("produce", "--topic", name, *flags(options))
            self.topics[key].bytes, self.topics[key].description = produced["bytes"], produced["description"]
        return self.topics[key]

    def drop_topics(self, *gone):
        """Deletes these topics, or all."""
        gone = [key for key, topic in self.topics.items() if not gone or topic in gone]
        names = [name for key in gone for name in self.topics.pop(key).names]
        if names:
            self.tool("delete", *names)

    def tool(self, name, *arguments):
        """Runs a tool that uses Kafka; returns its output."""
        return json.loads(output([self.tools, name, "--brokers", self.brokers, *map(str, arguments)]) or "null")

    def next_name(self):
        """A new name for a group, a bucket or a folder."""
        self.runs += 1
        return f"{self.name}_r{self.runs}"

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return path

    def close(self):
        self.drop_topics()
        shutil.rmtree(self.folder, ignore_errors=True)


@dataclasses.dataclass
class Topic:
    name: str
    names: list  # of all, where several were asked for
    bytes: int = 0
    description: object = None  # the schema of Avro, or the columns of CSV


class Receiver:
    """The counting receiver of tools/receive.rs."""

    def __init__(self, stage, keep=False, forward=None):
        """`forward`: host and port of an InfluxDB that gets the requests."""
        command = [stage.tools, "receive"] + (["--keep"] if keep else []) + (["--forward", forward] if forward else [])
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.address = f"127.0.0.1:{json.loads(self.process.stdout.readline())['port']}"
        self.url = f"http://{self.address}"

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise Failed("the receiver has ended")
        return json.loads(line)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()


class Child:
    """A measured program. Its CPU time counts all threads from start to end."""

    def __init__(self, stage, command, name):
        self.log = stage.folder / f"{name}.log"
        with open(self.log, "ab") as into:
            self.process = subprocess.Popen([str(word) for word in command], stdout=into, stderr=into)
        self.usage = None

    def check(self):
        """Fails if the program has ended."""
        pid, _, usage = os.wait4(self.process.pid, os.WNOHANG)
        if pid:
            self.process.returncode, self.usage = 0, usage
            raise Failed(f"a program has ended: {tail(self.log)}")

    def memory_mb(self):
        """Maximum resident memory so far."""
        with open(f"/proc/{self.process.pid}/status") as status:
            (line,) = [line for line in status if line.startswith("VmHWM")]
        return int(line.split()[1]) * 1024 / 1e6

    def threads_s(self):
        """CPU time of its threads so far in seconds, by the thread's name up to a dash, a colon or a number."""
        told = {}
        for task in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir():
            name, seconds = usage_of(task)
            name = re.match("[a-z]*", name)[0]
            told[name] = told.get(name, 0) + seconds
        return told

    def end(self, number=signal.SIGTERM):
        """CPU time in seconds."""
        if self.usage is None:
            os.kill(self.process.pid, number)  # it may have ended, and nobody else may wait for it
            deadline = time.monotonic() + STOP_S
            while not (ended := os.wait4(self.process.pid, os.WNOHANG))[0]:
                if time.monotonic() > deadline:
                    os.kill(self.process.pid, signal.SIGKILL)
                time.sleep(0.01)
            _, status, self.usage = ended
            self.process.returncode = os.waitstatus_to_exitcode(status)
            if self.process.returncode not in (0, -number):
                raise Failed(f"a program ended with {self.process.returncode}: {tail(self.log)}")
        return self.usage.ru_utime + self.usage.ru_stime

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end(signal.SIGKILL)


def usage_of(folder):
    """Name and CPU time in seconds of a running process or thread."""
    # The name is in brackets; user and system time are the 12th and 13th values after it.
    before, _, after = (folder / "stat").read_text().rpartition(")")
    ticks = sum(int(number) for number in after.split()[11:13])
    return before.partition("(")[2], ticks / os.sysconf("SC_CLK_TCK")


def measure(stage, program, expected, tell=()):
    """Measures a program that writes `expected` records to a receiver. `program` returns its command for the receiver. `tell`: commands
    for the receiver before the start."""
    with Receiver(stage) as receiver:
        for command in tell:
            receiver.ask(command)
        return measure_into(stage, receiver, program, expected)


def measure_into(stage, receiver, program, expected):
    with Child(stage, program(receiver), stage.next_name()) as child:
        await_records(child, receiver, expected)
        memory_mb, threads_s = child.memory_mb(), child.threads_s()
        processor_s = child.end()
        counted = receiver.ask("count")
        if counted["lines"] != expected:
            raise Failed(f"{counted['lines']} of {expected} records arrived in the end: {tail(child.log)}")
    seconds = (counted["most_ns"] - counted["first_ns"]) / 1e9
    return {
        "records": expected,
        "processor_us": processor_s / expected * 1e6,
        "rate": (counted["most_lines"] - counted["first_lines"]) / seconds,
        "memory_mb": memory_mb,
        "sent_bytes": counted["bytes"] / expected,
        "bodies": counted["bodies"],
        "largest_lines": counted["largest_lines"],
        "largest_bytes": counted["largest_bytes"],
        # Includes the time from the first request on, in which batches grow.
        "rate_from_begin": counted["most_lines"] / (counted["most_ns"] - counted["begin_ns"]) * 1e9,
        "threads_us": {name: seconds / expected * 1e6 for name, seconds in threads_s.items()},
    }


def await_records(child, receiver, expected):
    """Waits until all have arrived and no more come."""
    begin = time.monotonic()
    while True:
        time.sleep(POLL_S)
        child.check()
        status = receiver.ask("status")
        if status["bodies"] == 0:
            if time.monotonic() - begin > START_S:
                raise Failed(f"nothing arrives: {tail(child.log)}")
            continue
        if status["idle_ms"] < QUIET_MS:
            continue
        lines = receiver.ask("count")["lines"]
        if lines == expected:
            return
        if lines > expected or status["idle_ms"] > SILENT_MS:
            raise Failed(f"{lines} of {expected} records arrived: {tail(child.log)}")


def build(smoke):
    """Builds the tools and the bridge with cargo. BRIDGE_LIVE_BIN names another bridge. A smoke run measures nothing, so its tools are a
    development build, and its bridge is the program of an earlier `cargo build --release`."""
    what = ["--bench", "tools"] if smoke else ["--bench", "tools", "--bins", "--release", "--features", "kafka-tls"]
    made = {}
    for line in output(["cargo", "build", "--locked", *what, "--message-format", "json"], cwd=ROOT).splitlines():
        message = json.loads(line)
        if message.get("executable"):
            made[message["target"]["name"]] = message["executable"]
    made.setdefault("kafka-influx-bridge", TARGET / "release/kafka-influx-bridge")
    made["kafka-influx-bridge"] = os.environ.get("BRIDGE_LIVE_BIN", made["kafka-influx-bridge"])
    # A copy, because another build could replace the files during a run.
    folder = TARGET / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    for name in made:
        made[name] = shutil.copy2(made[name], folder / name)
    return made["tools"], made["kafka-influx-bridge"]


def peers():
    """Builds Telegraf and the script's Python, once."""
    return output([STACK / "telegraf/build"]), venv()


def venv():
    """A Python with the script's client libraries."""
    if importlib.util.find_spec("ensurepip") is None:
        subprocess.run([STACK / "install-package", "python3-venv"], check=True, stdout=sys.stderr)
    wanted = (HERE / "peer/requirements.txt").read_text()
    folder = CACHE / "bench-venv"
    python, mark = folder / "bin/python", folder / "made-of.txt"
    if not mark.exists() or mark.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "-r", HERE / "peer/requirements.txt"], check=True)
        mark.write_text(wanted)
    return python


def output(command, **options):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, **options).stdout.strip()


def flags(options):
    return [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", str(value))]


def tail(log):
    return log.read_text(errors="replace")[-2_000:]
