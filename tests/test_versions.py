"""oldest.txt holds the lowest versions that pyproject.toml claims, and nothing else."""

import re
import tomllib
from pathlib import Path

from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]


def claimed():
    """The lower bound of all that the library, its extras for data and training, and its tests need."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    needs = [*project["dependencies"], *extras["data"], *extras["train"], *extras["test"]]
    bounds = {}
    for need in needs:
        if not need.startswith("stblocks["):
            bound = re.fullmatch(r"([\w-]+)>=([\d.]+)", need)
            assert bound, f"{need!r} must be name>=version, with the lowest version that the tests pass with"
            version = Version(bound[2])
            assert bounds.setdefault(bound[1], version) == version, f"{bound[1]} has two lower bounds"
    return bounds


def test_the_oldest_set_is_what_is_claimed():
    lines = (ROOT / "oldest.txt").read_text("utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert {name: Version(version) for name, version in pins.items()} == claimed()
