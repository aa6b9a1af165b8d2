"""Every golden file of a family that the library claims runs here; a file of such a family without adapter fails."""

import pytest
from golden import FOLDER, load
from golden_metrics import ADAPTERS as METRICS
from golden_recurrent import ADAPTERS as RECURRENT
from golden_simvp import ADAPTERS as SIMVP
from golden_vmrnn import ADAPTERS as VMRNN

ADAPTERS = RECURRENT | METRICS | SIMVP | VMRNN
CLAIMED = {name.partition("__")[0] for name in ADAPTERS}
FILES = sorted(path for path in FOLDER.glob("*.safetensors") if path.name.partition("__")[0] in CLAIMED)


@pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no golden vectors at {FOLDER}; set STBLOCKS_GOLDEN")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_agrees_with_the_released_code(path):
    block = "__".join(path.stem.split("__")[:2])
    assert block in ADAPTERS, f"{path.name} is of a family the library claims, but has no adapter"
    ADAPTERS[block](load(path))
