"""What every command is told besides its own arguments."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

PODS_DIRECTORY_VARIABLE = "PYPODS_PODS_DIRECTORY"
INSTALLER_VARIABLE = "PYPODS_INSTALLER"
TRACEBACK_VARIABLE = "PYPODS_TRACEBACK"


@dataclass(frozen=True)
class Settings:
    """The options that every command takes, before or after its name."""

    pods_directory: Path = Path("pods")
    installer: str = "uv"
    json: bool = False
    quiet: bool = False
    verbose: bool = False
    traceback: bool = False

    def narrowed(
        self,
        pods_directory: Path | None,
        installer: str | None,
        json: bool,
        quiet: bool,
        verbose: bool,
        traceback: bool,
    ) -> Settings:
        """Return the settings with those that were given once more, after the command."""
        return replace(
            self,
            pods_directory=pods_directory or self.pods_directory,
            installer=installer or self.installer,
            json=json or self.json,
            quiet=quiet or self.quiet,
            verbose=verbose or self.verbose,
            traceback=traceback or self.traceback,
        )


def check_installer_option(installer: str | None) -> str | None:
    """Return ``installer``, or raise a usage error where there is none of that name."""
    if installer is not None:
        from pypods.pods.environment import INSTALLERS

        if installer not in INSTALLERS:
            raise typer.BadParameter(f"{installer!r} is neither {' nor '.join(INSTALLERS)}")
    return installer


PodsDirectoryOption = Annotated[
    Path | None,
    typer.Option(
        "--pods-directory",
        envvar=PODS_DIRECTORY_VARIABLE,
        show_envvar=False,
        metavar="FOLDER",
        help=f"Where the pods are; else ${PODS_DIRECTORY_VARIABLE}, else ./pods.",
    ),
]
InstallerOption = Annotated[
    str | None,
    typer.Option(
        "--installer",
        envvar=INSTALLER_VARIABLE,
        show_envvar=False,
        metavar="uv|pip",
        callback=check_installer_option,
        help=f"What fills environments; else ${INSTALLER_VARIABLE}, else uv.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for machines; errors too.")]
QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print results and errors, nothing else.")
]
VerboseOption = Annotated[bool, typer.Option("--verbose", "-v", help="Print what pypods does.")]
TracebackOption = Annotated[
    bool,
    typer.Option(
        "--traceback",
        envvar=TRACEBACK_VARIABLE,
        show_envvar=False,
        help=f"Print errors with their traceback; also ${TRACEBACK_VARIABLE}=1.",
    ),
]
