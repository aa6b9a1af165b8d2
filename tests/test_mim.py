"""MIM: what differs at the first step, and how differences climb."""

import pytest
import torch

from stblocks import MIM, MIMN, Cell, RecurrentStack, STConvLSTM, UpperMIMN, create_model


def stack(peephole_size=None):
    torch.manual_seed(0)
    options = {"kernel_size": 3, "peephole_size": peephole_size}
    layers = [Cell(STConvLSTM(2, 4, kernel_size=3))]
    layers += [Cell(changes, MIM(4, 4, **options)) for changes in (MIMN(4, 4, **options), UpperMIMN(4, **options))]
    made = RecurrentStack(layers).double()
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return made


def test_no_differences_at_the_first_step():
    x = torch.randn(2, 2, 5, 4, dtype=torch.float64)
    model = stack()
    _, state = model(x)
    for layer in state["layers"][1:]:
        assert not layer["n"].any()
        assert not layer["k"].any()
        assert layer["started"].all()
    below = state["layers"][0]["h"]
    assert torch.equal(state["layers"][1]["previous"], below)
    _, state = model(x, state)
    assert all(layer["n"].any() for layer in state["layers"][1:])


def test_upper_layers_see_the_differences_of_the_one_below():
    x, model = torch.randn(1, 2, 4, 4, dtype=torch.float64), stack()
    seen = []
    model.layers[2].stages[0].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    _, state = model(x)
    _, state = model(-x, state)
    assert torch.equal(seen[1], state["layers"][1]["n"])


def test_a_sample_may_start_while_another_goes_on():
    x, model = torch.randn(2, 2, 4, 3, dtype=torch.float64), stack()
    fresh = model.init_state(x)
    _, going = model(x)

    def mix(a, b):
        return torch.stack([a[0], b[1]])

    mixed = {
        "layers": [
            {k: mix(one[k], two[k]) for k in one} for one, two in zip(going["layers"], fresh["layers"], strict=True)
        ],
        "zigzag": {k: mix(going["zigzag"][k], fresh["zigzag"][k]) for k in fresh["zigzag"]},
    }
    y, (on, anew) = model(x, mixed)[0], (model(x, going)[0], model(x, fresh)[0])
    torch.testing.assert_close(y, mix(on, anew))


def test_peepholes():
    model = create_model("mim", image_size=(8, 12), channels=4, num_layers=2, patch_size=2, kernel_size=3)
    assert model(torch.rand(1, 2, 1, 8, 12), 1).shape == (1, 1, 1, 8, 12)
    with pytest.raises(ValueError, match=r"image_size=\(8, 12\), which this model is bound to"):
        model(torch.rand(1, 2, 1, 8, 8), 1)
    free = create_model("mim", channels=4, num_layers=3, patch_size=2, kernel_size=3, peephole="channel")
    assert free(torch.rand(1, 2, 1, 7, 5), 2).shape == (1, 2, 1, 7, 5)
    with pytest.raises(ValueError, match=r"maps must be of peephole_size=\(4, 4\).*got \(3, 4\)"):
        stack((4, 4))(torch.rand(1, 2, 3, 4, dtype=torch.float64))


def test_saved_models_keep_their_names():
    weights = create_model("mim", channels=4, num_layers=3).state_dict()
    for layer in (1, 2):
        own = {
            name.removeprefix(f"stack.layers.{layer}.stages.0.") for name in weights if f".{layer}.stages.0." in name
        }
        assert own == {"lstm.peephole", "lstm.peephole_o", "lstm.conv_e.weight", "lstm.conv_n.weight"}


def test_mistakes():
    with pytest.raises(ValueError, match=r"MIM reads n .*, which no stage starts; add MIMN or UpperMIMN"):
        Cell(MIM(3, 4))
    with pytest.raises(ValueError, match=r"layer 0 reads diff .*, which no lower layer writes"):
        RecurrentStack([Cell(UpperMIMN(4), MIM(4, 4))])
