"""The selective scan of state space models, by one of several back ends."""

import os
from importlib import import_module
from importlib.util import find_spec

import torch
from torch import Tensor, nn

from .scan_op import SelectiveScan

#: Names for `backend=`, and for the environment variable `STBLOCKS_SCAN`, which the argument overrides.
BACKENDS = ("auto", "blocked", "triton", "mamba_ssm")
_MISSING = {name for name in ("triton", "mamba_ssm") if find_spec(name) is None}


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
    their code. States are float32 (float64 for float64 inputs), under autocast as well, but in `mamba_ssm` as that
    package has them; a second derivative is refused.

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
        backend: `"blocked"` (PyTorch alone), `"triton"` (fused kernels on a GPU) or `"mamba_ssm"` (that package's
            kernels); `"auto"` is what the environment variable `STBLOCKS_SCAN` names, else Triton on CUDA where it is
            installed, else blocked.

    Returns:
        y `(B, D, L)` in the dtype of `u`, and on demand the state `(B, D, N)`.

    Raises:
        ValueError: If a shape or the back end is not as said here, or A is positive; the sign is looked at on the CPU
            alone, and not while compiling or exporting.
    """
    _check(u, delta, A, B, C, D, delta_bias, initial_state)
    carries = initial_state is not None or return_final_state
    name = _choose(backend, u.device.type, carries)
    if name == "mamba_ssm":
        return import_module("mamba_ssm.ops.selective_scan_interface").selective_scan_fn(
            u, delta, A, B, C, D, delta_bias=delta_bias, delta_softplus=delta_softplus
        )
    dtype = torch.promote_types(torch.promote_types(u.dtype, A.dtype), torch.float32)
    A = A.to(dtype)
    skip = A.new_zeros(u.shape[1]) if D is None else D.to(dtype)
    bias = A.new_zeros(u.shape[1]) if delta_bias is None else delta_bias.to(dtype)
    h = A.new_zeros(u.shape[0], *A.shape) if initial_state is None else initial_state.to(dtype)
    y, h, _ = SelectiveScan.apply(u, delta, A, B, C, skip, bias, h, delta_softplus, name)
    return (y, h) if return_final_state else y


def selective_scan_flops(batch: int, channels: int, length: int, state: int) -> int:
    r"""Multiply-adds of a scan: $B L D \, (3.5 N + 1)$.

    For each state one multiply-add each for $\bar\Delta B u$, the recurrence and the product with C, and half of one
    (a lone multiplication) for $\bar\Delta A$; for each channel one for $D u$. Exponentials are not counted.
    """
    return batch * length * channels * (7 * state + 2) // 2


def _choose(backend: str, device: str, carries: bool = False) -> str:
    """The back end that an argument means on a device; `carries` says that a state goes in or comes out."""
    name, source, instead = backend, "backend", "ask for backend='blocked'"
    if backend == "auto" and "STBLOCKS_SCAN" in os.environ:
        name, source, instead = os.environ["STBLOCKS_SCAN"], "STBLOCKS_SCAN", "unset it, or set it to 'blocked'"
    if name not in BACKENDS:
        here = ", ".join(each for each in BACKENDS if each not in _MISSING)
        raise ValueError(
            f"{source} must be one of {', '.join(BACKENDS)} (installed here: {here}), got {name!r}; {instead}."
        )
    given = f"{source}={name!r}"
    if name in _MISSING:
        raise ValueError(f"{given} needs the package {name}: install it, or {instead}.")
    if name == "auto":
        return "triton" if device == "cuda" and "triton" not in _MISSING else "blocked"
    if name == "triton" and device == "cpu" and os.environ.get("TRITON_INTERPRET") != "1":
        raise ValueError(
            f"{given} needs tensors on a GPU, got them on the CPU; {instead}, "
            "or set TRITON_INTERPRET=1 to run the kernels slowly in Triton's interpreter."
        )
    if name == "mamba_ssm" and carries:
        raise ValueError(
            f"{given} takes no initial_state and gives the final state no gradient; {instead} to carry a state."
        )
    return name


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
    looks = A.device.type == "cpu" and type(A) in (Tensor, nn.Parameter)  # no fake tensors, which have no values
    if looks and not torch.compiler.is_compiling() and bool((A > 0).any()):
        raise ValueError(
            f"A must be negative, or states grow without bound; got up to {A.max().item():.3g}. Pass -exp(A_log)."
        )
