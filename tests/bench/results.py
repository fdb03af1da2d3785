"""Results as stored between a run and the document, and computations with them."""

import datetime
import json
import os
import statistics
import subprocess

from stage import HERE, ROOT, output


def machine(stage):
    """The machine, the date and the versions."""
    with open("/proc/cpuinfo") as cpuinfo:
        model = next((line.split(":")[1].strip() for line in cpuinfo if line.startswith("model name")), "unknown")
    with open("/proc/meminfo") as meminfo:
        memory_kb = int(next(meminfo).split()[1])
    peer = dict(line.split("==") for line in (HERE / "peer/requirements.txt").read_text().split())
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "memory_gb": round(memory_kb * 1024 / 1e9),
        "kernel": os.uname().release.split("-")[0],
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
    """The beginning of the commit's id, with a + if files differ from the commit. Empty without git."""
    try:
        told = output(["git", "-C", ROOT, "describe", "--always", "--dirty=+", "--abbrev=10"], stderr=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return told


def setting(name):
    told = f'cache_dir=; . "{ROOT}/tests/stack/settings.sh"; echo "${name}"'
    return output(["bash", "-c", told])


def keep(path, machine, sections):
    """Merges the sections of this run into those of earlier runs."""
    results = read(path) if path.exists() else {"sections": {}}
    results["machine"] = machine
    results["sections"] |= sections
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1))
    return results


def read(path):
    return json.loads(path.read_text())


class Rows(list):
    """The runs of one section."""

    def where(self, **wanted):
        return Rows(row for row in self if all(row[key] == value for key, value in wanted.items()))

    def of(self, key):
        return [row[key] for row in self]

    def ratios(self, key, over):
        """The ratio of this program's value to the other's, for each round."""
        others = {row["round"]: row[key] for row in over}
        return [row[key] / others[row["round"]] for row in self if row["round"] in others]


median = statistics.median
