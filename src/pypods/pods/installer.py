"""uv or pip, run to fill an environment; knows no fingerprint and keeps nothing."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pypods.errors import PodEnvironmentError
from pypods.pods.folder import PodFolder
from pypods.pods.interpreters import Interpreter
from pypods.pods.programs import find_uv, run_quietly, run_streaming
from pypods.pods.progress import Progress
from pypods.pods.python_request import format_version
from pypods.pods.requirements import Requirements

__all__ = ["install"]

EXPLANATION_LINES = 60

# What would send the packages elsewhere than into the pod's environment.
_MISLEADING_VARIABLES = {
    *("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "CONDA_PREFIX", "__PYVENV_LAUNCHER__"),
    *("UV_PYTHON", "UV_SYSTEM_PYTHON", "UV_TARGET", "UV_PREFIX", "UV_PROJECT"),
    *("PIP_PYTHON", "PIP_PREFIX", "PIP_ROOT", "PIP_TARGET", "PIP_USER"),
}
_FIND_BUNDLED_PIP = (
    "import ensurepip, os; d = os.path.join(os.path.dirname(ensurepip.__file__), '_bundled');"
    " print([os.path.join(d, n) for n in os.listdir(d) if n.startswith('pip-')][-1])"
)


def install(
    folder: PodFolder,
    requirements: Requirements,
    interpreter: Interpreter,
    *,
    venv_python: Path,
    installer: str,
    progress: Progress,
) -> None:
    """Fill the environment of `venv_python`; `PodEnvironmentError` with the installer's reasons."""
    if installer == "uv":
        words = [_require_uv(folder), "pip", "install", "--python", str(venv_python)]
    else:
        # The environment has no pip and shall have none: a wheel of pip runs as it lies.
        pip = _find_pip_wheel(folder, interpreter) / "pip"
        words = [str(venv_python), str(pip), "--disable-pip-version-check", "--no-input", "install"]
        words += ["--no-warn-script-location", "--progress-bar", "off"]
    status, output = run_streaming(
        [*words, *requirements.arguments],
        directory=folder.path,
        environment=_get_environment(),
        progress=progress,
    )
    if status != 0:
        reasons = "\n".join(output.strip().splitlines()[-EXPLANATION_LINES:])
        raise PodEnvironmentError(
            f'pod "{folder.name}": {installer} could not install '
            f"{folder.wish(requirements.source)} (exit status {status}):\n\n{reasons}\n\n"
            f"The environment that was there before, if any, is still as it was. "
            f"{folder.correct(requirements.source)}, then {folder.retry}"
        )


def _require_uv(folder: PodFolder) -> str:
    """Return the path of uv, or raise `PodEnvironmentError`."""
    uv = find_uv()
    if uv is None:
        raise PodEnvironmentError(
            f'pod "{folder.name}": uv is not installed; run "{sys.executable} -m pip install uv", '
            f'or choose installer="pip"'
        )
    return uv


def _find_pip_wheel(folder: PodFolder, interpreter: Interpreter) -> Path:
    """Return a wheel of pip that runs on this interpreter: virtualenv's, else the Python's own."""
    from virtualenv.seed.wheels.embed import BUNDLE_SUPPORT, get_embed_wheel

    minor = format_version(interpreter.version[:2])
    if minor in BUNDLE_SUPPORT and (wheel := get_embed_wheel("pip", minor)):
        return Path(wheel.path)
    output = run_quietly([str(interpreter.path), "-I", "-c", _FIND_BUNDLED_PIP], timeout=20)
    if not output:
        raise PodEnvironmentError(
            f'pod "{folder.name}": there is no pip for Python {minor} '
            f'({interpreter.path} lacks ensurepip); choose installer="uv"'
        )
    return Path(output.strip())


def _get_environment() -> dict[str, str]:
    """Return the user's variables, less those that lead elsewhere; indexes and the like stay."""
    environment = {k: v for k, v in os.environ.items() if k not in _MISLEADING_VARIABLES}
    # Its lines are shown within ours, or in an error's text.
    environment.update(NO_COLOR="1", UV_NO_PROGRESS="1", PYTHONUNBUFFERED="1")
    return environment
