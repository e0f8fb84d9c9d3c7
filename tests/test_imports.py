"""What an import loads, and what the code that runs in a pod may use."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parent.parent / "src" / "pypods"
HEAVY = [
    "asyncio", "bson", "click", "pydantic", "pymongo", "rich", "typer", "uv", "virtualenv", "yaml",
]  # fmt: skip
OLDEST = (3, 8)

# Modules newer than the oldest Python a pod may have; a use of one needs a fallback.
YOUNGER_THAN_OLDEST = {"graphlib", "tomllib", "zoneinfo"}

# A pod that has these gets their values as their own types; the import is inside the function that
# meets one, so that a pod without them never asks for them.
IF_THE_POD_HAS_IT = {"backports", "bson", "numpy", "pandas", "pyarrow", "pytz"}

IN_A_POD = [
    *sorted((SOURCE / "wire").rglob("*.py")),
    *sorted((SOURCE / "worker").rglob("*.py")),
    *sorted((SOURCE / "connectors").rglob("*.py")),
    SOURCE / "errors.py",
]


@pytest.mark.parametrize("statement", ["import pypods", "from pypods.pods import PodLoader"])
def test_importing_loads_nothing_heavy(statement):
    """A fresh interpreter, without the environment of this one, says what it loaded."""
    program = f"{statement}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-I", "-c", program],
        capture_output=True, text=True, check=True, env={}, timeout=60,
    )  # fmt: skip
    loaded = done.stdout.split()
    assert "pypods" in loaded
    assert [name for name in HEAVY if name in loaded] == []


@pytest.mark.parametrize("words", [["--help"], ["integrate", "--help"], ["list"]])
def test_a_command_that_integrates_nothing_loads_nothing_for_it(words, tmp_path):
    program = "import sys; from pypods.cli import main\ntry: main()\nexcept SystemExit: pass\n"
    done = subprocess.run(
        [sys.executable, "-c", f"{program}print(*sys.modules, file=sys.stderr)", *words],
        capture_output=True, text=True, check=True, cwd=tmp_path, timeout=60,
    )  # fmt: skip
    loaded = done.stderr.split()
    assert "typer" in loaded
    assert [
        name for name in ("pypods.integrator", "yaml", "sqlalchemy", "pyarrow") if name in loaded
    ] == []


def test_the_floors_of_the_pod_are_there():
    """Else the tests over their files would test nothing."""
    assert {path.parent.name for path in IN_A_POD} >= {"wire", "worker", "connectors", "pypods"}


@pytest.mark.parametrize("path", IN_A_POD, ids=lambda path: str(path.relative_to(SOURCE)))
def test_code_of_the_pod_is_written_in_the_oldest_python(path):
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=OLDEST)
    assert isinstance(tree, ast.Module)


@pytest.mark.parametrize("path", IN_A_POD, ids=lambda path: str(path.relative_to(SOURCE)))
def test_code_of_the_pod_imports_the_standard_library_alone(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    in_functions = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        for inner in ast.walk(node)
    }
    names: set[str] = set()
    foreign: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            here = {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            here = {node.module or ""}
        else:
            continue
        names |= here
        allowed = sys.stdlib_module_names | {"pypods"}
        if id(node) in in_functions:
            allowed |= IF_THE_POD_HAS_IT
        if {name.partition(".")[0] for name in here} - allowed:
            foreign.append(ast.unparse(node))
    assert foreign == []
    own = {".".join(name.split(".")[:2]) for name in names if name.startswith("pypods")}
    if "connectors" in path.parts:
        assert own <= {"pypods.connectors", "pypods.errors"}
    else:
        assert own <= {"pypods", "pypods.wire", "pypods.worker", "pypods.errors"}


@pytest.mark.parametrize("path", IN_A_POD, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_module_younger_than_the_oldest_python_is_imported_with_a_fallback(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    guarded = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Try, ast.If, ast.FunctionDef))
        for inner in ast.walk(node)
    }
    bare = [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        and id(node) not in guarded
        and {getattr(node, "module", None), *(a.name for a in node.names)} & YOUNGER_THAN_OLDEST
    ]
    assert bare == []
