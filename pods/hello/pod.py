"""The pod "hello": an interpreter and dependencies of its own, called as if imported.

Functions defined here, or imported here, can be called from outside:

    from pypods.pods import PodLoader

    with PodLoader("hello") as hello:
        print(hello.hello("pod"))

What this file imports beyond the standard library belongs into requirements.txt beside it.
Names with a leading underscore stay inside; so does what __all__ does not list, if you write one.
"""


def hello(name: str = "world") -> str:
    """Greet somebody, to show that the pod works. Replace me."""
    return "Hello, " + name + "!"
