"""LPIPS against its equation written out, with small pictures and weights made here, and against its own package."""

import math
import random

import pytest
import torch
from torch.nn.functional import conv2d, max_pool2d

from stblocks import create_model
from stblocks.data import Scaler, SequenceWindows
from stblocks.score import EnsembleScores, Scores, evaluate
from stblocks.score.lpips import NETWORKS, Perceptual
from tests.tiny import Drifting, train

SMALLEST = {"alex": 31, "vgg": 16}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Random weights in files as torchvision and the authors lay them out, what is beside the features among them."""
    made = tmp_path_factory.mktemp("weights")
    generator = torch.Generator().manual_seed(0)
    for name, network in NETWORKS.items():
        with torch.device("meta"):
            features = Perceptual(name).features.state_dict()
        weights = {
            f"features.{key}": torch.randn(value.shape, generator=generator) / math.prod(value.shape[1:]) ** 0.5
            for key, value in features.items()
        }
        weights["classifier.1.weight"] = torch.zeros(3, 3)
        torch.save(weights, made / network.file.replace("*", "0a1b2c3d"))
        heads = {
            f"lin{number}.model.1.weight": torch.rand(1, channels, 1, 1, generator=generator)
            for number, channels in enumerate(network.channels)
        }
        torch.save(heads, made / network.heads, _use_new_zipfile_serialization=False)  # as old as the released ones
    return made


@pytest.fixture(autouse=True)
def given(folder, monkeypatch):
    monkeypatch.setenv("STBLOCKS_LPIPS", str(folder))


def pictures(*shape, seed=0):
    return torch.rand(2, *shape, generator=torch.Generator().manual_seed(seed))


def lpips(prediction, target, name="lpips@alex", **options):
    scores = Scores(metrics=[name], **options)
    scores.update(prediction, target)
    return scores.compute()


#: Of each convolution: its number among the features, stride, padding, sides and strides of a pooling before it, and
#: whether its output is looked at.
ALEX = [
    (0, 4, 2, (), True),
    (3, 1, 2, (3, 2), True),
    (6, 1, 1, (3, 2), True),
    (8, 1, 1, (), True),
    (10, 1, 1, (), True),
]
VGG = [
    *((0, 1, 1, (), False), (2, 1, 1, (), True)),
    *((5, 1, 1, (2, 2), False), (7, 1, 1, (), True)),
    *((10, 1, 1, (2, 2), False), (12, 1, 1, (), False), (14, 1, 1, (), True)),
    *((17, 1, 1, (2, 2), False), (19, 1, 1, (), False), (21, 1, 1, (), True)),
    *((24, 1, 1, (2, 2), False), (26, 1, 1, (), False), (28, 1, 1, (), True)),
]


def distance(folder, network, x, y):
    """Of two pictures (3, H, W) from 0 to 1, layer by layer and place by place, in double precision."""
    weights = torch.load(next(folder.glob("alexnet-*.pth" if network == "alex" else "vgg16-*.pth")))
    heads = torch.load(folder / f"{network}.pth")
    shift, scale = (
        torch.tensor(each).double().view(3, 1, 1) for each in ([-0.030, -0.088, -0.188], [0.458, 0.448, 0.450])
    )

    def looks(picture):
        x = ((2 * picture.double() - 1 - shift) / scale)[None]
        for number, stride, padding, pool, looked in ALEX if network == "alex" else VGG:
            x = max_pool2d(x, *pool) if pool else x
            weight, bias = (weights[f"features.{number}.{name}"].double() for name in ("weight", "bias"))
            x = conv2d(x, weight, bias, stride, padding).relu()
            if looked:
                yield x[0]

    total = 0.0
    for number, (one, other) in enumerate(zip(looks(x), looks(y), strict=True)):
        head = heads[f"lin{number}.model.1.weight"].flatten().double()
        pairs = list(zip(one.flatten(1).T, other.flatten(1).T, strict=True))
        for a, b in pairs:
            total += float((head * (a / a.norm() - b / b.norm()).square()).sum()) / len(pairs)
    return total


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("network", NETWORKS)
def test_agrees_with_the_equation(folder, network, channels):
    prediction, target = pictures(2, 2, channels, 37, 32)
    expected = [
        [distance(folder, network, *(each[b, t].expand(3, -1, -1) for each in (prediction, target))) for t in range(2)]
        for b in range(2)
    ]
    name = f"lpips@{network}"
    table = lpips(prediction, target, name)
    assert min(map(min, expected)) > 0.01
    by_lead = [sum(each) / 2 for each in zip(*expected, strict=True)]
    assert [row[name] for row in table.lead] == pytest.approx(by_lead, rel=1e-4)
    assert table.pooled[name] == pytest.approx(sum(by_lead) / 2, rel=1e-4)


@pytest.mark.parametrize("network", NETWORKS)
def test_is_a_distance_and_of_the_colours(network):
    prediction, target = pictures(1, 1, 3, 32, 32)
    name = f"lpips@{network}"
    apart = lpips(prediction, target, name).pooled[name]
    assert lpips(target, target, name).pooled[name] == 0
    assert lpips(target, prediction, name).pooled[name] == pytest.approx(apart, rel=1e-5)
    nearer = lpips(target + 0.1 * (prediction - target), target, name).pooled[name]
    assert 0 < nearer < 0.5 * apart
    assert lpips(prediction.flip(2), target, name).pooled[name] != pytest.approx(apart, rel=1e-3)


def test_adds_up_over_batches_and_frames_with_a_missing_cell_count_as_none():
    prediction, target = pictures(3, 40, 1, 32, 32)
    whole, parts = lpips(prediction[:2], target[:2]), Scores(metrics=["lpips@alex"])
    target[2, :, 0, 5, 5] = torch.nan
    for part in (slice(0, 1), slice(1, 3)):
        parts.update(prediction[part], target[part])
    assert parts.compute().pooled == pytest.approx(whole.pooled, rel=1e-5)
    assert [row["lpips@alex"] for row in parts.compute().lead] == pytest.approx(
        [row["lpips@alex"] for row in whole.lead], rel=1e-5
    )
    assert math.isnan(lpips(prediction[2:], target[2:]).pooled["lpips@alex"])


def test_values_of_another_range_are_brought_to_0_and_1_and_forecasts_clipped():
    prediction, target = pictures(1, 2, 1, 32, 32)
    expected = lpips(prediction, target).pooled
    kelvin = Scaler(280.0, 10.0, "K")
    pair = (kelvin.to_model(200 + 120 * each) for each in (prediction, target))
    assert lpips(*pair, scaler=kelvin, data_range=(200.0, 320.0)).pooled == pytest.approx(expected, rel=1e-4)
    assert lpips(prediction.round() * 9 - 4, target).pooled == lpips(prediction.round(), target).pooled
    with pytest.warns(UserWarning, match="LPIPS are for values from 0 to 1"):
        assert math.isnan(lpips(prediction, 255 * target).pooled["lpips@alex"])


def test_evaluate_training_and_ensembles_name_it(tmp_path):
    frames = pictures(20, 1, 32, 32)[0]
    data = SequenceWindows(frames, 3, 2)
    tables = evaluate(create_model("persistence"), data, metrics=("lpips@alex",))
    assert tables["model"].pooled["lpips@alex"] == tables["persistence"].pooled["lpips@alex"] > 0
    result = train(tmp_path, data=data, validation=data, epochs=1, metrics=("lpips@alex",), monitor="lpips@alex")
    assert result.records[-1]["persistence"]["lpips@alex"] == pytest.approx(tables["model"].pooled["lpips@alex"])
    prediction, target = pictures(1, 2, 1, 32, 32)
    scores = EnsembleScores(metrics=("lpips@alex",))
    scores.update(prediction[:, None], target)
    assert scores.compute().pooled["lpips@alex"] == lpips(prediction, target).pooled["lpips@alex"]


def test_no_random_number_is_drawn_and_nothing_is_trained(folder, tmp_path, monkeypatch):
    for path in folder.iterdir():
        (tmp_path / path.name).symlink_to(path)
    monkeypatch.setenv("STBLOCKS_LPIPS", str(tmp_path))  # not read before
    prediction, target = pictures(1, 1, 1, 32, 32)
    before, chance = torch.get_rng_state(), random.getstate()
    scores = Scores(metrics=["lpips@alex"])
    scores.update(prediction.requires_grad_(), target)
    assert torch.equal(torch.get_rng_state(), before)
    assert random.getstate() == chance
    assert not scores.state()["lpips alex"].requires_grad


@pytest.mark.parametrize("network", NETWORKS)
def test_frames_must_suit_the_network(network):
    least, name = SMALLEST[network], f"lpips@{network}"
    assert lpips(*pictures(1, 1, 1, least, least), name).pooled[name] > 0
    with pytest.raises(
        ValueError, match=rf"{name} needs frames of at least {least} x {least} pixels, got \({least - 1}, 40\)"
    ):
        lpips(*pictures(1, 1, 1, least - 1, 40), name)
    with pytest.raises(ValueError, match=f"{name} needs frames of 1 or 3 channels, got 2; leave it out of metrics="):
        lpips(*pictures(1, 1, 2, 32, 32), name)


def test_weights_must_be_given(folder, tmp_path, monkeypatch):
    pair = pictures(1, 1, 1, 32, 32)

    def says(match):
        with pytest.raises(ValueError, match=match):
            lpips(*pair)

    monkeypatch.delenv("STBLOCKS_LPIPS")
    says(
        r"lpips@alex needs weights: set the environment variable STBLOCKS_LPIPS to a folder with .*alexnet-\*.pth .*"
        r"alex.pth"
    )
    monkeypatch.setenv("STBLOCKS_LPIPS", str(tmp_path))
    says(r"must be a folder with one file alexnet-\*.pth, got none")
    whole = next(folder.glob("alexnet-*.pth"))
    for number in range(2):
        (tmp_path / f"alexnet-{number}.pth").symlink_to(whole)
    says("got alexnet-0.pth, alexnet-1.pth")
    (tmp_path / "alexnet-1.pth").unlink()
    says("must be a folder with one file alex.pth, got none")
    (tmp_path / "alex.pth").write_bytes(b"nonsense")
    says("alex.pth cannot be read as weights that torch.save has written")
    torch.save([1], tmp_path / "alex.pth")
    says("alex.pth cannot be read as weights")
    (tmp_path / "alex.pth").unlink()
    (tmp_path / "alex.pth").symlink_to(folder / "vgg.pth")
    says(r"alex.pth holds the weights of another model: 1.weight is \(1, 128, 1, 1\), not \(1, 192, 1, 1\)")
    data = SequenceWindows(pictures(20, 1, 32, 32)[0], 3, 2)
    for validation, match in (
        (data, "cannot score validation_data: .*alex.pth holds"),
        (Drifting(5), "at least 31 x 31"),
    ):
        with pytest.raises(ValueError, match=f"This run cannot start: metrics .*{match}"):
            train(tmp_path / "run", validation=validation, metrics=("lpips@alex",))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.filterwarnings("ignore:.*pretrained:UserWarning", "ignore:Arguments other than a weight:UserWarning")
def test_agreement_with_the_package_of_the_authors(network, tmp_path, monkeypatch):
    package = pytest.importorskip("lpips", reason="lpips is not installed")
    torch.manual_seed(0)
    theirs = package.LPIPS(net=network, pnet_rand=True, verbose=False)  # of its own it downloads the network's weights
    own = NETWORKS[network]
    weights = {f"features.{name.split('.', 1)[1]}": value for name, value in theirs.net.state_dict().items()}
    torch.save(weights, tmp_path / own.file.replace("*", "random"))
    released = next(iter(package.__path__)) + f"/weights/v0.1/{own.heads}"
    (tmp_path / own.heads).symlink_to(released)
    monkeypatch.setenv("STBLOCKS_LPIPS", str(tmp_path))
    prediction, target = pictures(2, 3, 3, 48, 64)
    found = lpips(prediction, target, f"lpips@{network}").pooled[f"lpips@{network}"]
    with torch.no_grad():
        expected = theirs(prediction.flatten(0, 1), target.flatten(0, 1), normalize=True).mean()
    assert found == pytest.approx(float(expected), rel=1e-5)
    assert found > 1e-4
