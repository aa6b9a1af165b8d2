"""Programs into files, by torch's exporters."""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from ..borders.files import write_atomically
from .programs import Step
from .sizes import free_axes

#: Endings of the files that can be written.
KINDS = (".onnx", ".pt2")


def write_program(
    module: nn.Module,
    path: Path,
    given: dict[str, Tensor],
    outputs: tuple[str, ...],
    unit: int | None,
    again: Sequence[tuple[Tensor, ...]],
) -> None:
    """Trace a module, which takes these tensors in this order, try it on those of other sizes, and write it."""
    first, *rest = free_axes(unit, [*given.values()])
    shapes = (first, tuple(rest)) if isinstance(module, Step) else (first,)
    with told(path.suffix), torch.no_grad():
        program = torch.export.export(module, tuple(given.values()), dynamic_shapes=shapes, strict=False)
        if unit is not None and any("selective_scan" in str(node.target) for node in program.graph.nodes):
            raise NotImplementedError("a selective scan is as many steps as the map it was traced for needs")
        traced = program.module()
        for tensors in again:
            traced(*tensors)  # a size that tracing has taken for a constant, or for a bound, fails here
        if path.suffix == ".onnx":
            _write_onnx(program, path, [*given], [*outputs], unit)
        else:
            program.graph.eliminate_dead_code()  # torch 2.6 notes what only asks for a dtype, and cannot read it
            write_atomically(path, lambda file: torch.export.save(program, file))


def _write_onnx(program: ExportedProgram, path: Path, inputs: list[str], outputs: list[str], unit: int | None) -> None:
    written = torch.onnx.export(program, dynamo=True, input_names=inputs, output_names=outputs, verbose=False)
    if written is None:
        raise RuntimeError("the exporter returned no program")  # as one that has failed, which `told` says
    if unit is not None:
        written.model.metadata_props["unit"] = str(unit)
    write_atomically(path, lambda file: file.write(written.model_proto.SerializeToString()))


@contextmanager
def told(kind: str) -> Iterator[None]:
    """Within the block, what torch's exporters warn of is not shown, and what they cannot do is a `ValueError`."""
    logs = [logging.getLogger(name) for name in ("torch", "onnxscript", "onnx_ir")]
    levels = [log.level for log in logs]
    for log in logs:
        log.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except Exception as error:  # of many types, most of them private
        reason = str(error).strip().split("\n")[0]
        raise ValueError(
            f"This model cannot be written as {kind} for frames of these sizes ({type(error).__name__}: {reason}); "
            f"pass dynamic_size=False, or take the other kind of {' and '.join(KINDS)}."
        ) from error
    finally:
        for log, level in zip(logs, levels, strict=True):
            log.setLevel(level)
