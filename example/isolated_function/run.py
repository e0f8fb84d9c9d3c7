"""Functions of one program, each with the packages and the Python that it names; no folders.

packaging 21 takes any text for a version, packaging 22 and later only what is one. This program has
neither installed; the two functions below have one each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import pairwise

import pypods

#: A constant is sent along.
RELEASES = ("1.10", "1.9", "1.9rc1", "2004d")


@pypods.isolated(requirements=["packaging==21.3"], python=">=3.8,<3.12")
def sort_as_before(releases: tuple[str, ...]) -> list[str]:
    """Sort versions as packaging 21 did: what is none comes first."""
    from packaging.version import parse

    return sorted(releases, key=parse)


@pypods.isolated(requirements=["packaging==25.0"])
def sort(releases: tuple[str, ...]) -> list[str]:
    """Sort versions; raises ValueError for a text that is none."""
    from packaging.version import parse

    return sorted(releases, key=parse)


@pypods.isolated(requirements=["packaging==25.0"])
def matching(specifier: str) -> Iterator[str]:
    """Yield the releases that a specifier takes."""
    from packaging.specifiers import SpecifierSet

    yield from SpecifierSet(specifier).filter(RELEASES[:-1], prereleases=True)


@pypods.isolated(requirements=["packaging==25.0"])
async def is_newer(left: str, right: str) -> bool:
    """Tell whether one release is newer than another."""
    from packaging.version import parse

    return parse(left) > parse(right)


async def compare_all() -> list[bool]:
    """Compare neighbours, all at once."""
    pairs = pairwise(RELEASES[:-1])
    return await asyncio.gather(*(is_newer(left, right) for left, right in pairs))


def main() -> None:
    """Call each of them."""
    print("packaging 21:", ", ".join(sort_as_before(RELEASES)))
    try:
        sort(RELEASES)
    except ValueError as error:  # Of the pod, as the builtin exception it is.
        print("packaging 25:", error)
    print("without it:  ", ", ".join(sort(RELEASES[:-1])))
    print("<1.10:       ", ", ".join(matching("<1.10")))
    print("newer:       ", asyncio.run(compare_all()))
    print("many:        ", list(sort.map([("2", "1"), ("1.0", "0.9")])))


if __name__ == "__main__":
    main()
