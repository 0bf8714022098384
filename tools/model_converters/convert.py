"""Weights of other codebases in OpenMMLab's layout: ``python tools/model_converters/convert.py LAYOUT FILES OUT``."""
import argparse

from sr4ir_mm.checkpoints import load_checkpoint, save_checkpoint, trust_checkpoints, weights_of
from sr4ir_mm.checkpoints.converters import CONVERTERS, for_mmagic
from sr4ir_mm.utils import ConfigError, run_tool


def parse_args(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Bring weights of other codebases into the layout of OpenMMLab')
    parser.add_argument(
        'layout',
        choices=CONVERTERS,
        help=
        'edsr: EDSR-PyTorch; swinir: its authors; resnet, mobilenetv3: torchvision; sr4ir: two files, net_sr_*.pth and '
        'net_cls_*.pth of the reference for classification')
    parser.add_argument('files', nargs='+', metavar='FILE', help='the checkpoint, or both')
    parser.add_argument('out', help='where to write, *.pth or *.safetensors')
    parser.add_argument(
        '--rescale-biases',
        action='store_true',
        help='EDSR: divide the biases by 255, for img_range=1, instead of keeping the weights, for img_range=255')
    parser.add_argument(
        '--trust-checkpoint', action='store_true', help='read checkpoints that may run any code of their makers')
    return parser.parse_args(argv)


def main(argv=None) -> None:
    args = parse_args(argv)
    convert, count, of_mmagic = CONVERTERS[args.layout]
    if len(args.files) != count:
        raise ConfigError(
            f'{args.layout} takes {count} {"file" if count == 1 else "files"}, but {len(args.files)} are given.')
    options = dict(rescale_biases=True) if args.rescale_biases else {}
    if options and args.layout not in ('edsr', 'sr4ir'):
        raise ConfigError(f'--rescale-biases is of EDSR; {args.layout} keeps its biases.')
    with trust_checkpoints(args.trust_checkpoint):
        checkpoints = [load_checkpoint(file) for file in args.files]
    weights = convert(*map(weights_of, checkpoints, args.files), **options)
    save_checkpoint(dict(meta={}, state_dict=for_mmagic(weights) if of_mmagic else weights), args.out)
    print(f'{args.out}: {len(weights)} tensors')


if __name__ == '__main__':
    run_tool(main)
