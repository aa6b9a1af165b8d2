"""Registries: one name for one thing, names that are near, and those of other packages."""

import re
from importlib.metadata import EntryPoint

import pytest

from stblocks import create_model, list_models
from stblocks.borders.checks import did_you_mean
from stblocks.core import Registry, registry
from stblocks.core.create import MODELS
from stblocks.interop import KINDS

NAMES = ["gmg_l", "gmg_m", "predrnn", "predrnnpp", "sa_convlstm", "convlstm"]


@pytest.fixture
def colours():
    made = Registry[int]("colour", "stblocks.colours")
    made.register("red")(1)
    made.register("dark_red")(2)
    return made


def test_a_thing_has_one_name(colours):
    assert colours.register("blue")(3) == 3  # so that it is a decorator
    assert (colours.find("blue"), colours["blue"], len(colours), "blue" in colours) == (3, 3, 3, True)
    with pytest.raises(ValueError, match="There is a colour 'red' already; give yours another name"):
        colours.register("red")(4)
    assert colours["red"] == 1
    assert colours.names() == ["blue", "dark_red", "red"]
    assert colours.names("*red") == ["dark_red", "red"]


@pytest.mark.parametrize("name", ["", None, len])
def test_a_name_is_a_word(colours, name):
    with pytest.raises(ValueError, match=re.escape(f"The name of a colour must be a string, got {name!r}; write it")):
        colours.register(name)


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("GMG-L", "did you mean gmg_l?"),
        ("PredRNN++", "did you mean predrnnpp?"),
        ("PredRNN", "did you mean predrnn?"),
        ("SA ConvLSTM", "did you mean sa_convlstm?"),
        ("predrn", "did you mean predrnn or predrnnpp?"),
        ("zzz", "there are gmg_l, gmg_m, predrnn, predrnnpp, sa_convlstm, convlstm."),
        ("", "there are gmg_l, gmg_m, predrnn, predrnnpp, sa_convlstm, convlstm."),
    ],
)
def test_names_that_are_near(name, end):
    assert did_you_mean(name, NAMES) == end


@pytest.mark.parametrize("name", [3, None, ["zzz"]])
def test_what_is_no_name(colours, name):
    with pytest.raises(ValueError, match=rf"There is no colour {re.escape(repr(name))}; there are red, dark_red\."):
        colours.find(name)


def test_every_registry_says_it_alike():
    for call, message in (
        (lambda: create_model("GMG-L"), "There is no model 'GMG-L'; did you mean gmg_l?"),
        (lambda: create_model("hybrid", base="PredRNN++"), "There is no base 'PredRNN++'; did you mean predrnnpp?"),
        (lambda: create_model("hybrid", plugs=["GFM"]), "There is no plug 'GFM'; did you mean gfm?"),
        (lambda: create_model("simvpv2_s", translator="gSTA"), "There is no translator 'gSTA'; did you mean gsta?"),
        (lambda: KINDS.find("GMG/SAM"), "There is no kind 'GMG/SAM'; did you mean gmg/sam?"),
    ):
        with pytest.raises(ValueError, match=re.escape(message)):
            call()


def test_modules_of_entry_points_are_imported_when_a_name_is_unknown(monkeypatch, tmp_path):
    (tmp_path / "plug_in_models.py").write_text(
        "from stblocks import create_model, register_model\n"
        "@register_model()\n"
        "def plugged(in_channels=1, image_size=(8, 8)):\n"
        "    return create_model('convlstm', in_channels, image_size, channels=4, num_layers=1)\n"
    )
    asked = []

    def entry_points(group):
        asked.append(group)
        return [EntryPoint("any", "plug_in_models", group)]

    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(registry, "entry_points", entry_points)
    monkeypatch.setattr(MODELS, "_entries", dict(MODELS._entries))
    monkeypatch.setattr(MODELS, "_loaded", False)
    MODELS.find("convlstm")
    assert asked == []  # a package that is broken breaks no model but its own
    assert create_model("plugged").config["model"] == "plugged"
    assert "plugged" in list_models()
    assert asked == ["stblocks.models"]  # once
