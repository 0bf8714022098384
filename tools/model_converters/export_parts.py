"""Take a cascade apart: ``python tools/model_converters/export_parts.py CASCADE.pth OUT_DIR``."""

import argparse

from mmengine.config import Config

from sr4ir_mm.checkpoints import trust_checkpoints
from sr4ir_mm.checkpoints.export import export_parts
from sr4ir_mm.config import check_file
from sr4ir_mm.errors import run_tool


def parse_args(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Split a cascade into checkpoints for the libraries of its parts')
    parser.add_argument('checkpoint', help='checkpoint of a cascade')
    parser.add_argument('out_dir', help='folder for recognizer.pth and restorer.pth')
    parser.add_argument('--config', help='config of the cascade: write recognizer.py and restorer.py too')
    parser.add_argument(
        '--trust-checkpoint',
        action='store_true',
        help='read checkpoints by torch.load, which can run any code of their makers',
    )
    return parser.parse_args(argv)


def main(argv=None) -> None:
    args = parse_args(argv)
    for path, key in ((args.checkpoint, 'CASCADE'), (args.config or args.checkpoint, '--config')):
        check_file(path, key)
    cfg = Config.fromfile(args.config) if args.config else None
    with trust_checkpoints(args.trust_checkpoint):
        files = export_parts(args.checkpoint, args.out_dir, cfg)
    for path in files.values():
        print(path)


if __name__ == '__main__':
    run_tool(main)
