"""Records a command in a terminal as an animated SVG: recording.py FILE.svg COMMAND...

The terminal knows what the demo writes: text, line feed, carriage return, colours, and erasing the line. Other escape sequences are an error.
Without animations, a viewer shows the last state.
"""

import os
import pty
import re
import sys
import time
from html import escape

COLUMNS, ROWS, WIDTH, HEIGHT, SIZE = 110, 26, 7.83, 18, 13
PAPER, INK = "#14171a", "#e6e8ea"
COLOURS = {31: "#ff8f85", 32: "#58c792", 33: "#f0b752", 34: "#82b4ff", 35: "#d3a6ff", 36: "#6fd3d8", 90: "#a3a9b0"}
TOKEN = re.compile(r"\x1b\[([\d;]*)([A-Za-z])|(\r\n|\n)|(\r)|([^\x1b\r\n]+)")


class Row:
    """Text of a row from one time to another. A row that is drawn again in place is another one."""

    def __init__(self, number, begin):
        self.number, self.begin, self.end, self.parts = number, begin, None, []


def record(command):
    """Runs the command. Returns what it wrote, each part with its time."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(COLUMNS=str(COLUMNS), LINES=str(ROWS), TERM="xterm-256color")
        os.execvp(command[0], command)
    begin, output = None, []
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:
            break
        if not part:
            break
        begin = begin or time.monotonic()
        output.append((time.monotonic() - begin, part))
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status != 0:
        sys.exit(f"{command} ended with {status}")
    return output


def rows_of(output):
    """The rows that the output draws."""
    rows, style, pending = [Row(0, 0.0)], "", b""
    for at, part in output:
        pending += part
        text = pending.decode(errors="ignore")
        # An escape sequence may be cut.
        cut = text.rfind("\x1b")
        complete = text if cut < 0 or TOKEN.match(text, cut) else text[:cut]
        pending = text[len(complete):].encode()
        while complete:
            token = TOKEN.match(complete)
            if token is None:
                sys.exit(f"unknown escape sequence: {complete[:20]!r}")
            complete = complete[token.end():]
            numbers, final, feed, carriage, plain = token.groups()
            row = rows[-1]
            if plain:
                if not row.parts:
                    row.begin = at
                row.parts.append((style, plain))
            elif feed:
                rows.append(Row(row.number + 1, at))
            elif final == "K":
                row.end = at
                rows.append(Row(row.number, at))
            elif final == "m":
                style = style_of(style, numbers)
            elif not carriage:
                sys.exit(f"unknown escape sequence: {token.group(0)!r}")
    return wrapped([row for row in rows if row.parts])


def style_of(style, numbers):
    for number in (int(number or 0) for number in numbers.split(";")):
        if number == 1:
            style += ' font-weight="bold"'
        elif number == 2:
            style = f' fill="{COLOURS[90]}"'
        else:
            style = f' fill="{COLOURS[number]}"' if number in COLOURS else ""
    return style


def wrapped(rows):
    """Breaks rows that are wider than the terminal, and moves later rows down."""
    result, moved, widest = [], {}, 0
    for row in rows:
        cells = [(style, char) for style, text in row.parts for char in text]
        chunks = [cells[at:at + COLUMNS] for at in range(0, len(cells), COLUMNS)]
        begin = row.number + moved.get("rows", 0)
        for number, chunk in enumerate(chunks):
            part = Row(begin + number, row.begin)
            part.end, part.parts = row.end, merged(chunk)
            result.append(part)
            widest = max(widest, part.number)
        if row.end is None:
            moved["rows"] = moved.get("rows", 0) + len(chunks) - 1
    return result


def merged(cells):
    parts = []
    for style, char in cells:
        if parts and parts[-1][0] == style:
            parts[-1] = (style, parts[-1][1] + char)
        else:
            parts.append((style, char))
    return parts


def svg(title, rows):
    last = max(row.number for row in rows)
    # The terminal scrolls once it is full.
    scrolls, shown = [(0.0, 0)], 0
    for row in rows:
        hidden = max(0, row.number - ROWS + 1)
        if hidden > shown:
            scrolls.append((row.begin, hidden))
            shown = hidden
    duration = max(row.begin for row in rows) + 1
    width, height = round(COLUMNS * WIDTH + 24), (min(last + 1, ROWS)) * HEIGHT + 24
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height}" rx="8" fill="{PAPER}"/>',
        f'<svg x="12" y="12" width="{width - 24}" height="{height - 24}">',
        f'<g font-family="ui-monospace, DejaVu Sans Mono, monospace" font-size="{SIZE}" fill="{INK}" xml:space="preserve" '
        f'transform="translate(0 {-shown * HEIGHT})">',
    ]
    if shown:
        values = ";".join(f"0 {-hidden * HEIGHT}" for _, hidden in scrolls)
        times = ";".join(f"{at / duration:.4f}" for at, _ in scrolls)
        out.append(
            f'<animateTransform attributeName="transform" type="translate" calcMode="discrete" values="{values}" keyTimes="{times}" '
            f'dur="{duration:.2f}s" fill="freeze"/>'
        )
    for row in rows:
        y = row.number * HEIGHT + SIZE
        spans = "".join(f"<tspan{style}>{escape(text)}</tspan>" for style, text in row.parts)
        if row.end is None:
            hide = f'<set attributeName="visibility" to="hidden" begin="0s" end="{row.begin:.2f}s"/>' if row.begin > 0.05 else ""
            out.append(f'<text x="0" y="{y}">{hide}{spans}</text>')
        elif row.end - row.begin > 0.05:
            show = f'<set attributeName="visibility" to="visible" begin="{row.begin:.2f}s" end="{row.end:.2f}s"/>'
            out.append(f'<text x="0" y="{y}" visibility="hidden">{show}{spans}</text>')
    out.append("</g></svg></svg>\n")
    return "\n".join(out)


def main():
    path, command = sys.argv[1], sys.argv[2:]
    rows = rows_of(record(command))
    with open(path, "w", encoding="utf-8") as file:
        file.write(svg(" ".join(command), rows))


if __name__ == "__main__":
    main()
