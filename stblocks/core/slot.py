"""Slots: the named variables that blocks read and write, and the route on which a layer finds each of them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum


class Route(Enum):
    """Where a layer finds a variable at step t."""

    LOCAL = "local"  #: this cell, this step only
    TIME = "time"  #: the same layer, step t-1
    ZIGZAG = "zigzag"  #: the layer below, step t; the bottom layer takes the top layer's of step t-1
    DEPTH = "depth"  #: the layer below, step t; made afresh at every step
    AUX = "aux"  #: one value per sample `(B,)`, returned in the state and never read back

    def __repr__(self) -> str:
        return self.name


LOCAL, TIME, ZIGZAG, DEPTH, AUX = Route


@dataclass(frozen=True)
class Slot:
    """A named variable of a recurrent step. Slots of one name are one variable, and must travel on one route.

    Args:
        name: Key of the tensor in a state.
        symbol: What the papers call it.
        route: Where a layer finds it; a stack may overrule it.
        meaning: A few words for messages and docs.
    """

    name: str
    symbol: str = field(compare=False)
    route: Route
    meaning: str = field(default="", compare=False)

    def __repr__(self) -> str:
        return f"{self.name} ({self.meaning})" if self.meaning else self.name


def by_name(used: Iterable[tuple[str, Slot]]) -> dict[str, Slot]:
    """Slots by name, out of pairs of who uses one and the slot.

    Raises:
        ValueError: If two of one name travel on different routes.
    """
    first: dict[str, tuple[str, Slot]] = {}
    for user, slot in used:
        other, known = first.setdefault(slot.name, (user, slot))
        if known != slot:
            raise ValueError(
                f"{other} sends {known} over {known.route!r}, but {user} over {slot.route!r}; slots of one name are "
                f"one: give yours another name."
            )
    return {name: slot for name, (_, slot) in first.items()}


X = Slot("x", "X_t", LOCAL, "layer input")
O = Slot("o", "o_t", LOCAL, "output gate")
H = Slot("h", "H_t", TIME, "hidden state")
C = Slot("c", "C_t", TIME, "cell state")
F = Slot("f", "F_t", TIME, "transient variation")
D = Slot("d", "D_t", TIME, "trending momentum")
M = Slot("m", "M_t", ZIGZAG, "spatiotemporal memory")
Z = Slot("z", "Z_t", DEPTH, "motion highway")
N = Slot("n", "N_t", TIME, "non-stationary features")
K = Slot("k", "K_t", TIME, "memory of the non-stationary module")
S = Slot("s", "S_t", TIME, "memory of the stationary module")
DIFF = Slot("diff", "D_t", DEPTH, "non-stationary features of the layer below")
PREVIOUS = Slot("previous", "X_{t-1}", TIME, "layer input of the step before")
STARTED = Slot("started", "t > 0", TIME, "1 where there was a step before, 0 where there was none")
PAST_X = Slot("past_x", "X_{t-n..t-1}", TIME, "layer inputs of the last steps")
PAST_C = Slot("past_c", "C_{t-n..t-1}", TIME, "cell states of the last steps")
FILLED = Slot("filled", "i < t", TIME, "1 where the past holds a step, 0 where there was none yet")
P = Slot("p", "h^p_t", TIME, "physical state")
Q = Slot("q", "Q_t", TIME, "hidden state of a reversible pair")
MOMENT = Slot("moment", "L_moment", AUX, "distance of kernels from those of derivatives")
DECOUPLING = Slot("decoupling", "L_decouple", AUX, "likeness of what the two memories take in")
