"""Makes ``import ccxt`` load the classes of those venues that are used, and no others.

Each of ccxt's three packages imports all its classes: some hundred for REST, as many for asyncio
and eighty for streams, which takes 99 MB and 0.3 to 0.7 s in every process. A process here talks to
a handful of venues. So each package runs its own ``__init__`` without the lines that import a
class; ``ccxt.pro.binance`` and the like are imported when they are first asked for, which takes no
longer than to make an instance of them.

Who imported ``ccxt`` before has all of it: nothing but memory and time depends on this module.
"""

import ast
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType
from typing import Any, Final

PACKAGES: Final = frozenset({"ccxt", "ccxt.async_support", "ccxt.pro"})


class LeanPackage(ModuleType):
    """A package whose classes are imported when they are asked for."""

    def __getattr__(self, name: str) -> Any:
        """Return the class ``name``; Python asks here for what the package does not have yet."""
        if not self._has_class(name):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{self.__name__}.{name}"), name)

    def __setattr__(self, name: str, value: Any) -> None:
        """Keep a class where Python binds the module of the same name that it has imported."""
        if isinstance(value, ModuleType) and self._has_class(name):
            value = getattr(value, name)
        super().__setattr__(name, value)

    def _has_class(self, name: str) -> bool:
        return name in self.__dict__.get("exchanges", ())


class LeanLoader(SourceFileLoader):
    """Runs the ``__init__`` of a package without its imports of classes."""

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the package, still empty."""
        return LeanPackage(spec.name)

    def get_code(self, fullname: str) -> CodeType:
        """Return what is run; it is never cached, since the file says more than that."""
        tree = ast.parse(self.get_data(self.path), self.path)
        tree.body = [line for line in tree.body if not _imports_class(line, fullname)]
        return compile(tree, self.path, "exec", dont_inherit=True)


class LeanFinder(MetaPathFinder):
    """Finds ccxt's packages where they are, and has them loaded leanly."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return how to load a package of ccxt; anything else is not for us."""
        spec = PathFinder.find_spec(fullname, path, target) if fullname in PACKAGES else None
        if spec is None or spec.origin is None:
            return None
        spec.loader = LeanLoader(fullname, spec.origin)
        return spec


def install() -> None:
    """Load ccxt leanly from now on."""
    sys.meta_path.insert(0, LeanFinder())


def _imports_class(line: ast.stmt, package: str) -> bool:
    """Return whether a statement is ``from package.name import name``."""
    return isinstance(line, ast.ImportFrom) and line.module == f"{package}.{line.names[0].name}"
