"""What recipes are made of: settings and data of a task, settings of a model, and the run from end to end."""

from .models import PatchSettings, SimVPSettings, UShapeSettings
from .recipe import Recipe

__all__ = ["PatchSettings", "Recipe", "SimVPSettings", "UShapeSettings"]
