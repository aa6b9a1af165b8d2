"""The slots of the library's blocks by their letters, for blocks and routes of yours.

```python
from stblocks.slots import H, X
```
"""

from .core.slot import (
    DECOUPLING,
    DIFF,
    FILLED,
    MOMENT,
    PAST_C,
    PAST_X,
    PREVIOUS,
    STARTED,
    C,
    D,
    F,
    H,
    K,
    M,
    N,
    O,
    P,
    Q,
    S,
    X,
    Z,
)

__all__ = [
    "DECOUPLING",
    "DIFF",
    "FILLED",
    "MOMENT",
    "PAST_C",
    "PAST_X",
    "PREVIOUS",
    "STARTED",
    "C",
    "D",
    "F",
    "H",
    "K",
    "M",
    "N",
    "O",
    "P",
    "Q",
    "S",
    "X",
    "Z",
]
