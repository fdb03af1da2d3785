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
        "bridge": output([stage.bridge, "--version"]).split()[-1],
        "kafka": setting("kafka_version"),
        "influxdb": setting("influx2_version"),
        "telegraf": setting("telegraf_version"),
        "python": peer,
    }


def origin(stage):
    """Which code was measured when, and how often. Each section has its own, because a section can be repeated alone."""
    date = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")
    return {"commit": commit(), "date": date, "rounds": stage.rounds, "scale": stage.scale}


def commit():
    """The beginning of the commit's id, with a + if files differ from the commit, other than the results. Empty without git."""
    try:
        told = output(["git", "-C", ROOT, "rev-parse", "--short=10", "HEAD"], stderr=subprocess.DEVNULL)
        changed = output(["git", "-C", ROOT, "status", "--porcelain", "--", ":!docs", ":!tests/bench/results.json"])
    except (OSError, subprocess.CalledProcessError):
        return ""
    return told + ("+" if changed else "")


def setting(name):
    told = f'cache_dir=; . "{ROOT}/tests/stack/settings.sh"; echo "${name}"'
    return output(["bash", "-c", told])


def keep(path, machine, name, section):
    """Stores a section beside those of earlier runs, in place of its own of an earlier run."""
    results = read(path) if path.exists() else {"sections": {}}
    results["machine"] = machine
    results["sections"][name] = section
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text(results))
    return results


def text(results):
    """JSON with a row per line, so that a repeated section is a readable difference."""
    sections = []
    for name, section in sorted(results["sections"].items()):
        rows = ",\n".join(json.dumps(rounded(row)) for row in section["rows"])
        about = json.dumps({key: value for key, value in section.items() if key != "rows"})
        sections.append(f'{json.dumps(name)}: {about[:-1]}, "rows": [\n{rows}\n]}}')
    machine, all_sections = json.dumps(results["machine"]), ",\n".join(sections)
    return f'{{"machine": {machine},\n"sections": {{\n{all_sections}\n}}}}\n'


def rounded(value):
    """Floats with six significant digits, which are more than any measurement has."""
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    return float(f"{value:.6g}") if isinstance(value, float) else value


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
