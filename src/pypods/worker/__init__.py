"""What runs inside the pod: the pod's interpreter, this package and the pod's own code.

Standard library only, Python 3.8 and later, and light: a worker that does little imports little.
"""

__all__ = [
    "bootstrap",
    "descriptors",
    "describe",
    "failures",
    "lifetime",
    "listener",
    "logs",
    "pod_module",
    "serve",
]
