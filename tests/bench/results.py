"""Figures as they are kept between a run and the document, and what is made of them."""

import datetime
import json
import os
import statistics
import subprocess

from stage import HERE, ROOT, output


def machine(stage):
    """Where, when, and what was measured."""
    with open("/proc/cpuinfo") as cpuinfo:
        model = next((line.split(":")[1].strip() for line in cpuinfo if line.startswith("model name")), "unknown")
    with open("/proc/meminfo") as meminfo:
        memory_kb = int(next(meminfo).split()[1])
    peer = dict(line.split("==") for line in (HERE / "peer/requirements.txt").read_text().split())
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "memory_gb": round(memory_kb * 1024 / 1e9),
        "kernel": os.uname().release,
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
        "bridge": output([stage.bridge, "--version"]).split()[-1],
        "commit": commit(),
        "kafka": setting("kafka_version"),
        "influxdb": setting("influx2_version"),
        "telegraf": setting("telegraf_version"),
        "python": peer,
        "rounds": stage.rounds,
        "scale": stage.scale,
    }


def commit():
    """Its beginning, with a + where files differ from it; nothing where git is not there."""
    try:
        told = output(["git", "-C", ROOT, "describe", "--always", "--dirty=+", "--abbrev=10"], stderr=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return told


def setting(name):
    told = f'cache_dir=; . "{ROOT}/tests/stack/settings.sh"; echo "${name}"'
    return output(["bash", "-c", told])


def keep(path, machine, sections):
    """Those of sections that were measured now, beside those that were measured before."""
    results = read(path) if path.exists() else {"sections": {}}
    results["machine"] = machine
    results["sections"] |= sections
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1))
    return results


def read(path):
    return json.loads(path.read_text())


class Rows(list):
    """Runs of one section."""

    def where(self, **wanted):
        return Rows(row for row in self if all(row[key] == value for key, value in wanted.items()))

    def of(self, key):
        return [row[key] for row in self]

    def ratios(self, key, over):
        """Of each round, this one's value over the other's of the same round."""
        others = {row["round"]: row[key] for row in over}
        return [row[key] / others[row["round"]] for row in self if row["round"] in others]


median = statistics.median
