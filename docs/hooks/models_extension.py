"""Shows registered models in the docs with all their options, those of their frames among them, as `inspect` does."""

import inspect
from typing import Any

import griffe

from stblocks.core.create import MODELS


class ModelsExtension(griffe.Extension):
    """Gives a registered model's function the signature and docstring that `register_model` made for it."""

    def on_function(self, *, func: griffe.Function, **_: Any) -> None:
        """Runs once for each function."""
        if func.name not in MODELS or not any("register_model" in str(each.value) for each in func.decorators):
            return
        build = MODELS[func.name].build
        signature = inspect.signature(build)
        func.parameters = griffe.Parameters(*(_parameter(each) for each in signature.parameters.values()))
        func.returns = inspect.formatannotation(signature.return_annotation).rpartition(".")[2]
        if func.docstring is not None:
            func.docstring.value = inspect.getdoc(build) or ""


def _parameter(option: inspect.Parameter) -> griffe.Parameter:
    return griffe.Parameter(
        option.name,
        annotation=inspect.formatannotation(option.annotation, "collections.abc").replace("collections.abc.", ""),
        kind=griffe.ParameterKind[option.kind.name.lower()],
        default=None if option.default is option.empty else repr(option.default),
    )
