"""What the stubs of pods are written with; for type checkers only, there is nothing to import."""

from builtins import property as property  # noqa: A004 - a pod may offer another of that name
from collections.abc import Callable as Callable
from collections.abc import Iterable as Iterable
from collections.abc import Iterator as Iterator
from concurrent.futures import Future as Future
from contextlib import AbstractAsyncContextManager as AbstractAsyncContextManager
from contextlib import AbstractContextManager as AbstractContextManager
from types import ModuleType as ModuleType
from typing import Any as Any
from typing import Generic as Generic
from typing import Literal as Literal
from typing import Protocol as Protocol
from typing import Self
from typing import TypeAlias as TypeAlias
from typing import TypedDict as TypedDict
from typing import Unpack as Unpack
from typing import overload as overload

from typing_extensions import ParamSpec as ParamSpec  # These take a default.
from typing_extensions import TypeVar as TypeVar
from typing_extensions import TypeVarTuple as TypeVarTuple

from pypods.pods.pod import Pod as Pod
from pypods.pods.pod import PodFunction as _PodFunction
from pypods.pods.stream import Stream as Stream

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")
_Value = TypeVar("_Value")

class PodFunction(_PodFunction):
    """A function or a method of a pod whose stub says what it takes and returns."""

    def options(self, *, timeout: float | None = None) -> Self: ...
    def __get__(self, instance: object, owner: type | None = None) -> Self: ...

class ImportedFunction(PodFunction, Generic[_Parameters, _Result]):
    """A function that a pod has imported, where a type checker can find it too."""

    def __call__(self, /, *args: _Parameters.args, **kwargs: _Parameters.kwargs) -> _Result: ...
    # The future is a PodFuture, which nobody asks for more than a Future has.
    def submit(  # type: ignore[override]
        self, /, *args: _Parameters.args, **kwargs: _Parameters.kwargs
    ) -> Future[_Result]: ...
    async def aio(self, /, *args: _Parameters.args, **kwargs: _Parameters.kwargs) -> _Result: ...
    def map(
        self, /, *iterables: Iterable[Any], chunksize: int = 1, ordered: bool = True
    ) -> Iterator[_Result]: ...

# A class is a function too, and the first that fits is meant.
@overload
def imported(value: type[_Value]) -> Callable[[Any], type[_Value]]: ...  # type: ignore[overload-overlap]
@overload
def imported(
    value: Callable[_Parameters, _Result],
) -> Callable[[Any], ImportedFunction[_Parameters, _Result]]: ...
@overload
def imported(value: _Value) -> Callable[[Any], _Value]: ...

# Below the decorator above: what pyright takes where it cannot find what a pod has imported.
def anything(function: object) -> Any: ...
