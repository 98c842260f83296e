"""Lines for spreadsheets: CSV in which no cell is taken for a formula."""

import csv
import io
import unicodedata
from collections.abc import Iterable


def line(cells: Iterable[object]) -> bytes:
    """One line of CSV, as UTF-8."""
    written = io.StringIO()
    csv.writer(written).writerow([safe(cell) for cell in cells])
    return written.getvalue().encode()


def safe(cell: object) -> str:
    """A cell that no spreadsheet takes for a formula: text that begins like one gets an apostrophe."""
    text = "" if cell is None else str(cell)
    if isinstance(cell, int):
        return text
    begin = unicodedata.normalize("NFKC", text.lstrip(" ")[:1])
    return f"'{text}" if begin and begin in "=+-@\t\r\n" else text
