"""Scalers go to model units and back, channel by channel, and are fitted to what they are shown."""

import json
from dataclasses import asdict
from unittest.mock import patch

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stblocks.data import DataSpec, Scaler, SequenceWindows, scaler
from stblocks.score import Scores
from stblocks.viz import forecast_strip

DBZ = Scaler(offset=-10.0, scale=95.0, unit="dBZ")
TWO = Scaler(offset=(1.0, -3.0), scale=(2.0, 0.5), unit=("K", "m"))


@given(st.floats(-1e3, 1e3), st.floats(1e-3, 1e3), st.booleans())
def test_round_trip(offset, scale, negative):
    scaler = Scaler(offset, -scale if negative else scale)
    values = np.linspace(offset - scale, offset + scale, 5)
    np.testing.assert_allclose(scaler.to_physical(scaler.to_model(values)), values, atol=1e-9)
    assert scaler.to_model(offset) == 0
    assert scaler.to_model(offset + scaler.scale) == pytest.approx(1, abs=1e-3)
    assert scaler.to_physical(torch.ones(1)).item() == pytest.approx(offset + scaler.scale, abs=1e-3)


def test_the_offset_stays_out_of_the_scale():
    assert DBZ.to_model(37.5) == 0.5
    assert DBZ.to_physical(0.5) == 37.5


@pytest.mark.parametrize("lead", [(), (3,), (2, 3)])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("kind", ["float32", "float64", "int32", "tensor", "half"])
def test_each_channel_has_its_own(lead, channels, kind):
    frames = np.random.default_rng(0).integers(-9, 9, (*lead, channels, 2, 3)).astype(float)
    expected = np.stack([TWO.channel(c).to_model(frames[..., c, :, :]) for c in range(channels)], axis=-3)
    values = {"tensor": torch.tensor(frames).float(), "half": torch.tensor(frames).half()}.get(kind)
    values = frames.astype(kind) if values is None else values
    model = TWO.to_model(values)
    np.testing.assert_allclose(np.asarray(model), expected, rtol=1e-3 if kind == "half" else 1e-6)
    np.testing.assert_allclose(np.asarray(TWO.to_physical(model)), frames, atol=1e-2 if kind == "half" else 1e-5)
    assert kind == "int32" or model.dtype == values.dtype


def test_fields_go_through_json():
    assert Scaler(**json.loads(json.dumps(asdict(TWO)))) == TWO
    assert hash(TWO) != hash(DBZ)
    assert TWO.channel(1) == Scaler(-3.0, 0.5, "m")
    assert DBZ.channel(1) == DBZ


@pytest.mark.parametrize("dtype", ["uint8", "int8", "bool", "int32"])
@pytest.mark.parametrize("own", [Scaler(-10, 95), Scaler((-10.0,), (95.0,))])
def test_integers_do_not_run_over(dtype, own):
    codes = np.array([0, 1, 100, 127 if dtype == "int8" else 250]).astype(dtype).reshape(1, 2, 2)
    for values in (codes, torch.from_numpy(codes)):
        np.testing.assert_allclose(own.to_model(values), (codes.astype(float) + 10) / 95, rtol=1e-6)
        np.testing.assert_allclose(own.to_physical(values), codes.astype(float) * 95 - 10, rtol=1e-6)
        assert str(own.to_model(values).dtype).rpartition(".")[2].startswith("float")
    assert Scaler(-10, 95).to_model(np.uint8(250)) == pytest.approx(260 / 95)


