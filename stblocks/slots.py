"""The slots of the library's blocks by their letters, for blocks and routes of yours.

```python
from stblocks.slots import H, X
```
"""

from .core.slot import DECOUPLING, DIFF, PREVIOUS, STARTED, C, D, F, H, K, M, N, O, S, X, Z

__all__ = ["DECOUPLING", "DIFF", "PREVIOUS", "STARTED", "C", "D", "F", "H", "K", "M", "N", "O", "S", "X", "Z"]
