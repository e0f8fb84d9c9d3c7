"""What type checkers take for PodLoader in a project without stubs of its own.

There is nothing here to import in a program that runs. `pypods stubs` writes a folder of this name
into a project, which comes before this one wherever a type checker looks.
"""

from pypods.pods.loader import PodLoader as PodLoader
