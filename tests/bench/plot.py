"""Draws plots as SVG: bars, and lines on logarithmic scales, with the value at each mark."""

import math

INK, GRID, PAPER = "#222", "#ddd", "#fff"
FIRST, OTHERS = "#1f6fb4", "#b9bec4"
PANEL_WIDTH, PANEL_HEIGHT, GAP, MARGIN = 300, 190, 30, 20
BAR, BAR_GAP, NAME_WIDTH = 18, 8, 130


def bars(title, panels):
    """Draws `panels`, each with a heading, names and values. The first bar is highlighted; the longest is as wide as the panel."""
    parts, y = [text(MARGIN, 24, title, 15, weight="bold")], 44
    for heading, values in panels:
        parts.append(text(MARGIN, y + 14, heading, 12, weight="bold"))
        y += 22
        longest = max(value for _, value in values)
        for place, (name, value) in enumerate(values):
            width = max(1, value / longest * (2 * PANEL_WIDTH - NAME_WIDTH))
            parts.append(text(MARGIN + NAME_WIDTH - 8, y + 13, name, 12, anchor="end"))
            colour = OTHERS if place else FIRST
            parts.append(f'<rect x="{MARGIN + NAME_WIDTH}" y="{y}" width="{width:.1f}" height="{BAR}" fill="{colour}"/>')
            parts.append(text(MARGIN + NAME_WIDTH + width + 6, y + 13, short(value), 12))
            y += BAR + BAR_GAP
        y += 10
    return svg(2 * PANEL_WIDTH + 2 * MARGIN + 60, y, parts)


def lines(title, panels):
    """Draws `panels`, each with a heading and points. Both scales are logarithmic, and equal heights are equal factors in all panels."""
    parts = [text(MARGIN, 24, title, 15, weight="bold")]
    decades = max(math.log10(max(y for _, y in points) / min(y for _, y in points)) for _, points in panels)
    for place, (heading, points) in enumerate(panels):
        left = MARGIN + place % 2 * (PANEL_WIDTH + GAP)
        top = 44 + place // 2 * (PANEL_HEIGHT + GAP)
        parts += panel(left, top, heading, points, max(decades, 1))
    rows = (len(panels) + 1) // 2
    return svg(2 * (PANEL_WIDTH + MARGIN) + GAP, 44 + rows * (PANEL_HEIGHT + GAP), parts)


def panel(left, top, heading, points, decades):
    inner = 30
    lowest, highest = math.log10(points[0][0]), math.log10(points[-1][0])
    middle = sum(math.log10(y) for y in (min(y for _, y in points), max(y for _, y in points))) / 2
    across = lambda x: left + inner + (math.log10(x) - lowest) / (highest - lowest) * (PANEL_WIDTH - 2 * inner)
    down = lambda y: top + 100 - (math.log10(y) - middle) / decades * 90
    parts = [text(left, top + 12, heading, 12, weight="bold")]
    bottom = top + PANEL_HEIGHT - 24
    parts.append(f'<line x1="{left}" y1="{bottom}" x2="{left + PANEL_WIDTH}" y2="{bottom}" stroke="{GRID}"/>')
    path = " ".join(f"{across(x):.1f},{down(y):.1f}" for x, y in points)
    parts.append(f'<polyline points="{path}" fill="none" stroke="{FIRST}" stroke-width="2"/>')
    for x, y in points:
        parts.append(f'<circle cx="{across(x):.1f}" cy="{down(y):.1f}" r="3" fill="{FIRST}"/>')
        parts.append(text(across(x), down(y) - 8, short(y), 10, anchor="middle"))
        parts.append(text(across(x), bottom + 14, step(x), 10, anchor="middle"))
    return parts


def step(value):
    for unit, name in ((1_000_000, "M"), (1_000, "k")):
        if value >= unit:
            return f"{value // unit}{name}"
    return str(value)


def short(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def text(x, y, words, size, anchor="start", weight="normal"):
    words = words.replace("&", "&amp;").replace("<", "&lt;")
    style = f'font-size="{size}" text-anchor="{anchor}" font-weight="{weight}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style} fill="{INK}">{words}</text>'


def svg(width, height, parts):
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" font-family="sans-serif">'
    return "\n".join([head, f'<rect width="{width}" height="{height}" fill="{PAPER}"/>', *parts, "</svg>\n"])
