"""Data sets of sequences: your own arrays, public radar sets, and synthetic rain and digits."""

from .cikm import CIKM2017, CIKM_DBZ
from .fill import fill_missing
from .folders import FrameFolders
from .human36m import Human36M
from .kitti_caltech import KittiCaltech
from .kth import KTH
from .moving_mnist import MovingMNIST, moving_mnist_test
from .radar_archive import RadarArchive
from .scaler import Scaler
from .sequence import Sequence
from .sevir import SEVIR, vil_kg_m2
from .shanghai import Shanghai2020
from .spec import DataSpec
from .synthetic import SyntheticRadar
from .synthetic_traffic import SyntheticTraffic
from .synthetic_weather import write_synthetic_weather
from .taxibj import TaxiBJ
from .typhoon import Typhoon
from .weatherbench import WeatherBench
from .windows import SequenceWindows

__all__ = [
    "CIKM2017",
    "CIKM_DBZ",
    "KTH",
    "SEVIR",
    "DataSpec",
    "FrameFolders",
    "Human36M",
    "KittiCaltech",
    "MovingMNIST",
    "RadarArchive",
    "Scaler",
    "Sequence",
    "SequenceWindows",
    "Shanghai2020",
    "SyntheticRadar",
    "SyntheticTraffic",
    "TaxiBJ",
    "Typhoon",
    "WeatherBench",
    "fill_missing",
    "moving_mnist_test",
    "vil_kg_m2",
    "write_synthetic_weather",
]
