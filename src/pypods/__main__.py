"""`python -m pypods` is the command `pypods`; nothing else is here."""

from __future__ import annotations

from pypods.cli import main

if __name__ == "__main__":
    main()
