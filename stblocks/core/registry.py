"""Registry: things of one kind by name, those of other packages among them."""

import fnmatch
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import Generic, TypeVar

from ..borders.checks import did_you_mean

Thing = TypeVar("Thing")


class Registry(Mapping[str, Thing], Generic[Thing]):
    """Things of one kind by name.

    A package adds its own by an entry point of the registry's group that names the module which registers them. It is
    imported when a name is asked for that is not known yet, or when all names are.

    Args:
        kind: What the things are, for messages: `"model"`.
        group: Of the entry points: `"stblocks.models"`.
        home: The module that registers what there is without other packages, if it is not imported anyway.

    Example:
        >>> PLUGS = Registry[Plug]("plug", "stblocks.plugs")
        >>> PLUGS.register("gfm")(Plug(...))
        >>> PLUGS.find("GFM")
        ValueError: There is no plug 'GFM'; did you mean gfm?
    """

    def __init__(self, kind: str, group: str, home: str | None = None) -> None:
        self.kind, self.group, self.home = kind, group, home
        self._entries: dict[str, Thing] = {}
        self._loaded = False

    def register(self, name: str) -> Callable[[Thing], Thing]:
        """What enters a thing under a name and returns it: a decorator, or to be called.

        Raises:
            ValueError: If the name is none, or taken.
        """
        if not isinstance(name, str) or not name:
            raise ValueError(f"The name of a {self.kind} must be a string, got {name!r}; write it in brackets.")

        def enter(thing: Thing) -> Thing:
            self._load_home()
            if name in self._entries:
                raise ValueError(f"There is a {self.kind} {name!r} already; give yours another name.")
            self._entries[name] = thing
            return thing

        return enter

    def find(self, name: str) -> Thing:
        """The thing of this name.

        Raises:
            ValueError: If there is none; the names near it are listed, or all.
        """
        if not isinstance(name, str) or name not in self:
            raise ValueError(f"There is no {self.kind} {name!r}; {did_you_mean(str(name), self)}")
        return self[name]

    def names(self, pattern: str = "*") -> list[str]:
        """The names that match a shell pattern, in order."""
        return sorted(fnmatch.filter(self, pattern))

    def __getitem__(self, name: str) -> Thing:
        self._load_home()
        if name not in self._entries:
            self._load()
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        self._load()
        return iter(dict(self._entries))

    def __len__(self) -> int:
        self._load()
        return len(self._entries)

    def _load_home(self) -> None:
        if self.home is not None:
            import_module(self.home)

    def _load(self) -> None:
        self._load_home()
        if not self._loaded:
            for entry in entry_points(group=self.group):
                entry.load()
            self._loaded = True
