"""The selective scan of state space models, with back ends that agree to rounding."""

import os

import torch
from torch import Tensor

from stblocks.ops.scan_op import SelectiveScan

#: Names for `backend=`, and for the environment variable `STBLOCKS_SCAN`, which the argument overrides.
BACKENDS = ("auto", "blocked")


def selective_scan(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None = None,
    delta_bias: Tensor | None = None,
    delta_softplus: bool = True,
    initial_state: Tensor | None = None,
    return_final_state: bool = False,
    *,
    backend: str = "auto",
) -> Tensor | tuple[Tensor, Tensor]:
    r"""A linear recurrence whose decay, input and output weights depend on the input, along the last axis.

    $$\bar\Delta_t = \mathrm{softplus}(\Delta_t + b)$$
    $$h_t = e^{\bar\Delta_t A} \odot h_{t-1} + \bar\Delta_t \, B_t \, u_t, \qquad y_t = C_t^\top h_t + D \, u_t$$

    Gu and Dao, 2023, https://arxiv.org/abs/2312.00752, Eqs. 2 and 4, with the input discretised by Euler's rule as in
    their code. States are float32 (float64 for float64 inputs) under autocast as well; a second derivative is refused.

    Args:
        u: `(B, D, L)`.
        delta: $\Delta$, `(B, D, L)`.
        A: `(D, N)`, negative.
        B: `(B, G, N, L)`: one for each group of D / G successive channels.
        C: The same.
        D: The weight `(D,)` of the input in the output.
        delta_bias: b, `(D,)`.
        delta_softplus: Whether $\Delta + b$ goes through softplus.
        initial_state: `(B, D, N)`; zero if left out.
        return_final_state: Whether to return the last state as well, which continues the scan as `initial_state`.
        backend: One of `BACKENDS`; `"auto"` asks the environment variable `STBLOCKS_SCAN`, then the device.

    Returns:
        y `(B, D, L)` in the dtype of `u`, and on demand the state `(B, D, N)`.

    Raises:
        ValueError: If a shape, the sign of A or the back end is not as said here.
    """
    _check(u, delta, A, B, C, D, delta_bias, initial_state)
    name = os.environ.get("STBLOCKS_SCAN", "auto") if backend == "auto" else backend
    if name not in BACKENDS:
        raise ValueError(f"backend must be one of {', '.join(BACKENDS)}, got {name!r}.")
    dtype = torch.promote_types(torch.promote_types(u.dtype, A.dtype), torch.float32)
    A = A.to(dtype)
    skip = A.new_zeros(u.shape[1]) if D is None else D.to(dtype)
    bias = A.new_zeros(u.shape[1]) if delta_bias is None else delta_bias.to(dtype)
    h = A.new_zeros(u.shape[0], *A.shape) if initial_state is None else initial_state.to(dtype)
    y, h, _ = SelectiveScan.apply(u, delta, A, B, C, skip, bias, h, delta_softplus, "blocked")
    return (y, h) if return_final_state else y


def _check(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None,
    delta_bias: Tensor | None,
    initial_state: Tensor | None,
) -> None:
    if u.ndim != 3 or u.shape[2] == 0:
        raise ValueError(f"u must be (B, D, L) with L at least 1, got {tuple(u.shape)}.")
    if A.ndim != 2:
        raise ValueError(f"A must be (D, N), got {tuple(A.shape)}.")
    (batch, channels, length), states = u.shape, A.shape[1]
    groups = B.shape[1] if B.ndim == 4 else 1
    if groups == 0 or channels % groups:
        raise ValueError(
            f"The groups of B (B, G, N, L) must divide the {channels} channels of u, got {tuple(B.shape)}."
        )
    for name, given, shape in (
        ("delta", delta, (batch, channels, length)),
        ("A", A, (channels, states)),
        ("B", B, (batch, groups, states, length)),
        ("C", C, (batch, groups, states, length)),
        ("D", D, (channels,)),
        ("delta_bias", delta_bias, (channels,)),
        ("initial_state", initial_state, (batch, channels, states)),
    ):
        if given is not None and given.shape != shape:
            raise ValueError(f"{name} must be {shape} for u {tuple(u.shape)}, A and B, got {tuple(given.shape)}.")
    if not torch.compiler.is_compiling() and A.device.type == "cpu" and bool((A > 0).any()):
        raise ValueError(
            f"A must be negative, or states grow without bound; its largest entry is {A.max():.3g}. "
            "Pass -exp(A_log), or -A."
        )
