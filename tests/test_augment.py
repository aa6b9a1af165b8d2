"""Sequences are changed as a whole, within what radar can show; turns are tested with the order of draws."""

import torch
from torch.utils.data import ConcatDataset, Subset

from stblocks.data import CIKM_DBZ, Sequence
from stblocks.data.augment import jittered
from stblocks.train.order import Drawn


def sample():
    torch.manual_seed(0)
    frames = torch.rand(5, 1, 6, 6)
    frames[:, :, :2] = 0
    frames[4, 0, 5, 5] = torch.nan
    return Sequence(*frames.split([3, 2]))


def test_all_echoes_are_moved_by_one_number_and_nothing_else_is():
    before = torch.cat(sample())
    shifts = []
    for seed in range(300):
        after = torch.cat(jittered(sample(), 3.0, CIKM_DBZ, torch.Generator().manual_seed(seed)))
        assert torch.equal(after.isnan(), before.isnan())
        assert after[before == 0].eq(0).all()
        moved = CIKM_DBZ.scale * (after - before)[(before > 0) & (after > 0)]
        shifts.append(moved.mean())
        torch.testing.assert_close(moved, moved.mean().expand_as(moved), atol=1e-3, rtol=0)
        assert after[before > 0].ge(0).all()
    assert abs(torch.stack(shifts).mean()) < 0.5
    assert 2.6 < torch.stack(shifts).std() < 3.4


def test_a_draw_is_always_moved_the_same_way_and_draws_differ():
    class One:
        scaler = CIKM_DBZ

        def __getitem__(self, index):
            return sample()

    def draw(augment, seed, *position):
        return torch.cat(Drawn(One(), augment, seed, jitter=2.0)[position]).nan_to_num(-1)

    assert torch.equal(draw(True, 0, 3, 1), draw(True, 0, 3, 1))

    class Sized(One):
        def __len__(self):
            return 3

    part = Drawn(ConcatDataset([Subset(Sized(), range(2))]), False, 0, jitter=2.0)  # in the scaler's units all the same
    assert torch.equal(torch.cat(part[0, 1]).nan_to_num(-1), draw(False, 0, 0, 1))
    others = [draw(False, *where) for where in ((0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0))]
    assert all(not torch.equal(a, b) for i, a in enumerate(others) for b in others[:i])
