"""The colours of every figure and report, told apart by colour-blind readers, by day and night.

Series colours are those of Okabe and Ito (2008), brightened on a dark page. A figure is drawn in
the day colours; `parivision.reports.html` turns them into the page's own, so they follow its theme.
The style sheet of the pages (`templates/style.css.j2`) names the same roles.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Colour:
    """One role: the CSS variable's name, its hex value on a light page and on a dark one."""

    name: str
    light: str
    dark: str


INK: Final = "#1b232c"
MUTED: Final = "#5b6672"
GRID: Final = "#dfe4e9"
BLUE: Final = "#0072b2"
VERMILION: Final = "#d55e00"
GREEN: Final = "#009e73"
ORANGE: Final = "#e69f00"
PURPLE: Final = "#b45a91"
SKY: Final = "#56b4e9"

COLOURS: Final = (
    Colour("ink", INK, "#e7ecf1"),
    Colour("muted", MUTED, "#9fabb8"),
    Colour("grid", GRID, "#333c46"),
    Colour("blue", BLUE, "#4fa9e6"),
    Colour("vermilion", VERMILION, "#f28a45"),
    Colour("green", GREEN, "#35c79c"),
    Colour("orange", ORANGE, "#f0b840"),
    Colour("purple", PURPLE, "#dd93bf"),
    Colour("sky", SKY, "#8fd0f5"),
)
SERIES: Final = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, MUTED)
"""Colours of lines and bars, in the order in which a figure uses them."""
