"""Write a model as an ONNX graph: ``python tools/deployment/export_onnx.py CONFIG CHECKPOINT OUT.onnx --part cascade``.

The graph takes images of any size; it is compared with PyTorch, by onnxruntime, at three sizes.
"""

import argparse
from pathlib import Path

from mmengine.config import DictAction

from sr4ir_mm.config import check_file
from sr4ir_mm.errors import ConfigError, run_tool
from sr4ir_mm.utils.images import make_writable

#: the largest difference from PyTorch that is accepted, relative to nothing: images are in [0, 1], logits some units
TOLERANCE = 1e-4


def parse_args(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Write a model as an ONNX graph')
    parser.add_argument('config', help='path of the config, or name of one in configs/')
    parser.add_argument('checkpoint', help='path of the checkpoint')
    parser.add_argument('out', help='the file to write')
    parser.add_argument(
        '--part',
        choices=['restorer', 'cascade'],
        default='restorer',
        help='what to export; the whole cascade with a ' 'segmentor or classifier only; default: %(default)s',
    )
    parser.add_argument(
        '--trust-checkpoint',
        action='store_true',
        help='read checkpoints by torch.load, which can run any code of their makers',
    )
    parser.add_argument('--size', type=int, default=32, help='side of the image that is traced; default: %(default)s')
    parser.add_argument('--opset', type=int, default=17, help="version of ONNX's operators; default: %(default)s")
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, default={}, help='override settings of the config, KEY=VALUE'
    )
    return parser.parse_args(argv)


def main(argv=None) -> None:
    args = parse_args(argv)
    check_file(args.checkpoint, 'CHECKPOINT')
    make_writable(Path(args.out).absolute().parent)
    from sr4ir_mm.apis import CascadeInferencer
    from sr4ir_mm.apis.onnx import export_onnx

    inferencer = CascadeInferencer(
        args.config, args.checkpoint, 'cpu', cfg_options=args.cfg_options, trust_checkpoint=args.trust_checkpoint
    )
    difference = export_onnx(inferencer.model, args.out, args.part, dict(config=args.config), args.size, args.opset)
    if not difference <= TOLERANCE:
        Path(args.out).unlink()
        raise ConfigError(
            f'The graph differs from PyTorch by {difference:.2g}, more than {TOLERANCE:g}, and was removed. '
            'Often a part of the network makes numbers of sizes while it is traced.'
        )
    print(f'{args.out}: the {args.part}, different from PyTorch by at most {difference:.2g}.')


if __name__ == '__main__':
    run_tool(main)
