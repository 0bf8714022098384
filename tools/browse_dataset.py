"""Look at what a config trains with: ``python tools/browse_dataset.py CONFIG --out-dir DIR``.

Each sample is a row: the image as the pipeline leaves it (HR), what the degradation makes of it (LR), the ground truth
and, where the pipeline draws a grid for it, the CQMix, with bilinear upsampling in the place of a restorer.
"""

import argparse
from pathlib import Path

import torch
from mmengine.config import DictAction
from mmengine.registry import DATASETS, init_default_scope

from sr4ir_mm.config import check_config, load_config
from sr4ir_mm.errors import ConfigError, run_tool
from sr4ir_mm.utils.images import make_writable, to_uint8, write_image


def parse_args(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Look at what a config trains with')
    parser.add_argument('config', help='path of the config')
    parser.add_argument('--out-dir', required=True, help='folder of the pictures')
    parser.add_argument('--split', choices=['train', 'val', 'test'], default='train', help='default: %(default)s')
    parser.add_argument('--num', type=int, default=8, help='number of samples; default: %(default)s')
    parser.add_argument('--seed', type=int, default=0, help='seed of crops, flips and grids; default: %(default)s')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, default={}, help='override settings of the config, KEY=VALUE'
    )
    return parser.parse_args(argv)


def drawer_of(cascade, dataset, visualizer):
    """Return what draws the samples of a data set."""
    from sr4ir_mm.datasets import annotations_follow_image
    from sr4ir_mm.visualization import PanelDrawer

    return PanelDrawer(
        cascade, dataset.metainfo, visualizer, annotations_follow_image=annotations_follow_image(dataset)
    )


@torch.no_grad()
def pictures_of(drawer, packed: dict) -> tuple:
    """Return the sample that a pipeline has packed, and its row of pictures."""
    from mmengine.dataset import pseudo_collate

    from sr4ir_mm.models.batch import Batch, blend
    from sr4ir_mm.models.restorers.interpolation import Interpolation
    from sr4ir_mm.visualization import Tile

    data = drawer.cascade.data_preprocessor(pseudo_collate([packed]), False)
    batch = Batch(drawer.cascade, data_samples=data['data_samples'], **data['inputs'])
    sample, grid = batch.data_samples[0], batch.fields.get('cqmix_grid')
    height, width = batch.sizes[0]
    hr = batch.hr[0, :, :height, :width]
    images = dict(HR=hr)
    if drawer.cascade.restorer is not None:
        images['LR'] = batch.lr[0]
        upsampled = Interpolation(drawer.cascade.scale)(batch.lr)[..., :height, :width]
        if grid is not None:
            images['CQMix (bilinear)'] = blend(upsampled, hr[None], grid[:1])[0]
    tiles = [
        Tile(drawer.enlarge(to_uint8(image), (height, width)), name, f'{image.shape[-1]}×{image.shape[-2]}')
        for name, image in images.items()
    ]
    return sample, [*tiles, *drawer.ground_truth(hr, sample)]


def main(argv=None) -> None:
    args = parse_args(argv)
    cfg = load_config(args.config, args.cfg_options)
    check_config(cfg, args.cfg_options)
    loader = cfg.get(f'{args.split}_dataloader')
    if not loader:
        raise ConfigError(f'The config has no {args.split}_dataloader.')
    out_dir = make_writable(args.out_dir)

    from mmengine.runner import set_random_seed

    from sr4ir_mm.registry import MODELS

    init_default_scope(cfg.get('default_scope', 'mmengine'))
    set_random_seed(args.seed)
    dataset = DATASETS.build(loader.dataset)
    cascade = MODELS.build(cfg.model).eval()
    drawer = drawer_of(cascade, dataset, cfg.get('visualizer'))
    rows, labels = [], set()
    step = max(1, len(dataset) // args.num)  # neighbors are often of one class
    for index in range(0, min(len(dataset), step * args.num), step):
        sample, row = pictures_of(drawer, dataset[index])
        name = Path(getattr(sample, 'img_path', f'{index}')).stem
        write_image(out_dir / f'{name}.png', drawer.compose([row], drawer.labels(sample)))
        rows.append(row)
        labels |= drawer.labels(sample)
    write_image(out_dir / 'overview.png', drawer.compose(rows, labels))
    print(f'{len(rows)} of {len(dataset)} samples are in {out_dir}, all of them in {out_dir / "overview.png"}.')


if __name__ == '__main__':
    run_tool(main)
