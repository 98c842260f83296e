"""`python -m bench`: measure, print the tables, and name the promises that were not kept."""

import argparse
import json
import sys
from contextlib import AsyncExitStack
from itertools import groupby
from pathlib import Path

import uvloop

from bench.figures import Figure, table
from bench.row import Row, Run
from bench.rows import ROWS
from bench.stage import StageError, say


async def measure(rows: list[Row], *, quick: bool) -> dict[str, list[Figure]]:
    """Every row's figures, by its name; each table is printed as soon as it is whole."""
    figures: dict[str, list[Figure]] = {}
    async with AsyncExitStack() as closing:
        run = Run(3, 0.5, 0.5, closing) if quick else Run(7, 1.0, 2.0, closing)
        for title, group in groupby(rows, lambda row: row.title):
            together = []
            for row in group:
                say(f"measuring {row.name} …")
                figures[row.name] = await row.measure(run)
                together += figures[row.name]
            print(f"\n### {title}\n\n{table(together)}\n", flush=True)
    return figures


def main() -> int:
    """Do what the command line says."""
    names = [row.name for row in ROWS]
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure what we claim about speed.")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter slices, for a first look")
    parser.add_argument("--only", metavar="ROWS", help=f"some of {','.join(names)}")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write every value there too")
    given = parser.parse_args()
    only = given.only.split(",") if given.only else names
    if unknown := set(only) - set(names):
        parser.error(f"no such row: {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    try:
        found = uvloop.run(measure([row for row in ROWS if row.name in only], quick=given.quick))
    except StageError as fault:
        say(f"stopped: {fault}")
        return 1
    if given.json:
        given.json.write_text(json.dumps({name: [f.as_json() for f in figs] for name, figs in found.items()}, indent=1))
    missed = [f"{figure.subject}: {figure.verdict}" for figures in found.values() for figure in figures]
    missed = [each for each in missed if each.endswith("MISSED")]
    say("\n".join(["promises missed:", *missed]) if missed else "every promise measured was kept")
    return 0


if __name__ == "__main__":
    sys.exit(main())
