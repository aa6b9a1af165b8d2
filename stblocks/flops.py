"""How many multiply-adds a forecast takes, counted without computing it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.func import functional_call
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode, conv_flop_count, sdpa_flop_count

#: What torch's counter leaves out, attention only up to some version; shapes to its unit, two for a multiply-add.
UNCOUNTED: dict[Any, Callable[..., int]] = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: lambda q, k, v, *_, **__: sdpa_flop_count(q, k, v),
    torch.ops.torchvision.deform_conv2d: lambda x, weight, *_, out_shape, **__: conv_flop_count(x, weight, out_shape),
}

#: Functions that are counted by a formula in place of their parts: function to (its arguments to multiply-adds). They
#: must be open to modes of torch, by `torch.overrides.wrap_torch_function`.
FORMULAS: dict[Callable[..., Any], Callable[..., int]] = {}


class MultiplyAdds(NamedTuple):
    """What a forecast takes: `products`, that is convolutions, matrix products and attention, and `formulas`.

    The latter are operations made of elementwise ones that do the work of products: the selective scan.
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

    counter = FlopCounterMode(display=False, custom_mapping=UNCOUNTED)
    with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad(), counter, _ByFormula(counter) as by_formula:
        weights = {name: fake(tensor) for name, tensor in [*model.named_parameters(), *model.named_buffers()]}
        functional_call(model, weights, (fake(past), horizon))
    return MultiplyAdds(counter.get_total_flops() // 2 - by_formula.parts, by_formula.total)


class _ByFormula(TorchFunctionMode):
    """Adds up what `FORMULAS` say, and what `counter` counts inside those functions."""

    def __init__(self, counter: FlopCounterMode) -> None:
        super().__init__()
        self.counter, self.total, self.parts = counter, 0, 0

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func not in FORMULAS:
            return func(*args, **kwargs)
        self.total += FORMULAS[func](*args, **kwargs)
        before = self.counter.get_total_flops()
        result = func(*args, **kwargs)
        self.parts += (self.counter.get_total_flops() - before) // 2
        return result
