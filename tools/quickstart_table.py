"""The quick start's table: ``python tools/quickstart_table.py FOLDER SEED [SEED …]``, as tools/quickstart.sh calls it.

Reads what the tests of its runs have written; writes results.jsonl, a line for each run; prints mean, lowest, highest.
"""

import json
import statistics
import sys
from pathlib import Path
from typing import List, Sequence

CONFIG = 'configs/demo/sr4ir_fpn_edsr_x4_demo.py'
TITLES = {'l2t': 'bilinear (L→T)', 'sr4ir': 'SR4IR'}  # by protocol


def read(folder: Path, seeds: Sequence[int]) -> List[dict]:
    """Return one line for each run: its config, protocol and seed, what it ran on, and its metrics."""
    import torch

    setting = dict(
        torch=torch.__version__, threads=torch.get_num_threads(), cpu=torch.backends.cpu.get_cpu_capability()
    )
    lines = []
    for protocol in TITLES:
        for seed in seeds:
            run = folder / (protocol + (f'_seed_{seed}' if seed else ''))
            metrics = json.loads((run / 'test.json').read_text())['metrics']
            lines.append(dict(config=CONFIG, protocol=protocol, seed=seed, **setting, metrics=metrics))
    return lines


def table(lines: Sequence[dict]) -> str:
    """Return mean, and lowest and highest where there are several, of each method."""

    def cell(values, digits, unit=''):
        mean = f'{statistics.mean(values):.{digits}f}{unit}'
        return mean + (f' ({min(values):.{digits}f} to {max(values):.{digits}f})' if len(values) > 1 else '')

    rows = ['| method | mIoU | PSNR |', '|---|---|---|']
    for protocol, title in TITLES.items():
        found = [line['metrics'] for line in lines if line['protocol'] == protocol]
        rows.append(
            f'| {title} | {cell([each["mIoU"] for each in found], 1)} | '
            f'{cell([each["PSNR"] for each in found], 2, " dB")} |'
        )
    return '\n'.join(rows) + '\n'


def main() -> None:
    folder, seeds = Path(sys.argv[1]), [int(seed) for seed in sys.argv[2:]]
    lines = read(folder, seeds)
    (folder / 'results.jsonl').write_text(''.join(json.dumps(line) + '\n' for line in lines))
    print(f'\n{table(lines)}\nRaw results: {folder / "results.jsonl"}')


if __name__ == '__main__':
    main()
