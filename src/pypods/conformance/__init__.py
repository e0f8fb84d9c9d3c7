"""What every connector has to pass; driven by what it says it can.

``run_conformance`` runs all checks over a loaded connector and a scratch place of its system, and
returns outcomes as data. It needs pyarrow in the host.
"""

from pypods.conformance.outcome import Outcome, as_table
from pypods.conformance.results import Results, results_table
from pypods.conformance.scratch import Scratch
from pypods.conformance.scratch_places import ScratchPlace, find_scratch_place
from pypods.conformance.suite import list_checks, run_check, run_conformance

__all__ = [
    # what is given
    "Scratch",
    "ScratchPlace",
    "find_scratch_place",
    # running
    "list_checks",
    "run_check",
    "run_conformance",
    # what comes out
    "Outcome",
    "Results",
    "as_table",
    "results_table",
]
