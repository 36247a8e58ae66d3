"""The colours of pages and charts by their role, light and dark: a chart names a role, the page gives the colour."""

from __future__ import annotations

LIGHT = {
    "paper": "#fbfbf9",
    "card": "#ffffff",
    "ink": "#1d2327",
    "soft": "#5a646b",
    "line": "#d9dcdc",
    "one": "#2f6fab",
    "two": "#b5651d",
    "three": "#7a7f85",
    "good": "#1a7f37",
    "bad": "#b3261e",
    "mark": "#fff3d1",
}
DARK = {
    "paper": "#14181b",
    "card": "#1c2226",
    "ink": "#e6e9ea",
    "soft": "#a3adb4",
    "line": "#3a4349",
    "one": "#6fb1ea",
    "two": "#f0a35e",
    "three": "#9aa5ac",
    "good": "#57c278",
    "bad": "#ff8a80",
    "mark": "#3d3517",
}


def render_colour_style() -> str:
    """CSS that defines every role as a variable; paper is always light."""

    def declare(colours: dict[str, str]) -> str:
        return " ".join(f"--{role}: {colour};" for role, colour in colours.items())

    return (
        f":root {{ color-scheme: light dark; {declare(LIGHT)} }}\n"
        f"@media screen and (prefers-color-scheme: dark) {{ :root {{ {declare(DARK)} }} }}"
    )
