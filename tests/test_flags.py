"""Every setting of a recipe is a flag, and a mistake on the command line is a message."""

import pickle
from copy import deepcopy
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Literal

import pytest

from stblocks.train import Help, Option, TrainConfig, read_flags, run_recipe
from stblocks.train.flags import run_directory
from stblocks.train.settings import described, whole


@dataclass(frozen=True, kw_only=True)
class Settings(TrainConfig):
    """Those of a recipe."""

    data: Annotated[str | None, Help("Where the data are; 100% of them.")] = None
    size: Annotated[int, Option("Side of the frames.")] = 64
    kind: Annotated[Literal["a", "b"], Help("Which one.")] = "a"
    lr = 1e-3


BIG = Settings(size=128, epochs=100)
#: A value that is no default, and how it is written.
OTHERS = {
    "epochs": (3, "3"),
    "batch_size": (8, "8"),
    "accumulate": (2, "2"),
    "lr": (0.5, "0.5"),
    "weight_decay": (0.01, "1e-2"),
    "schedule": ("cosine", "cosine"),
    "warmup": (0.5, ".5"),
    "sampling": ("reverse", "reverse"),
    "sampling_steps": (50_000, "50000"),
    "l1": (0.0, "0"),
    "l2": (2.0, "2"),
    "loss_thresholds": ((20.0, 30.0), "20 30"),
    "heavier": ((1.0, 5.0), "1 5"),
    "csi": (0.005, "5e-3"),
    "fss": (0.1, "0.1"),
    "fss_window": (9, "9"),
    "softness": (1.5, "1.5"),
    "spectral": (0.2, "0.2"),
    "high_frequency": (0.001, "1e-3"),
    "pinball": (1.0, "1"),
    "quantile": (0.9, "0.9"),
    "grad_clip": (None, "none"),
    "ema_decay": (0.9, "0.9"),
    "precision": ("bf16", "bf16"),
    "channels_last": (False, None),
    "augment": (True, None),
    "jitter": (2.0, "2"),
    "graph": (False, "false"),
    "seed": (7, "7"),
    "num_workers": (2, "2"),
    "thresholds": ((20.0, 30.5), "20 30.5"),
    "metrics": (("mse@pixel", "rmse@physical"), "mse@pixel rmse@physical"),
    "checkpoint_every": (9, "9"),
    "validate_every": (2, "2"),
    "patience": (3, "3"),
    "keep_best": (4, "4"),
    "monitor": ("csi@30", "csi@30"),
    "data": ("CIKM2017/", "CIKM2017/"),
    "size": (32, "32"),
    "kind": ("b", "b"),
}


def read(text=""):
    return read_flags("demo", Settings(), {"big": BIG}, text.split(), "A demo.")


def flag(name):
    """How the value of `OTHERS` is written; a switch has none."""
    value, written = OTHERS[name]
    return f"--no-{name}" if (value, written) == (False, None) else f"--{name} {written or ''}"


def test_without_flags_it_is_the_default():
    command = read()
    assert command.settings == Settings()
    assert (command.out, command.resume) == (Path("runs/demo-1"), False)


def test_every_field_is_a_flag():
    assert OTHERS.keys() == {field.name for field in fields(Settings)}
    text = " ".join(map(flag, OTHERS))
    expected = Settings(**{name: value for name, (value, _) in OTHERS.items()})
    assert read(text).settings == expected
    assert all(type(getattr(expected, name)) is type(getattr(read(text).settings, name)) for name in OTHERS)


@pytest.mark.parametrize("name", OTHERS)
def test_a_flag_changes_its_field_alone(name):
    assert read(flag(name)).settings == replace(Settings(), **{name: OTHERS[name][0]})


def test_none_tuples_and_switches_can_be_taken_back():
    default = replace(Settings(), augment=True, thresholds=(1.0,), ema_decay=0.5, data="x")
    command = read_flags("demo", default, {}, ["--no-augment", "--thresholds", "--ema_decay", "none", "--data", "none"])
    assert command.settings == Settings()


def test_negative_numbers_are_no_flags():
    assert read("--thresholds -1e-3 -10 -.5 3").settings.thresholds == (-1e-3, -10.0, -0.5, 3.0)


def test_a_preset_is_where_other_flags_start():
    assert read("--big").settings == BIG
    assert read("--epochs 2 --big --seed 5").settings == replace(BIG, epochs=2, seed=5)
    assert isinstance(read("--big").settings, Settings)


def test_out_and_resume_are_no_settings(tmp_path):
    command = read(f"--out {tmp_path} --resume")
    assert (command.settings, command.out, command.resume) == (Settings(), tmp_path, True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("--learning_rate 1", "there is no argument --learning_rate 1; see "),
        ("--epoch 3", "there is no argument --epoch 3; did you mean --epochs?"),  # no abbreviations: a field may come
        ("--batch-sise 3", "there is no argument --batch_sise 3; did you mean --batch_size?"),
        ("--epochs three", "argument --epochs: invalid int value: 'three'"),
        ("--epochs none", "argument --epochs: invalid int value: 'none'"),
        ("--grad_clip x", "argument --grad_clip: invalid float value: 'x'"),
        ("--thresholds 20,30", "argument --thresholds: invalid float value: '20,30'"),
        ("--schedule linear", "argument --schedule: invalid choice: 'linear'"),
        ("--kind", "argument --kind: expected one argument"),
    ],
)
def test_a_flag_that_cannot_be_read_ends_with_its_name(text, message, capsys):
    with pytest.raises(SystemExit) as stop:
        read(text)
    assert stop.value.code == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert printed.count("\n") == 1


