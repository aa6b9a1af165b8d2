"""Files are whole or not there, and a checkpoint that is not this run's is refused with the reason."""

import hashlib
import io
import os
import random
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

import stblocks.borders.files
from stblocks.borders.files import remove_unfinished, write_atomically
from stblocks.data import Scaler, Sequence
from stblocks.train import Objective, load_checkpoint, save_checkpoint
from stblocks.train.checkpoint import MARK, newest, previous
from tests.test_resume import same
from tests.tiny import Drifting, Tiny, tiny, train


class Killed(BaseException):
    """The process is gone."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("finished")
    train(out)
    return out


def test_a_file_is_flushed_to_the_disk_before_it_takes_its_name(tmp_path, monkeypatch):
    path, calls = tmp_path / "new" / "file", []

    def fsync(descriptor):
        calls.append(("fsync", os.fstat(descriptor).st_size))

    def replace(source, target):
        calls.append(("replace", Path(source).parent, target))
        os.rename(source, target)

    monkeypatch.setattr(stblocks.borders.files.os, "fsync", fsync)
    monkeypatch.setattr(stblocks.borders.files.os, "replace", replace)
    write_atomically(path, lambda file: file.write(b"whole"))
    assert calls == [("fsync", 5), ("replace", path.parent, path)]
    assert path.read_bytes() == b"whole"
    assert list(path.parent.iterdir()) == [path]


def test_two_writers_of_one_file_leave_that_of_one(tmp_path):
    path = tmp_path / "file"

    def slowly(file):
        file.write(b"A" * 4)
        write_atomically(path, lambda other: other.write(b"B"))  # meanwhile
        file.write(b"A" * 4)

    write_atomically(path, slowly)
    assert path.read_bytes() == b"A" * 8
    assert [*tmp_path.iterdir()] == [path]


@pytest.mark.parametrize("place", ["fsync", "replace"])
def test_a_crash_while_writing_leaves_the_old_checkpoint(place, tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.pt"
    save_checkpoint({"step": 1}, path)

    def crash(*_):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(stblocks.borders.files.os, place, crash)
        with pytest.raises(Killed):
            save_checkpoint({"step": 2}, path)
    assert load_checkpoint(newest(path)) == {"step": 1}
    save_checkpoint({"step": 2}, path)
    assert (load_checkpoint(path), load_checkpoint(previous(path))) == ({"step": 2}, {"step": 1})
    assert {*tmp_path.iterdir()} == {path, previous(path)}


def test_sigkill_while_writing_leaves_the_old_file(tmp_path):
    path = tmp_path / "file"
    write_atomically(path, lambda file: file.write(b"old"))
    script = """
import runpy, sys, time
def write(file):
    file.write(b"n"); file.flush(); print("half", flush=True); time.sleep(60)
