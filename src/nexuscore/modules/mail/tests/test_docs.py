"""docs/mail.md: the first mail in five minutes, done as the page says."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[5]
BLOCK = re.compile(r"\*\*`(parcels/[\w/.]+)`\*\*.*?\n```\w*\n(.*?)\n```", re.DOTALL)
CONFTEST = "from nexuscore.modules.mail.module import module as mail\n\nfrom parcels.module import module\n"


def run(folder: Path, *command: str) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("NEXUS_", "DATABASE_"))}
    environ["PYTHONPATH"] = str(ROOT / "src")
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=folder, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_page_works_as_it_is_written(tmp_path: Path) -> None:
    """`nexus new`, the files of the page, and the tests of both."""
    page = (ROOT / "docs" / "mail.md").read_text(encoding="utf-8")
    files = dict(BLOCK.findall(page))
    change = files.pop("parcels/module.py")
    assert len(files) == 6
    run(tmp_path, "nexuscore.cli", "new", "module", "parcels")
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n", encoding="utf-8")
    manifest = tmp_path / "parcels" / "module.py"
    manifest.write_text(changed(manifest.read_text(), change))
    conftest = tmp_path / "parcels" / "tests" / "conftest.py"
    text = conftest.read_text().replace("from parcels.module import module\n", CONFTEST)
    conftest.write_text(text.replace("return [module]", "return [mail, module]"))
    run(tmp_path, "pytest", "-q", "parcels")


def changed(manifest: str, change: str) -> str:
    """The manifest with the page's lines: imports after the imports, arguments where the old ones were."""
    lines = change.splitlines()
    [old] = [line[1:] for line in lines if line.startswith("-")]
    added = [line[1:] for line in lines if line.startswith("+")]
    imports = "\n".join(line for line in added if not line.startswith(" "))
    arguments = "\n".join(line for line in added if line.startswith(" "))
    assert old in manifest
    after = "from parcels.tables import Parcel\n"
    return manifest.replace(old, arguments).replace(after, f"{after}{imports}\n")
