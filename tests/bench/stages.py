"""Each stage of a record's path alone, measured by `cargo bench --bench micro`."""

import subprocess

from stage import ROOT, Failed

UNITS = {"ns": 1, "µs": 1_000, "ms": 1_000_000, "s": 1_000_000_000}


def run(stage):
    for round_number in range(1 if stage.smoke else min(stage.rounds, 3)):
        for names, median_ns in medians(told(stage.smoke)):
            yield {"round": round_number, "stage": names[0], "what": ", ".join(names[1:]), "median_ns": median_ns}


def told(smoke):
    # One sample of a development build checks that the benchmark works.
    profile, few = (["--profile", "dev"], ["--sample-count", "1"]) if smoke else ([], [])
    command = ["cargo", "bench", "--locked", *profile, "--bench", "micro", "--", *few]
    try:
        return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    except subprocess.CalledProcessError as error:
        raise Failed(f"{' '.join(command)}: {error.stderr[-1_000:]}") from error


def medians(table):
    """Parses the output, a tree of names with columns. Yields each benchmark's path and its median in nanoseconds."""
    path = []
    for line in table.splitlines():
        mark = max(line.find("├─"), line.find("╰─"))
        if mark < 0:
            continue
        # A branch is three columns wide.
        name, *columns = line[mark + 3 :].split("│")
        name, _, fastest = name.strip().partition("  ")
        path[mark // 3 :] = [name]
        if fastest.strip():
            value, unit = columns[1].split()
            yield list(path), float(value) * UNITS[unit]
