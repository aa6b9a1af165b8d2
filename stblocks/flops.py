"""How many multiply-adds a forecast takes, counted without computing it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.func import functional_call
from torch.utils.flop_counter import FlopCounterMode, conv_flop_count, sdpa_flop_count

from .ops.selective_scan import selective_scan_flops

#: Operators made of elementwise operations that do the work of products, as the scan does; shapes to multiply-adds.
FORMULAS: dict[Any, Callable[..., int]] = {
    torch.ops.stblocks.selective_scan: lambda u, delta, A, *_, **__: selective_scan_flops(u[0], u[1], u[2], A[1]),
}


class MultiplyAdds(NamedTuple):
    """What a forecast takes.

    Attributes:
        products: Of convolutions, matrix products and attention.
        formulas: Of operators made of elementwise operations that do the work of products: the selective scan.
    """

    products: int
    formulas: int

    @property
    def total(self) -> int:
        """Both together."""
        return self.products + self.formulas


def count_multiply_adds(model: nn.Module, past: Tensor, horizon: int) -> MultiplyAdds:
    """Count the multiply-adds of `model(past, horizon)`.

    Nothing is computed and no memory is taken: model and frames may be of any size, and on the `meta` device. Counted
    are convolutions, deformable ones too, matrix products and attention; not, by convention, what is elementwise,
    norms, pooling, softmax and interpolation.

    Args:
        model: A forecaster.
        past: `(B, T, C, H, W)`; only shape and dtype matter.
        horizon: Frames to forecast.

    Raises:
        ValueError: If the model does not take such frames.

    Example:
        >>> with torch.device("meta"):
        ...     model, past = create_model("predrnn"), torch.empty(1, 5, 1, 64, 64)
        >>> count_multiply_adds(model, past, 10).products
        85437972480
    """

    def fake(tensor: Tensor) -> Tensor:
        return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="cpu")

    counter = FlopCounterMode(display=False, custom_mapping=uncounted() | FORMULAS)
    with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad(), counter:
        weights = {name: fake(tensor) for name, tensor in [*model.named_parameters(), *model.named_buffers()]}
        functional_call(model, weights, (fake(past), horizon))
    counts = counter.get_flop_counts().get("Global", {})
    formulas = sum(counts.get(operator, 0) for operator in FORMULAS)
    return MultiplyAdds((sum(counts.values()) - formulas) // 2, formulas)


def uncounted() -> dict[Any, Callable[..., int]]:
    """What torch's counter leaves out, attention up to some version; shapes to its unit, two for a multiply-add."""
    import torchvision  # noqa: F401  (defines its operator; slow to import)

    return {
        torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: lambda q, k, v, *_, **__: sdpa_flop_count(q, k, v),
        torch.ops.torchvision.deform_conv2d: lambda x, w, *_, out_shape, **__: conv_flop_count(x, w, out_shape),
    }
