"""What the command line of tools/compare.py refuses, in one sentence and before anything runs."""

import pytest

from sr4ir_mm.errors import ConfigError


def test_mistakes_are_told_before_anything_runs(run, calls, tool, tmp_path):
    with pytest.raises(ConfigError, match="--protocols is 'x'"):
        run('--protocols', 'x')
    with pytest.raises(ConfigError, match='CONFIG is missing'):
        tool('compare').main([])
    with pytest.raises(ConfigError, match="CONFIG is 'nowhere.py', which does not exist"):
        tool('compare').main(['nowhere.py'])
    with pytest.raises(ConfigError, match=r'train_dataloader\.dataset\.data_root'):
        run(extra=['train_dataloader.dataset.data_root=nowhere'])
    with pytest.raises(ConfigError, match='val_evaluator has no metric of restored images'):
        run('--protocols', 'l2t', 'sr', '--skip-metrics', 'PSNR')
    with pytest.raises(ConfigError, match='LPIPS lacks the weights of vgg16 .*no.pth'):
        run('--protocols', 'l2t', extra=['val_evaluator.1.type=sr4ir_mm.LPIPS', 'val_evaluator.1.backbone=no.pth'])
    with pytest.raises(ConfigError, match='--bootstrap is -1; allowed: 0, or a whole number from 2'):
        run('--bootstrap', '-1')
    assert calls == [] and not (tmp_path / 'out').exists()