runpy.run_path(sys.argv[1])["write_atomically"](sys.argv[2], write)
"""
    command = [sys.executable, "-S", "-c", script, stblocks.borders.files.__file__, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"half\n"
        process.kill()
    assert path.read_bytes() == b"old"
    write_atomically(path, lambda file: file.write(b"new"))
    assert path.read_bytes() == b"new"
    remove_unfinished(tmp_path)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("rename", range(1, 18))
def test_a_run_killed_at_any_rename_resumes(rename, finished, tmp_path, monkeypatch):
    replace, left = os.replace, [rename]

    def crash(source, target):
        left[0] -= 1
        if left[0] == 0:
            raise Killed
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(stblocks.borders.files.os, "replace", crash)
        with pytest.raises(Killed):
            train(tmp_path, checkpoint_every=1)
    train(tmp_path, resume=newest(tmp_path / "checkpoint.pt") is not None, checkpoint_every=1)
    assert (tmp_path / "metrics.jsonl").read_text() == (finished / "metrics.jsonl").read_text()
    best = [{path.name: path.read_bytes() for path in (out / "best").iterdir()} for out in (tmp_path, finished)]
    assert best[0] == best[1]


def copy(finished, out):
    (out / "best").mkdir(parents=True)
    for name in ("checkpoint.pt", *(f"best/{path.name}" for path in (finished / "best").iterdir())):
        (out / name).write_bytes((finished / name).read_bytes())
    return out / "checkpoint.pt"


class Wider(Tiny):
    def __init__(self):
        super().__init__()
        self.blur = torch.nn.Conv2d(1, 1, 5, padding=2)
        self.bias = torch.nn.Parameter(torch.zeros(1))


def named(config):
    model = tiny()
    model.config = config
    return model


def changed(index, *options):
    """One value of one sequence is another."""
    data = Drifting(*options)
    data.frames[index, 4, 0, 5, 6] += 0.5
    return data


def seal(state, path):
    """Write a checkpoint of anything at all, whose digest fits."""
    content = io.BytesIO()
    torch.save(state, content)
    path.write_bytes(content.getvalue() + MARK + hashlib.sha256(content.getvalue()).hexdigest().encode())


def mirrored():
    data = Drifting()
    data.frames = data.frames.flip(-1)
    return data


def scaled(offset, scale):
    data = Drifting()
    data.scaler = Scaler(offset, scale)
    return data


class Anew(Drifting):
    """Each reading is another."""

    def __getitem__(self, index):
        past, future = super().__getitem__(index)
        return Sequence(past + 0.1 * torch.rand(past.shape), future)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": Wider()}, r"another model: bias is missing; blur.weight is \(1, 1, 3, 3\), not \(1, 1, 5, 5\)"),
        ({"model": named({"model": "gmg_l"})}, "in its model: model was None, is 'gmg_l'; resume it with the same"),
        ({"lr": 0.1, "seed": 3}, "in its settings: lr was 0.05, is 0.1; seed was 0, is 3; resume it with the same"),
        (
            {"objective": partial(Objective, skip=1)},
            "in its objective: skip was '0', is '1'; resume it with the same",
        ),
        ({"data": Drifting(8)}, "in its training data: sequences was 9, is 8"),
        ({"data": Drifting(seed=2)}, "in its training data: the values of sequence 0, 3, 5, 8; resume it with the"),
        ({"data": mirrored()}, "in its training data: the values of sequence 0, 3, 5, 8; resume it with the"),
        ({"data": changed(8)}, "in its training data: the values of sequence 8; resume"),
        ({"validation": changed(1, 5, 1)}, "in its validation data: the values of sequence 1; resume"),
        ({"validation": Drifting(4, seed=1)}, "in its validation data: sequences was 5, is 4"),
        ({"data": scaled(1.0, 2.0)}, r"in its training data: scaler was \(0.0, 1.0, ''\), is \(1.0, 2.0, ''\)"),
        (
            {"data": Anew()},
            "in its training data: samples that are the same each time they are read, or are drawn ane",
        ),
    ],
)
def test_another_run_is_refused(options, message, finished, tmp_path):
    before = copy(finished, tmp_path).read_bytes()
    with pytest.raises(ValueError, match=message):
        train(tmp_path, resume=True, **options)
    assert (tmp_path / "checkpoint.pt").read_bytes() == before
    assert not (tmp_path / "config.json").exists()


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.9, 0.999])
def test_a_checkpoint_cut_short_is_refused(share, finished, tmp_path):
    path = copy(finished, tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=r"checkpoint.pt is not a whole checkpoint .* delete it and start without"):
        train(tmp_path, resume=True)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: path.write_text("hello"), "is not a whole checkpoint"),
        (lambda path: path.write_text("append"), "is not a whole checkpoint"),
        (lambda path: path.write_bytes(bytes(range(256)) * 9), "is not a whole checkpoint"),
        (lambda path: torch.save(tiny(), path), "is not a whole checkpoint"),
        (
            lambda path: seal({"model": tiny()}, path),
            r"is as it was written, but holds tests\.tiny\.Tiny, and only numb",
        ),
        (lambda path: seal({"score": np.float64(1)}, path), r"but holds numpy\S+scalar, .* see best/ for its weights"),
        (lambda path: save_checkpoint([1], path), "must hold a dict, got list"),
        (
            lambda path: save_checkpoint(tiny().state_dict(), path),
            "is no checkpoint of a run: it holds gain, blur.weight",
        ),
        (lambda path: path.unlink(), "There is no checkpoint .* start without resume"),
    ],
)
def test_what_is_no_checkpoint_is_refused(write, message, finished, tmp_path):
    write(copy(finished, tmp_path))
    with pytest.raises(ValueError, match=message):
        train(tmp_path, resume=True)


@pytest.mark.parametrize(
    ("value", "where"),
    [
        (
            np.float64(1),
            r"state\.best\.ranking\[1\] must be made of tensors, numbers, .* type float64; take \.item\(\)",
        ),
        (np.str_("dBZ"), r"state\.best\.ranking\[1\] must .* type str_; .* str\(\.\.\.\) of a path or another text"),
        ({np.int64(3): 1}, r"a key of state\.best\.ranking\[1\] must be made of numbers, .* type int64"),
        (Path("runs"), r"state\.best\.ranking\[1\] must .* of the type \w*Path"),
    ],
)
def test_what_could_not_be_read_again_is_not_written(value, where, finished, tmp_path):
    path = copy(finished, tmp_path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=where):
        save_checkpoint({"step": 1, "best": {"ranking": (torch.ones(2), value)}}, path)
    assert path.read_bytes() == before
    state = {"a": [1, 0.5, True, None, "b", ()], 3: torch.nn.Parameter(torch.ones(2)), "size": torch.ones(2, 3).shape}
    save_checkpoint(state, path)
    assert same(load_checkpoint(path), state)


def test_a_changed_bit_anywhere_is_found_and_the_checkpoint_before_is_named(finished, tmp_path):
    path, content = copy(finished, tmp_path), bytearray((finished / "checkpoint.pt").read_bytes())
    shutil.copy(previous(finished / "checkpoint.pt"), previous(path))
    draw = random.Random(0)
    for bit in [*(draw.randrange(8 * len(content)) for _ in range(200)), 0, 8 * len(content) - 1]:
        content[bit // 8] ^= 1 << bit % 8
        path.write_bytes(content)
        with pytest.raises(ValueError, match="is not a whole checkpoint"):
            load_checkpoint(path)
        content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content[:-1])
    message = r"checkpoint.previous.pt is whole, of step 4: delete checkpoint.pt, and resume=True goes on from there"
    with pytest.raises(ValueError, match=message):
        train(tmp_path, resume=True)
    path.unlink()
    with pytest.raises(ValueError, match="holds a run already"):
        train(tmp_path)
    train(tmp_path, resume=True)  # from the one before, which awaits its validation
    assert same(load_checkpoint(path), load_checkpoint(finished / "checkpoint.pt"))
    path.write_bytes(b"")
    previous(path).write_bytes(b"")
    with pytest.raises(ValueError, match=r"nor is checkpoint.previous.pt: delete both and start without resume"):
        train(tmp_path, resume=True)


def test_a_checkpoint_without_a_digest_is_not_trusted(finished, tmp_path):
    path = copy(finished, tmp_path)
    torch.save(load_checkpoint(path), path)
    with pytest.raises(ValueError, match=r"does not end with a digest: .* written before checkpoints had one"):
        train(tmp_path, resume=True)


def test_data_that_another_machine_rounds_otherwise_are_the_same(finished, tmp_path):
    copy(finished, tmp_path)
    data = Drifting()
    data.frames *= 1 + 3e-7 * torch.randn(data.frames.shape)
    data.scaler = Scaler(0.0, 1 + 1e-15)
    train(tmp_path, resume=True, data=data)


def test_data_drawn_anew_each_time_can_be_gone_on_with(tmp_path):
    for resume in (False, True):
        assert train(tmp_path, data=Anew(), resume=resume).step == 4
    with pytest.raises(ValueError, match="or are drawn anew"):
        train(tmp_path, resume=True)


def moments(state):
    return state["training"]["optimizer"]["state"]


WRONG = {
    "no identity": (lambda s: s.update(identity=None), "its identity must hold model, settings, training data"),
    "no settings": (lambda s: s["identity"].pop("settings"), "its identity must hold"),
    "other settings": (lambda s: s["identity"]["settings"].update(lr=torch.ones(2)), "in its settings: lr was"),
    "no training": (lambda s: s.update(training=[]), "training must hold step, model"),
    "no step": (lambda s: s["training"].pop("step"), "training must hold step, model"),
    "a step far off": (
        lambda s: s["training"].update(step=10**9),
        "training.step must be an integer up to 4, got 1000",
    ),
    "a step of text": (lambda s: s["training"].update(step="4"), "training.step must be an integer up to 4, got '4'"),
    "a step before": (lambda s: s["training"].update(step=3), "must be a count of at most 3 steps"),
    "no model": (lambda s: s["training"].update(model=None), "training.model must hold tensors by name, got None"),
    "a number for a weight": (lambda s: s["training"]["model"].update(gain=1.0), "training.model must hold tensors"),
    "NaN weights": (
        lambda s: s["training"]["model"]["gain"].fill_(torch.nan),
        "training.model is damaged: gain has NaN or infinite values; take another copy",
    ),
    "infinite average": (lambda s: s["training"]["ema"]["module.gain"].fill_(torch.inf), "training.ema is damaged"),
    "integer weights": (
        lambda s: s["training"]["model"].update(gain=torch.ones(1, dtype=torch.int32)),
        "holds gain as torch.int32, which the model's torch.float32 cannot hold without loss",
    ),
    "no average": (lambda s: s["training"].update(ema=None), "training.ema must hold tensors by name, got None"),
    "no optimizer": (lambda s: s["training"].update(optimizer=None), "optimizer must hold state and param_groups"),
    "no group": (lambda s: s["training"]["optimizer"].update(param_groups=[]), r"must be 1 dict\(s\), got \[\]"),
    "no lr": (lambda s: s["training"]["optimizer"]["param_groups"][0].pop("lr"), "must hold params, lr, betas"),
    "lr of text": (
        lambda s: s["training"]["optimizer"]["param_groups"][0].update(lr="1"),
        "param_groups.lr must be a finite number, got '1'",
    ),
    "no moments": (lambda s: moments(s).clear(), r"must hold the moments of 4 step\(s\), got none"),
    "moments of others": (lambda s: moments(s).update({7: moments(s)[0]}), "must hold moments of 3 parameters"),
    "half a moment": (lambda s: moments(s)[0].pop("exp_avg"), "must hold step, exp_avg and exp_avg_sq"),
    "a moment of another shape": (
        lambda s: moments(s)[0].update(exp_avg=torch.zeros(2)),
        r"optimizer.state.0.exp_avg must be float32 \(1,\), got float32 \(2,\)",
    ),
    "a moment of NaN": (lambda s: moments(s)[1]["exp_avg"].fill_(torch.nan), "state.1.exp_avg must be finite"),
    "a negative square": (lambda s: moments(s)[1]["exp_avg_sq"].fill_(-1.0), "exp_avg_sq must not be negative"),
    "a moment of another step": (lambda s: moments(s)[1]["step"].fill_(9), "step must be a count of at most 4 steps"),
    "no schedule": (lambda s: s["training"].update(schedule={}), "training.schedule must hold last_epoch, _last_lr"),
    "a schedule elsewhere": (lambda s: s["training"]["schedule"].update(last_epoch=2), "last_epoch must be step 4"),
    "a scaler from nowhere": (lambda s: s["training"].update(scaler={"scale": 1.0}), "training.scaler must be True, F"),
    "no best": (lambda s: s.update(best=3), "best must hold ranking, stale, judged"),
    "no ranking": (lambda s: s["best"].pop("ranking"), "best must hold ranking, stale, judged"),
    "a wrong ranking": (lambda s: s["best"].update(ranking=[3.0]), "best.ranking must hold at most 1 scores and steps"),
    "a rank of tomorrow": (lambda s: s["best"].update(ranking=[(1.0, 99)]), "best.ranking must hold at most 1"),
    "patience of text": (lambda s: s["best"].update(stale="no"), "best.stale and best.judged must be counts up to"),
}


@pytest.fixture(scope="module")
def averaged(tmp_path_factory):
    out = tmp_path_factory.mktemp("averaged")
    train(out, ema_decay=0.5)
    return out


@pytest.mark.parametrize("name", WRONG)
def test_wrong_contents_are_named(name, averaged, tmp_path):
    path = copy(averaged, tmp_path)
    spoil, message = WRONG[name]
    state = load_checkpoint(path)
    spoil(state)
    path.unlink()
    save_checkpoint(state, path)
    with pytest.raises(ValueError, match=message) as error:
        train(tmp_path, resume=True, ema_decay=0.5)
    assert "checkpoint.pt" in str(error.value)


def test_a_wrong_ranking_of_weights_that_are_not_whole_is_named(finished, tmp_path):
    copy(finished, tmp_path)
    (path,) = (tmp_path / "best").iterdir()
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(ValueError, match="safetensors cannot be read as a safetensors file"):
        train(tmp_path, resume=True)


def test_weights_that_are_gone_are_named(finished, tmp_path):
    copy(finished, tmp_path)
    (tmp_path / "best" / "step-00000004.safetensors").unlink()
    with pytest.raises(ValueError, match=r"step-00000004.safetensors is missing, which the checkpoint ranks"):
        train(tmp_path, resume=True)


def test_a_run_is_not_overwritten(finished, tmp_path):
    before = copy(finished, tmp_path).read_bytes()
    with pytest.raises(ValueError, match=r"holds a run already; pass resume=True \(--resume on the command line\) to"):
        train(tmp_path)
    assert (tmp_path / "checkpoint.pt").read_bytes() == before


def test_a_directory_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"out_dir must be a directory, got .*run, and .*file is a file; name another"):
        train(tmp_path / "file" / "run")
    with pytest.raises(ValueError, match=r"out_dir must be a directory that can be written, got .*name another direc"):
        train(tmp_path / (300 * "x"))


def test_a_file_that_finds_no_room_is_named_and_leaves_the_old_checkpoint(tmp_path):
    resource = pytest.importorskip("resource")
    path, limits = tmp_path / "checkpoint.pt", resource.getrlimit(resource.RLIMIT_FSIZE)
    save_checkpoint({"step": 1}, path)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(ValueError, match=r"must be a file that can be written, got .*\(File too large\)"):
            save_checkpoint({"step": 2}, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert load_checkpoint(path) == {"step": 1}
    assert list(tmp_path.iterdir()) == [path]
