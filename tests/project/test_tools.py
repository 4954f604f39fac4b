"""The tools that make pages: each is in the guide's table and runs in the checkout's root."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tools.fill_docs import filled

ROOT = Path(__file__).parents[2]
TOOLS = {path.stem: path for path in (ROOT / "tools").glob("*.py") if path.stem != "__init__"}


def test_the_guide_names_every_tool() -> None:
    guide = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| .+ \| `python -m tools\.(\w+)`", guide, re.MULTILINE)) == TOOLS.keys()


def test_every_tool_is_found_from_the_root_and_does_nothing_when_imported() -> None:
    code = f"import {', '.join(f'tools.{name}' for name in sorted(TOOLS))}"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    runs = {
        name for name, path in TOOLS.items() if '\nif __name__ == "__main__":\n' in path.read_text(encoding="utf-8")
    }
    assert runs == TOOLS.keys()


PAGE = """# A page

```arch file=tiny.arch
network tiny { input 3x4x4
 conv(2, 1) }
```

```console runs
$ archdsl check tiny.arch
something else
```

```console runs
$ archdsl check tiny.arch
...
```
"""


def test_what_a_command_prints_is_filled_in() -> None:
    """Beside the page's own files; what is said to stand for any lines stays."""
    whole, _, left = filled(PAGE).partition("```console runs\n$ archdsl check tiny.arch\n...")
    assert left == "\n```\n"
    assert whole == PAGE.partition("something else")[0] + "1 spec checked: no errors\n```\n\n"
    assert filled(filled(PAGE)) == filled(PAGE)
