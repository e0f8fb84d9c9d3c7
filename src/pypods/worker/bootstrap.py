"""The file that a pod's interpreter is started with; knows where the rest lies, and no more.

It registers just the package ``pypods``, with what a pod may use of it, from the host's installed
files: neither the host's site-packages nor pypods' own host side can be imported in a pod.

``python -I bootstrap.py NAME FOLDER LIFELINE_FD MAX_FRAME_BYTES LOG_LEVEL THREADS [SHARED]`` serves
calls (``SHARED``: see ``pypods.worker.serve.join_shared_memory``), and
``python -I bootstrap.py --script NAME FOLDER [ARGUMENT]...`` runs ``pod.py`` as a script.
"""

import os
import sys

SCRIPT_OPTION = "--script"


def register_packages(root: str) -> None:
    """Make what runs in a pod importable: errors, wire, worker, connectors, and ``PodListener``."""
    module_type = type(sys)
    pypods = module_type("pypods", "The part of pypods that runs in a pod.")
    pypods.__path__ = [root]
    sys.modules["pypods"] = pypods
    import pypods.errors

    # From here on only what is registered by name is found: not the host's side.
    pypods.__path__ = []
    for name in ("wire", "worker", "connectors"):
        package = module_type("pypods." + name)
        package.__path__ = [os.path.join(root, name)]
        setattr(pypods, name, package)
        sys.modules["pypods." + name] = package
    pods = module_type("pypods.pods", "Where pod.py files import PodListener from.")

    def find(name: str) -> object:
        if name == "PodListener":
            from pypods.worker.listener import PodListener

            return PodListener
        raise AttributeError(f"in a pod, pypods has PodListener and no {name!r}")

    vars(pods).update(__getattr__=find)
    vars(pypods).update(__getattr__=find, pods=pods)
    sys.modules["pypods.pods"] = pods


def main(arguments: "list[str]") -> None:
    """Serve calls or run the script, as the arguments say."""
    if arguments[0] == SCRIPT_OPTION:
        from pypods.worker.pod_module import run_as_script

        run_as_script(arguments[1], arguments[2], arguments[3:])
        return
    from pypods.worker.serve import serve_pod

    name, folder, lifeline_fd, max_frame_bytes, log_level, *more = arguments
    serve_pod(
        name,
        folder,
        lifeline_fd=int(lifeline_fd),
        max_frame_bytes=int(max_frame_bytes),
        log_level=int(log_level),
        threads=int(more[0]) if more else 0,
        shared=more[1] if len(more) > 1 else "",
    )


def prepare_child() -> None:
    """Let a process that multiprocessing spawned find the pod's modules, as its parent does.

    Such a process runs this file again under another name.
    """
    from pypods.worker.pod_module import FOLDER_VARIABLE, register_pod

    register_pod(os.environ["PYPODS_POD"], os.environ[FOLDER_VARIABLE])


if __name__ in ("__main__", "__mp_main__"):
    register_packages(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    if __name__ == "__main__":
        main(sys.argv[1:])
    else:
        prepare_child()
