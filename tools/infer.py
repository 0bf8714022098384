"""Restore and recognize images: ``python tools/infer.py INPUT --config CONFIG --checkpoint CHECKPOINT --out-dir DIR``.

Exit code 0: all images are done; 1: some or all are not, each is named with the reason; 2: the command itself is wrong.
"""

import argparse

from mmengine.config import DictAction

from sr4ir_mm.errors import run_tool
from sr4ir_mm.utils.images import MAX_PIXELS, list_images, make_writable


def parse_args(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Restore and recognize images')
    parser.add_argument('inputs', nargs='+', metavar='INPUT', help='paths or URLs of images, or folders of images')
    parser.add_argument(
        '--config',
        help='path of a config, or name of one in configs/; default: that of the checkpoint, '
        'which needs --trust-checkpoint',
    )
    parser.add_argument('--checkpoint', help='path or URL of the checkpoint')
    parser.add_argument(
        '--trust-checkpoint',
        action='store_true',
        help='read checkpoints by torch.load, which can run any code of their makers',
    )
    parser.add_argument(
        '--onnx', help='a graph of tools/deployment/export_onnx.py, to run instead of restorer or cascade'
    )
    parser.add_argument('--out-dir', required=True, help='folder of the results')
    parser.add_argument('--degrade', action='store_true', help='the images are clean: degrade them first')
    parser.add_argument('--batch-size', type=int, default=1, help='images in a batch; default: %(default)s')
    parser.add_argument('--device', help='for example cpu or cuda:0; default: a GPU where there is one')
    parser.add_argument(
        '--tile',
        type=int,
        default=256,
        help='side of the pieces that a large image is restored in, in pixels of the '
        'low-resolution image; 0: all at once; default: %(default)s',
    )
    parser.add_argument(
        '--overlap',
        type=int,
        default=32,
        help='pixels around each tile that are read too and cut off afterwards; default: %(default)s',
    )
    parser.add_argument(
        '--coordinates',
        choices=['sr', 'lr'],
        default='sr',
        help='image in whose pixels boxes are given; default: %(default)s',
    )
    parser.add_argument(
        '--no-panel',
        action='store_true',
        help='draw no picture of inputs, results and predictions; without a ' 'checkpoint there is none',
    )
    parser.add_argument(
        '--max-pixels', type=int, default=MAX_PIXELS, help='larger images are refused; default: %(default)s'
    )
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, default={}, help='override settings of the config, KEY=VALUE'
    )
    return parser.parse_args(argv)


def main(argv=None) -> None:
    args = parse_args(argv)
    # what can be known to be wrong, before the model is loaded
    make_writable(args.out_dir)
    inputs = list_images(args.inputs)
    from sr4ir_mm.apis import CascadeInferencer

    inferencer = CascadeInferencer(
        args.config,
        args.checkpoint,
        args.device,
        cfg_options=args.cfg_options,
        onnx=args.onnx,
        trust_checkpoint=args.trust_checkpoint,
    )
    results = inferencer.stream(
        inputs,
        batch_size=args.batch_size,
        out_dir=args.out_dir,
        degrade=args.degrade,
        tile=args.tile or None,
        overlap=args.overlap,
        coordinates=args.coordinates,
        panel=not args.no_panel and args.checkpoint is not None,
        max_pixels=args.max_pixels,
    )
    errors = [result.error for result in results if result.error]
    print(f'{len(inputs) - len(errors)} of {len(inputs)} images are done; the results are in {args.out_dir}.')
    if errors:
        raise SystemExit('\n'.join(f'error: {error}' for error in errors))


if __name__ == '__main__':
    run_tool(main)
