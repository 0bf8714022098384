"""Weights of other codebases in OpenMMLab's layout: ``python tools/model_converters/convert.py LAYOUT FILES OUT``."""

import argparse

from sr4ir_mm.checkpoints import save_checkpoint, trust_checkpoints
from sr4ir_mm.checkpoints.converters import LAYOUTS, convert_files, for_mmagic
from sr4ir_mm.errors import run_tool


def parse_args(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Convert weights of other codebases to the layout of OpenMMLab')
    parser.add_argument(
        'layout',
        choices=[*LAYOUTS, 'sr4ir'],
        help='edsr: EDSR-PyTorch; swinir: its authors; resnet, mobilenetv3, deeplabv3, faster-rcnn: torchvision; '
        'sr4ir: a cascade from net_sr_*.pth and net_seg_*.pth, net_det_*.pth or net_cls_*.pth of the reference, or '
        'from its checkpoint_*.pth, which holds both',
    )
    parser.add_argument('files', nargs='+', metavar='FILE', help='the checkpoint; for sr4ir, one or two')
    parser.add_argument('out', help='where to write, *.pth or *.safetensors')
    parser.add_argument(
        '--rescale-biases',
        action='store_true',
        help='EDSR: divide the biases by 255, for value_range=1, instead of keeping the weights, for value_range=255',
    )
    parser.add_argument(
        '--trust-checkpoint',
        action='store_true',
        help='read checkpoints by torch.load, which can run any code of their makers',
    )
    return parser.parse_args(argv)


def main(argv=None) -> None:
    args = parse_args(argv)
    with trust_checkpoints(args.trust_checkpoint):
        weights = convert_files(args.layout, args.files, args.rescale_biases)
    of_mmagic = args.layout != 'sr4ir' and LAYOUTS[args.layout].of_mmagic
    save_checkpoint(dict(meta={}, state_dict=for_mmagic(weights) if of_mmagic else weights), args.out)
    print(f'{args.out}: {len(weights)} tensors')


if __name__ == '__main__':
    run_tool(main)
