"""The selective scan of state space models, by one of several back ends."""

import os
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec

import torch
from torch import Tensor
from torch.nn import functional

from .scan_export import in_time
from .scan_op import SelectiveScan

#: Names for `backend=`, and for the environment variable `STBLOCKS_SCAN`, which the argument overrides.
BACKENDS = ("auto", "blocked", "triton", "mamba_ssm")
_DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
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
    z: Tensor | None = None,
    reverse: Sequence[bool] | None = None,
    backend: str = "auto",
) -> Tensor | tuple[Tensor, Tensor]:
    r"""A linear recurrence whose decay, input and output weights depend on the input, along the last axis.

    $$\bar\Delta_t = \mathrm{softplus}(\Delta_t + b)$$
    $$h_t = e^{\bar\Delta_t A} \odot h_{t-1} + \bar\Delta_t \, B_t \, u_t, \qquad y_t = C_t^\top h_t + D \, u_t$$

    Gu and Dao, 2023, https://arxiv.org/abs/2312.00752, Eqs. 2 and 4, with the input discretised by Euler's rule as in
    their code. States are float32 (float64 for float64 inputs), under autocast as well, but in `mamba_ssm` as that
    package has them; a second derivative is refused, and forward-mode differentiation.

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
        z: A gate `(B, D, L)`: the outputs times SiLU(z), computed in the dtype of the states.
        reverse: For each group whether it runs from the last step to the first; its final state is the one after the
            first step. None does if left out.
        backend: `"blocked"` (PyTorch alone), `"triton"` (fused kernels on a GPU) or `"mamba_ssm"` (that package's
            kernels); `"auto"` is what the environment variable `STBLOCKS_SCAN` names, else Triton on CUDA where it is
            installed, else blocked.

    Returns:
        y `(B, D, L)` in the dtype of `u`, and on demand the state `(B, D, N)`.

    Raises:
        ValueError: If a tensor is of another shape than above, or of another dtype than float16, bfloat16, float32 or
            float64; if A is positive, which is looked at on the CPU alone; or if `backend` is another word, or one that
            is not installed, cannot run where `u` is, or takes no state.
    """
    _check(u, delta, A, B, C, D, delta_bias, initial_state, z)
    ways = _directions(reverse, B.shape[1])
    carries = initial_state is not None or return_final_state
    name = _choose(backend, u.device.type, carries)
    if name == "mamba_ssm":

        def turned(x: Tensor) -> Tensor:  # those kernels run forward in time alone
            return in_time(x.unflatten(1, (len(ways), -1)), ways).flatten(1, 2)

        gate = None if z is None else turned(z)
        u, delta, B, C = turned(u), turned(delta), in_time(B, ways), in_time(C, ways)
        scan = import_module("mamba_ssm.ops.selective_scan_interface").selective_scan_fn
        return turned(scan(u, delta, A, B, C, D, z=gate, delta_bias=delta_bias, delta_softplus=delta_softplus))
    dtype = torch.promote_types(torch.promote_types(u.dtype, A.dtype), torch.float32)
    A = A.to(dtype)
    skip = A.new_zeros(u.shape[1]) if D is None else D.to(dtype)
    bias = A.new_zeros(u.shape[1]) if delta_bias is None else delta_bias.to(dtype)
    h = A.new_zeros(u.shape[0], *A.shape) if initial_state is None else initial_state.to(dtype)
    x = u if z is None else u.to(dtype)  # the gate meets outputs that have not been rounded yet
    try:
        y, h, _ = SelectiveScan.apply(x, delta, A, B, C, skip, bias, h, delta_softplus, ways, name)
    except NotImplementedError as error:
        raise NotImplementedError(
            "selective_scan has no forward-mode derivative (jvp, jacfwd, hessian): use vjp or jacrev."
        ) from error
    if z is not None:
        y = (y * functional.silu(z.to(dtype))).to(u.dtype)
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


def _directions(reverse: Sequence[bool] | None, groups: int) -> list[int]:
    """1 for each group that runs backwards, 0 for the others; `torch.jit.trace` takes no booleans in operators."""
    if reverse is None:
        return [0] * groups
    if len(reverse) != groups or not all(isinstance(way, bool) for way in reverse):
        raise ValueError(f"reverse must be {groups} booleans, one for each group of B, got {reverse!r}.")
    return [int(way) for way in reverse]


def _check(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None,
    delta_bias: Tensor | None,
    initial_state: Tensor | None,
    z: Tensor | None,
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
        ("u", u, (batch, channels, length)),
        ("delta", delta, (batch, channels, length)),
        ("A", A, (channels, states)),
        ("B", B, (batch, groups, states, length)),
        ("C", C, (batch, groups, states, length)),
        ("D", D, (channels,)),
        ("delta_bias", delta_bias, (channels,)),
        ("initial_state", initial_state, (batch, channels, states)),
        ("z", z, (batch, channels, length)),
    ):
        if given is not None and given.shape != shape:
            raise ValueError(f"{name} must be {shape} for u {tuple(u.shape)}, A and B, got {tuple(given.shape)}.")
        if given is not None and given.dtype not in _DTYPES:
            way_out = "give its real part" if given.is_complex() else f"convert it, as by {name}.float()"
            raise ValueError(f"{name} must be float16, bfloat16, float32 or float64, got {given.dtype}; {way_out}.")
