"""A new connector's files, written from a template that passes the suite as it is."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from pypods.cli.environments import build_environment, check_python
from pypods.cli.exits import UsageError
from pypods.cli.pod_arguments import shown_path
from pypods.cli.settings import Settings

__all__ = ["Kind", "NewConnector", "new_connector", "write_connector"]

TEMPLATE = Path(__file__).with_name("connector_template")


class Kind(StrEnum):
    """What a new connector is like; each is a folder of the template."""

    sql = "sql"
    files = "files"


#: Of each kind: its own module, the scratch place of its tests, and what it does not offer.
MODULES = {Kind.sql: "database", Kind.files: "format"}
SCRATCH = {
    Kind.sql: """Scratch(
        connection={"database": str(tmp_path / "scratch.db")},
        unreachable={"database": str(tmp_path / "none" / "x.db")},
    )""",
    Kind.files: """Scratch(
        connection={"folder": str(tmp_path)},
        # A name that a file can have, without a dot, which a suffix begins with.
        stream=lambda name: [quote(name, safe=" '\\"ü漢ï%$;:").replace(".", "%2E") + "{suffix}"],
        unreachable={"folder": str(tmp_path / "none")},
    )""",
}
OTHERWISE = {
    Kind.sql: {
        "wrong_password": "not checked",
        "partitions": "not offered",
        "snapshot": "not offered",
    },
    Kind.files: {
        "wrong_password": "not checked",
        "snapshot": "not offered",
        "query": "not offered",
        "refused_rows": "not offered",
    },
}


@dataclass(frozen=True)
class NewConnector:
    """What is to be written: the pod's folder and the test beside the pods directory."""

    name: str
    kind: Kind
    pods_directory: Path
    tests_directory: Path

    @property
    def folder(self) -> Path:
        """The pod's folder."""
        return self.pods_directory / self.name

    @property
    def module(self) -> Path:
        """The file in which the connector's own code is."""
        return self.folder / f"{self.name}_{MODULES[self.kind]}.py"

    @property
    def test(self) -> Path:
        """The file that runs the suite."""
        return self.tests_directory / f"test_{self.name}.py"

    def files(self) -> list[tuple[Path, Path]]:
        """Return what is written, each with its template; pod.py, which makes it a pod, last."""
        here = TEMPLATE / self.kind
        return [
            (self.test, TEMPLATE / "test.py.txt"),
            (self.folder / "requirements.txt", here / "requirements.txt"),
            (self.module, here / f"{MODULES[self.kind]}.py.txt"),
            (self.folder / "pod.py", here / "pod.py.txt"),
        ]


def new_connector(
    settings: Settings, name: str, kind: Kind, requirements: list[str], python: str | None
) -> None:
    """Write a connector with its tests, make its environment, and say what to do next."""
    from pypods.pods.folder import check_pod_name, create_pod_folder

    try:
        check_pod_name(name)
    except ValueError as exc:
        raise UsageError(str(exc)) from exc
    check_python(python)
    directory = settings.pods_directory.absolute()
    new = NewConnector(name, kind, directory, directory.parent / "tests")
    written = write_connector(new, requirements)
    # Adds what every pod's folder has besides, and keeps the Python.
    folder = create_pod_folder(name, pods_directory=directory, python=python)
    build_environment(settings, folder)
    if settings.json:
        paths = [str(path) for path in written]
        print(json.dumps({"name": name, "path": str(folder.path), "like": kind, "files": paths}))
    elif not settings.quiet:
        print(f"Created connector {name} in {shown_path(folder.path)}. It works as it is:")
        print(f"  see that it does      pypods connectors test {name}")
        print(f"  put your driver in    {shown_path(new.module)}")
        print(f"  name it there         {shown_path(folder.requirements_file)}")
        print(f"  keep it right         pytest {shown_path(new.test)}")


def write_connector(new: NewConnector, requirements: Iterable[str]) -> list[Path]:
    """Write the files; return them. Raises UsageError, before anything, where one is there."""
    there = [path for path, _ in new.files() if path.exists()]
    if there:
        raise UsageError(f"{there[0]} is there already; choose another name, or remove it first")
    for path, template in new.files():
        path.parent.mkdir(parents=True, exist_ok=True)
        text = filled(template.read_text(encoding="utf-8"), new)
        if path.name == "requirements.txt":
            text += "".join(f"{each}\n" for each in requirements)
        path.write_text(text, encoding="utf-8")
    return [path for path, _ in new.files()]


def filled(text: str, new: NewConnector) -> str:
    """Return a template's text for one connector; braces that are Python's stay."""
    words = {
        "{scratch}": SCRATCH[new.kind],
        "{otherwise}": shown_dict(OTHERWISE[new.kind]),
        "{imports}": "from urllib.parse import quote\n" if new.kind is Kind.files else "",
        "{pods}": new.pods_directory.name,
        "{suffix}": f".{new.name}",
        "{Name}": class_name(new.name),
        "{name}": new.name,
    }
    for word, value in words.items():
        text = text.replace(word, value)
    return text


def class_name(name: str) -> str:
    """Return a pod's name as classes are called: ``my_db`` is MyDb."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_") if part) or name


def shown_dict(values: dict[str, str]) -> str:
    """Return a dictionary as it is written in a file, an item a line."""
    return "{\n" + "".join(f'    "{key}": "{value}",\n' for key, value in values.items()) + "}"
