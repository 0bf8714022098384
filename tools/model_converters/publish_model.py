"""Make a checkpoint ready to be published: ``python tools/model_converters/publish_model.py IN.pth OUT.pth``."""

import argparse

from sr4ir_mm.checkpoints import trust_checkpoints
from sr4ir_mm.checkpoints.export import publish
from sr4ir_mm.config import check_file
from sr4ir_mm.errors import run_tool


def parse_args(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Keep only weights and meta of a checkpoint, and add its hash to the name'
    )
    parser.add_argument('checkpoint', help='any checkpoint')
    parser.add_argument('out', help='*.pth or *.safetensors; date and hash are added before the suffix')
    parser.add_argument(
        '--trust-checkpoint',
        action='store_true',
        help='read checkpoints by torch.load, which can run any code of their makers',
    )
    return parser.parse_args(argv)


def main(argv=None) -> None:
    args = parse_args(argv)
    check_file(args.checkpoint, 'IN')
    with trust_checkpoints(args.trust_checkpoint):
        print(publish(args.checkpoint, args.out))


if __name__ == '__main__':
    run_tool(main)
