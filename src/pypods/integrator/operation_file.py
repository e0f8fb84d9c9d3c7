"""Operations from YAML files, with file, line and column in every error; the JSON Schema."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pypods.errors import OperationError
from pypods.integrator.operation import Operation

__all__ = ["operation_schema", "parse_operation", "read_operation"]

SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"
MAX_DEPTH = 100


def read_operation(path: str | Path) -> Operation:
    """Return the operation that a YAML (or JSON) file holds.

    Raises OperationError, which names file, line and column.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise OperationError(
            f"{path}: no such file; name the file of an operation, as in "
            '"pypods integrate operation.yaml"'
        ) from None
    except (OSError, UnicodeDecodeError) as exc:
        raise OperationError(f"{path}: cannot be read as text ({exc})") from exc
    return parse_operation(text, place=str(path))


def parse_operation(text: str, *, place: str = "operation") -> Operation:
    """Return the operation written in ``text``; ``place`` is what errors call it."""
    import yaml

    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is None:
            raise OperationError(f"{place}: is empty; it needs a name and integrations")
        check_nodes(root, place)
        document = yaml.safe_load(text)
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        where = f"{place}:{mark.line + 1}:{mark.column + 1}" if mark is not None else place
        said = " ".join(part for part in (exc.context, exc.problem) if part)
        raise OperationError(f"{where}: is not YAML: {said}") from exc
    except OperationError:
        raise
    except (yaml.YAMLError, ValueError, RecursionError) as exc:
        raise OperationError(f"{place}: is not YAML: {exc}") from exc
    try:
        return Operation.model_validate(document)
    except ValidationError as exc:
        found = sorted(describe_problem(problem, root, place) for problem in problems_of(exc))
        raise OperationError("\n".join(line for _, _, line in found)) from exc


def check_nodes(root: Any, place: str) -> None:
    """Raise OperationError for what YAML would let pass: a key that is there twice, aliases."""
    import yaml

    stack: list[tuple[Any, int]] = [(root, 0)]
    seen: set[int] = set()
    while stack:
        node, depth = stack.pop()
        where = f"{place}:{node.start_mark.line + 1}:{node.start_mark.column + 1}"
        if depth > MAX_DEPTH:
            raise OperationError(f"{where}: is nested more than {MAX_DEPTH} levels deep")
        if id(node) in seen:  # An alias; a thousand of a thousand of them is a bomb.
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            keys: set[str] = set()
            for key, value in node.value:
                name = str(key.value)
                if name in keys and name != "<<":
                    mark = key.start_mark
                    raise OperationError(
                        f"{place}:{mark.line + 1}:{mark.column + 1}: {name} is given twice"
                    )
                keys.add(name)
                stack.append((value, depth + 1))
        elif isinstance(node, yaml.SequenceNode):
            stack += [(each, depth + 1) for each in node.value]


def problems_of(error: ValidationError) -> list[dict[str, Any]]:
    """Return what is wrong, each place once: of a choice, what its closest kind says."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for problem in error.errors(include_url=False, include_context=True, include_input=True):
        place = tuple(step for step in problem["loc"] if not is_kind(step))
        is_better = problem["type"] != "model_type" and place in found
        if place not in found or (is_better and found[place]["type"] == "literal_error"):
            found[place] = {**problem, "loc": place}
    inner = {place[:length] for place in found for length in range(len(place))}
    return [problem for place, problem in found.items() if place not in inner]


def is_kind(step: Any) -> bool:
    """Tell whether a step of a place names one kind of a choice, and nothing in the file."""
    text = str(step)
    return "[" in text or text in ("BadRows", "str", "float", "int")


def describe_problem(
    problem: dict[str, Any], root: Any, place: str
) -> tuple[tuple[int, int], bool, str]:
    """Return line and column, whether it is something missing, and the error's one line."""
    steps: Sequence[Any] = problem["loc"]
    node, missing = find_node(root, steps, wants_key=problem["type"] == "extra_forbidden")
    where = f"{place}:{node.start_mark.line + 1}:{node.start_mark.column + 1}"
    name = ".".join(str(step) for step in steps)
    kind, message = problem["type"], problem["msg"]
    if kind == "extra_forbidden":
        known = known_settings(steps[:-1])
        message = f"there is no setting {steps[-1]!r} here; there are: {', '.join(known)}"
    elif kind == "missing" or missing:
        message = "is missing; write it here"
    elif kind == "value_error":
        message = str(problem["ctx"]["error"])
    elif kind == "literal_error":
        message = f"is {problem['ctx']['expected']}, not {problem['input']!r}"
    else:
        message = f"{message[:1].lower()}{message[1:]}, not {problem['input']!r:.60}"
    text = f"{where}: {name}: {message}" if name else f"{where}: {message}"
    return (node.start_mark.line, node.start_mark.column), missing, text


def find_node(root: Any, steps: Iterable[Any], *, wants_key: bool) -> tuple[Any, bool]:
    """Return the node of a place, or the nearest around it, and whether it is not there."""
    import yaml

    node, key_node = root, root
    for step in steps:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == str(step):
                    node, key_node = value, key
                    break
            else:
                return node, True
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            if step >= len(node.value):
                return node, True
            node = key_node = node.value[step]
        else:
            return node, False
    return (key_node if wants_key else node), False


def known_settings(steps: Sequence[Any]) -> list[str]:
    """Return the names of the settings that may stand at a place."""
    from pypods.integrator.operation import BadRows, Integration, Retries, Source, Target

    models: dict[str, Any] = {
        "source": Source, "target": Target, "bad_rows": BadRows, "retries": Retries,
    }  # fmt: skip
    names = [step for step in steps if isinstance(step, str)]
    model = models.get(names[-1], Integration) if names else Operation
    return [name for name in model.model_fields if name != "memory"]


def operation_schema() -> dict[str, Any]:
    """Return the JSON Schema of operation files, as docs/operation.schema.json has it."""
    schema = Operation.model_json_schema(mode="validation")
    for model in schema.get("$defs", {}).values():
        properties = model.get("properties", {})
        for name in [name for name, about in properties.items() if about.pop("hidden", False)]:
            del properties[name]
    return {"$schema": SCHEMA_DIALECT, **schema, "title": "An operation of pypods"}


if __name__ == "__main__":
    import json
    import sys

    json.dump(operation_schema(), sys.stdout, indent=2)
    sys.stdout.write("\n")