STATISTICS = np.array([1.5, -3.0])
KINDS = {
    "array": STATISTICS,
    "float32": STATISTICS.astype(np.float32),
    "tensor": torch.from_numpy(STATISTICS),
    "numbers of NumPy": tuple(STATISTICS.astype(np.float32)),
    "tensors": list(torch.from_numpy(STATISTICS)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_statistics_of_channels_are_pythons_own_numbers(kind):
    own = Scaler(KINDS[kind], KINDS[kind], np.array(["K", "m"]))
    assert own == Scaler((1.5, -3.0), (1.5, -3.0), ("K", "m"))
    assert {type(each) for each in own.offset + own.scale} == {float}
    assert DataSpec.of(SequenceWindows(np.zeros((3, 2, 4, 4)), 1, 1, scaler=own)).scaler() == own
    assert type(Scaler(np.float32(2), torch.tensor(3)).offset) is float


@given(st.integers(1, 3), st.sampled_from([1, 7, 8, 17]), st.integers(0, 9))
def test_fits_are_those_of_the_values_that_are_known(channels, length, seed):
    with patch.object(scaler, "BLOCK", 7 * channels * 4 * 8 + 1):  # 7 frames
        check_fits(channels, length, seed)


def test_few_frames_are_read_at_a_time():
    """As many as are in memory, however large they are."""

    class Asked:
        shape, most = (9, 2, 64, 64), 0

        def __getitem__(self, frames):
            part = np.random.default_rng(0).random(self.shape)[frames]
            self.most = max(self.most, len(part))
            return part

    for size, most in ((2**25, 9), (2 * 2 * 64 * 64 * 8, 2), (1, 1)):
        asked = Asked()
        with patch.object(scaler, "BLOCK", size):
            Scaler.standard(asked)
        assert asked.most == most


def check_fits(channels, length, seed):
    rng = np.random.default_rng(seed)
    values = rng.normal(280, 3, (length, channels, 2, 2)).astype(np.float32)
    values[rng.random(values.shape) < 0.2] = np.nan
    values[0, :, 0] = [1, 600]
    known = [values[:, c][~np.isnan(values[:, c])].astype(float) for c in range(channels)]
    own = Scaler.standard(values, "K")
    np.testing.assert_allclose(own.offset, [each.mean() for each in known], rtol=1e-9)
    np.testing.assert_allclose(own.scale, [each.std() for each in known], rtol=1e-9)
    for low in (0.0, -1.0):
        model = Scaler.min_max(values, low=low).to_model(values)
        np.testing.assert_allclose(np.nanmin(model, axis=(0, 2, 3)), low, atol=1e-5)
        np.testing.assert_allclose(np.nanmax(model, axis=(0, 2, 3)), 1, atol=1e-5)
    flat = values.reshape(length, -1, 2)
    whole = np.concatenate(known)
    own = Scaler.standard(flat, "K")
    assert (own.offset, own.scale, own.unit) == (pytest.approx(whole.mean()), pytest.approx(whole.std()), "K")


def test_fits_take_tensors_and_masked_arrays():
    values = np.arange(24.0).reshape(6, 2, 2)
    masked = np.ma.masked_greater(np.concatenate([values, 0 * values + 1e9]), 1e6)
    assert Scaler.min_max(masked) == Scaler.min_max(torch.from_numpy(values)) == Scaler(0.0, 23.0)


def test_scores_and_pictures_know_the_channels(tmp_path):
    target = torch.zeros(1, 1, 2, 8, 8)  # 1 K and -3 m
    prediction = target + torch.tensor([1.0, 2.0]).view(2, 1, 1)  # 3 K and -2 m
    for channels, error, csi in ((2, (2 + 1) / 2, 1 / 2), (1, 2, 1)):
        scores = Scores(thresholds=(-2.5,), scaler=TWO, metrics=["mae@physical"])
        scores.update(prediction[:, :, :channels], target[:, :, :channels])
        pooled = scores.compute().pooled
        assert (pooled["mae@physical"], pooled["csi@-2.5"]) == pytest.approx((error, csi), abs=1e-6)
    forecast_strip(target[0], target[0], prediction[0], tmp_path / "strip.png", TWO, channel=1)


@pytest.mark.parametrize(
    "values", [{"scale": 0.0}, {"scale": np.inf}, {"offset": np.nan}, {"scale": (1.0, 0.0)}, {"offset": ()}]
)
def test_numbers_that_no_scaler_has(values):
    with pytest.raises(ValueError, match=r"finite offset and a finite scale other than 0, got Scaler\("):
        Scaler(**values)


FIELD = np.random.default_rng(0).random((5, 2, 3, 3))
HALF = np.stack([FIELD[:, 0], np.full((5, 3, 3), 7.5)], axis=1)
ERRORS = [
    (lambda: Scaler((1.0, 2.0), (1.0, 2.0, 3.0)), r"tuples of one length, an entry for each channel, got Scaler\("),
    (lambda: TWO.to_model(1.0), r"2 channels needs values \(..., C, H, W\) .* got \(\); scaler.channel\(index\)"),
    (lambda: TWO.to_model(torch.zeros(3, 1, 1)), r"at most as many, got \(3, 1, 1\)"),
    (lambda: Scaler.of_channels([]), r"channels must have a scaler for each channel, at least one, got none"),
    (lambda: Scaler.of_channels([DBZ, TWO]), r"channels must be .* got Scaler\(.*\) as entry 1; scaler.channel\(i\)"),
    (lambda: Scaler.of_channels([Scaler(unit=("K",))]), r"channels must be scalers of one channel"),
    (lambda: Scaler.standard(HALF), r"Channel 1 is 7.5 everywhere.*leave it out, or .* Scaler\(offset, scale\)"),
    (lambda: Scaler.min_max(HALF), r"Channel 1 is 7.5 everywhere"),
    (lambda: Scaler.standard(FIELD * [[[[1.0]], [[np.nan]]]]), r"Channel 1 has no values to fit a scaler to"),
    (lambda: Scaler.min_max(FIELD, low=1.0), r"low must be below 1.*got 1.0"),
    (
        lambda: Scaler.standard(FIELD[0, 0]),
        r"values must be an array or tensor \(T, C, H, W\) or \(T, H, W\), got ndarray of shape \(3, 3\)",
    ),
    (lambda: Scaler.standard([FIELD, FIELD]), r"an array or tensor .* got list of shape \(\); join .* np.concatenate"),
    (lambda: Scaler("9"), r"offset of a Scaler must be a number, or one for each channel, got '9'; take the numbers"),
    (lambda: Scaler(0.0, FIELD[0]), r"scale of a Scaler must be a number, or one for each channel, got \(\(\("),
    (lambda: Scaler(0.0, (1.0, None)), r"scale of a Scaler must be a number, or one for each channel, got \(1.0, None"),
    (lambda: Scaler.standard(FIELD[:0]), r"values must be .* of shape \(0, 2, 3, 3\)"),
]


@pytest.mark.parametrize(("make", "message"), ERRORS, ids=[message for _, message in ERRORS])
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("fit", [Scaler.standard, Scaler.min_max])
def test_infinite_values_are_named(fit):
    values = np.zeros((3, 2, 2, 2))
    values[:, :, 0] = 1
    values[1, 1, 0, 0] = -np.inf
    with pytest.raises(ValueError, match=r"Channel 1 has infinite values, which no scaler fits; replace them with NaN"):
        fit(values)
