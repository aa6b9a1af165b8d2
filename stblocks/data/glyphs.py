"""Small grey images to move about: handwritten digits from files, or digits drawn from a font."""

from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import numpy as np
from torch import Tensor
from torchvision import datasets

from ..borders.reading import reading
from .numpy_files import npz_names, open_npz
from .split import Split, check_split

Items = TypeVar("Items", np.ndarray, Tensor)

SIDE = 28  # of drawn glyphs, as of MNIST's
TRAIN_VARIANTS, TEST_VARIANTS = 30, 10  # of each digit


def read_glyphs(source: str | Path | np.ndarray | Tensor | None, split: Split) -> np.ndarray:
    """The glyphs of a split, uint8 `(N, H, W)`, see `MovingMNIST`; the last tenth of those for training validate.

    Raises:
        ValueError: If there is no such file, it is cut short or of another layout, or the glyphs are not uint8 images.
        ImportError: If they are to be drawn and pillow is not installed.
    """
    check_split(split)
    if source is None:
        glyphs = _part(drawn_digits(for_test=split == "test"), split)
    elif isinstance(source, str | Path):
        path = Path(source)
        if not path.exists():
            raise ValueError(
                f"There is no {path}; name an .npz file of glyphs or torchvision's root of MNIST or FashionMNIST."
            )
        glyphs = _from_torchvision(path, split) if path.is_dir() else _from_npz(path, split)
    else:
        glyphs = np.asarray(source)
    _check_glyphs(glyphs.dtype, glyphs.shape)
    return glyphs


@lru_cache
def drawn_digits(*, for_test: bool) -> np.ndarray:
    """Variants of the digits 0 to 9 in pillow's own font, `(N, 28, 28)`: turned, scaled, shifted, thin and bold."""
    try:
        from PIL import Image, ImageDraw, ImageFont
    except ImportError as error:
        raise ImportError("Drawing digits needs pillow: pip install 'stblocks[data]'.") from error
    rng = np.random.default_rng(int(for_test))
    glyphs = []
    for _ in range(TEST_VARIANTS if for_test else TRAIN_VARIANTS):
        for digit in range(10):
            image = Image.new("L", (SIDE, SIDE))
            y, x = SIDE / 2 + rng.uniform(-1, 1, 2)
            ImageDraw.Draw(image).text(
                (x, y),
                str(digit),
                fill=255,
                font=ImageFont.load_default(size=rng.uniform(20, 26)),
                anchor="mm",
                stroke_width=int(rng.integers(2)),
            )
            glyphs.append(np.asarray(image.rotate(rng.uniform(-15, 15), Image.Resampling.BILINEAR)))
    return np.stack(glyphs)


def _from_torchvision(root: Path, split: Split) -> np.ndarray:
    names = [name for name in ("MNIST", "FashionMNIST") if (root / name).is_dir()]
    if len(names) > 1:
        raise ValueError(f"{root} holds both MNIST and FashionMNIST; give each a folder of its own, and name one.")
    name = names[0] if names else "MNIST"
    way_out = f"fetch it with torchvision.datasets.{name}({str(root)!r}, download=True)"
    with reading(root, f"torchvision's {name}", way_out):
        images = getattr(datasets, name)(root, train=split != "test").data
    return _part(images, split).numpy()


def _from_npz(path: Path, split: Split) -> np.ndarray:
    held = set(names := npz_names(path))
    if "images" not in held or ("train_index" in held) != ("test_index" in held):
        raise ValueError(
            f"{path} has the arrays {', '.join(names)}; it needs 'images', (N, H, W), and where splits differ both "
            f"'train_index' and 'test_index'; write it again with these."
        )
    index = "test_index" if split == "test" else "train_index"
    arrays = open_npz(path, ["images", index] if index in held else ["images"])
    _check_glyphs(arrays["images"].dtype, arrays["images"].shape)
    if index not in held:
        return arrays["images"].read()
    count = len(images := arrays["images"].read())
    if arrays[index].dtype.kind in "iu" and arrays[index].ndim == 1:
        chosen = arrays[index].read()
        if not chosen.size or 0 <= chosen.min() <= chosen.max() < count:
            return images[_part(chosen, split)]
    raise ValueError(
        f"{index} of {path} must be integers below {count}, the number of images, got {arrays[index].dtype} "
        f"{arrays[index].shape}; write it again with these."
    )


def _check_glyphs(dtype: np.dtype, shape: tuple[int, ...]) -> None:
    if dtype != np.uint8 or len(shape) != 3 or 0 in shape[1:]:
        raise ValueError(
            f"glyphs must be uint8 images (N, H, W), 0 for ground and 255 for ink, got {dtype} {shape}; convert them."
        )


def _part(items: Items, split: Split) -> Items:
    """Those for a split, out of those for testing or of those for training and validation."""
    held_out = max(1, len(items) // 10)
    return {"train": items[:-held_out], "validation": items[-held_out:], "test": items}[split]
