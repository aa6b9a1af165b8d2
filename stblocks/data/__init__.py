"""Data sets of sequences: your own arrays, public radar sets, and rain and digits made on the fly."""

from .cikm import CIKM2017, CIKM_DBZ
from .folders import FrameFolders
from .kth import KTH
from .moving_mnist import MovingMNIST, moving_mnist_test
from .scaler import Scaler
from .sequence import Sequence
from .shanghai import Shanghai2020
from .synthetic import SyntheticRadar
from .synthetic_traffic import SyntheticTraffic
from .synthetic_weather import write_synthetic_weather
from .taxibj import TaxiBJ
from .weatherbench import WeatherBench
from .windows import SequenceWindows

__all__ = [
    "CIKM2017",
    "CIKM_DBZ",
    "KTH",
    "FrameFolders",
    "MovingMNIST",
    "Scaler",
    "Sequence",
    "SequenceWindows",
    "Shanghai2020",
    "SyntheticRadar",
    "SyntheticTraffic",
    "TaxiBJ",
    "WeatherBench",
    "moving_mnist_test",
    "write_synthetic_weather",
]