def test_flags_may_be_hyphenated():
    assert read("--batch-size 3 --grad-clip=none").settings == replace(Settings(), batch_size=3, grad_clip=None)


def test_an_unknown_setting_names_those_near_it():
    with pytest.raises(TypeError, match=r"^TrainConfig has no setting 'epoch'; did you mean epochs"):
        TrainConfig(epoch=1)
    with pytest.raises(TypeError, match=r"^Settings has no setting 'kinds'; did you mean kind"):
        replace(Settings(), kinds=1)
    assert pickle.loads(pickle.dumps(Settings(epochs=3))) == deepcopy(Settings(epochs=3)) == Settings(epochs=3)


def test_help_says_what_every_field_is_and_what_it_is_by_default(capsys):
    with pytest.raises(SystemExit) as stop:
        read("--help")
    assert stop.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    for part in ("A demo.", "100% of them. (None)", "Side of the frames. (64)", "Highest learning rate. (0.001)"):
        assert part in text
    assert all(said.help for said in described(Settings).values())


@pytest.mark.parametrize(
    "error", [ValueError("size must be odd."), FloatingPointError("Step 3 has loss nan."), ConnectionError("alone")]
)
def test_a_mistake_ends_a_recipe_with_its_message(error):
    def main():
        raise error

    with pytest.raises(SystemExit) as stop:
        run_recipe(main)
    assert stop.value.code == f"{type(error).__name__}: {error}"


@pytest.mark.parametrize(
    ("stop", "message"),
    [
        (KeyboardInterrupt("stopped after step 5"), "Interrupted: stopped after step 5\n"),
        (KeyboardInterrupt(), "Interrupted.\n"),
    ],
)
def test_ctrl_c_ends_a_recipe_with_status_130(stop, message, capsys):
    def main():
        raise stop

    with pytest.raises(SystemExit) as end:
        run_recipe(main)
    assert end.value.code == 130
    assert capsys.readouterr().err == message


def test_a_bug_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        run_recipe(lambda: 1 / 0)
    run_recipe(lambda: None)


def test_runs_are_counted_up_and_the_newest_is_resumed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run_directory("demo", resume=True) == Path("runs/demo-1")
    for name in ("demo-2", "demo-10", "demo-x", "demo-big-77", "demon-50"):
        (tmp_path / "runs" / name).mkdir(parents=True)
    assert run_directory("demo", resume=False) == Path("runs/demo-11")
    assert run_directory("demo", resume=True) == Path("runs/demo-10")
    assert run_directory("demo-big", resume=False) == Path("runs/demo-big-78")


def test_help_without_presets(capsys):
    with pytest.raises(SystemExit, match="0"):
        read_flags("name", Settings(), {}, ["--help"])
    assert "--resume" in capsys.readouterr().out


def test_defaults_change_without_types_and_a_bare_type_keeps_check_and_help():
    @dataclass(frozen=True, kw_only=True)
    class Typed(Settings):
        """With a type said again."""

        epochs: int = 0
        batch_size = 3

    assert (Typed().batch_size, Typed().lr, Typed(batch_size=4).batch_size) == (3, 1e-3, 4)
    assert described(Typed)["epochs"] == described(TrainConfig)["epochs"]
    assert Typed().problems() == ["epochs must be an integer >= 1, got 0"]
    assert (Settings(kind="c").problems(), Settings().problems()) == (["kind must be one of 'a', 'b', got 'c'"], [])


def test_defaults_of_the_nearest_class_win():
    @dataclass(frozen=True, kw_only=True)
    class Left(TrainConfig):
        """One half."""

        width: Annotated[int, whole(1), Option("Of the model.")] = 2
        epochs = 5

    @dataclass(frozen=True, kw_only=True)
    class Both(Left, Settings):
        """Both halves."""

        size = 8

    assert (Both().epochs, Both().lr, Both().size, Both(size=9).size) == (5, 1e-3, 8, 9)
    assert Both().model_options() == {"size": 8, "width": 2}
    assert Both(width=0).problems() == ["width must be an integer >= 1, got 0"]
    assert read_flags("demo", Both(), {}, ["--width", "7"]).settings == Both(width=7)


def test_a_misspelt_default_and_a_class_that_is_no_dataclass_are_refused():
    with pytest.raises(TypeError, match=r"Wrong.epoch must be a setting, one of .*epochs"):

        class Wrong(TrainConfig):
            epoch = 3

    class Plain(TrainConfig):
        epochs = 3

    with pytest.raises(TypeError, match="Plain must be decorated with @dataclass"):
        Plain()
