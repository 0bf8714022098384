"""Measure this package against the reference's iteration: ``python tools/analysis/benchmark.py [iteration …]``.

The reference iteration is the one of SR4IR's published code, with the same networks, weights and data: the second
restoration builds a graph that is thrown away, the whole recognizer with its heads runs for the TDP loss, the three
losses of the second phase are summed and go backward together, in float32 and without channels-last.

Each variant is a process of its own, and they take turns: what disturbs the machine disturbs all. Times are medians,
and ratios are medians of the ratios within a turn. Everything is written to the folder ``--out`` as CSV, Markdown and
PNG.
"""

import argparse
import csv
import json
import multiprocessing
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Callable, Dict, List, Sequence

import torch
from benchmark_sides import ROOT, Case, Side

from sr4ir_mm.utils.files import write_at_once

VOC_DETECTION = 'sr4ir/faster-rcnn_{}_x4_voc.py'
CASES = {
    'EDSR + ResNet-18': Case('sr4ir/resnet18_edsr_x4_cub.py', 224, 4),
    'SwinIR-M + ResNet-18': Case('sr4ir/resnet18_swinir_x4_cub.py', 224, 1),
    'EDSR + DeepLabV3-MobileNetV3': Case('sr4ir/deeplabv3_edsr_x4_voc.py', 256, 2),
    'SwinIR-M + DeepLabV3-MobileNetV3': Case('sr4ir/deeplabv3_swinir_x4_voc.py', 192, 2),
    'EDSR + Faster R-CNN-MobileNetV3-FPN': Case(VOC_DETECTION.format('edsr'), 256, 1),
    'SwinIR-M + Faster R-CNN-MobileNetV3-FPN': Case(VOC_DETECTION.format('swinir'), 192, 1),
}
VARIANTS = {
    'reference': dict(variant='reference'),
    'float32': dict(variant='float32'),
    'bfloat16': dict(variant='bfloat16'),
}
#: one key of ours against the same without it
OPTIONS = {
    'channels_last=[]': dict(variant='bfloat16', channels_last=[]),
    'conv_bn_eval=False': dict(variant='bfloat16', conv_bn_eval=False),
    'cpu_ops=False': dict(variant='bfloat16', cpu_ops=False, channels_last=['restorer']),
    'activation_checkpointing': dict(variant='bfloat16', activation_checkpointing=['restorer']),
    'compile=dict(restorer=dict())': dict(variant='bfloat16', compile=dict(restorer=dict())),
    'compile=dict(recognizer=dict())': dict(variant='bfloat16', compile=dict(recognizer=dict())),
}


class Worker:
    """A side in a process of its own, which does what it is asked for."""

    def __init__(self, case: Case, **arguments) -> None:
        context = multiprocessing.get_context('spawn')
        self._connection, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other, case, arguments), daemon=True)
        self._process.start()
        other.close()  # so that the end of the process is noticed here
        #: how long the first iteration took; the next worker begins behind it
        self.first = self.ask('seconds')

    def ask(self, method: str):
        """Call a method of the side."""
        try:
            self._connection.send(method)
            return self._connection.recv()
        except (EOFError, OSError):
            raise SystemExit('error: a process of the benchmark has ended; its message is above.') from None

    def stop(self) -> None:
        self._connection.close()
        self._process.join()


def _serve(connection, case: Case, arguments: dict) -> None:
    os.environ['TORCHINDUCTOR_COMPILE_THREADS'] = '1'  # a daemon must not have processes of its own
    side = Side(case, **arguments)
    while True:
        try:
            method = connection.recv()
        except EOFError:
            return
        connection.send(getattr(side, method)())


def in_turns(workers: Dict[str, Worker], method: str, repeats: int) -> Dict[str, List[float]]:
    """What each worker says, one after the other, so many times behind a first one that is forgotten."""
    rounds = [[worker.ask(method) for worker in workers.values()] for _ in range(repeats + 1)][1:]
    return dict(zip(workers, map(list, zip(*rounds))))


def ratio(first: Sequence[float], second: Sequence[float]) -> float:
    return round(statistics.median(a / b for a, b in zip(first, second)), 2)


def write(rows: List[dict], out: Path, name: str) -> None:
    """As CSV and Markdown."""
    with open(out / f'{name}.csv', 'w', newline='') as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    lines = ['| ' + ' | '.join(rows[0]) + ' |', '|' + '---|' * len(rows[0])]
    lines += ['| ' + ' | '.join(map(str, row.values())) + ' |' for row in rows]
    (out / f'{name}.md').write_text('\n'.join(lines) + '\n')


def figure(size, out: Path, name: str, draw: Callable) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    picture = Figure(figsize=size, layout='constrained')
    FigureCanvasAgg(picture)
    draw(picture)
    for axes in picture.axes:
        axes.spines[['top', 'right']].set_visible(False)
    picture.savefig(out / f'{name}.png', dpi=150)


# ---------- the measurements


def iteration(args: argparse.Namespace) -> None:
    """Time and memory of an iteration, where its time goes, and inference, for each case."""
    rows, parts, inference = [], [], []
    for name in args.cases:
        case = CASES[name]
        workers = {variant: Worker(case, **arguments) for variant, arguments in VARIANTS.items()}
        times = in_turns(workers, 'seconds', args.repeats)
        memory = {variant: worker.ask('memory') for variant, worker in workers.items()}
        for variant in workers:
            rows.append(
                {
                    'networks': name,
                    'side': case.side,
                    'batch': case.batch,
                    'variant': variant,
                    'seconds per image': round(statistics.median(times[variant]) / case.batch, 3),
                    'time: reference / this': ratio(times['reference'], times[variant]),
                    **{f'{kind} (MiB)': round(size) for kind, size in memory[variant].items()},
                    **{
                        f'{kind}: reference / this': round(memory['reference'][kind] / size, 2)
                        for kind, size in memory[variant].items()
                    },
                }
            )
            print(json.dumps(rows[-1], ensure_ascii=False), flush=True)
        for variant in ('float32', 'bfloat16'):
            seconds = [workers[variant].ask('breakdown') for _ in range(3)]
            total = sum(sum(each.values()) for each in seconds)
            parts.append(
                {
                    'networks': name,
                    'variant': variant,
                    **{
                        part: f'{sum(each.get(part, 0.) for each in seconds) / total:.0%}'
                        for part in ('restorer', 'recognizer', 'loss', 'optimizer', 'data', 'rest')
                    },
                }
            )
        times = in_turns(workers, 'inference_seconds', args.repeats)
        for variant in workers:
            inference.append(
                {
                    'networks': name,
                    'side of sr': case.side,
                    'batch': case.batch,
                    'variant': variant,
                    'seconds per batch': round(statistics.median(times[variant]), 3),
                    'images per second': round(case.batch / statistics.median(times[variant]), 2),
                    'time: reference / this': ratio(times['reference'], times[variant]),
                }
            )
        for worker in workers.values():
            worker.stop()
        write(rows, args.out, 'iteration')
        write(parts, args.out, 'parts')
        write(inference, args.out, 'inference')

    draw_iteration(rows, args.out)


def draw_iteration(rows: List[dict], out: Path) -> None:
    """The ratios of all networks as bars."""
    names = list(dict.fromkeys(row['networks'] for row in rows))
    labels = {'time': 'time', 'process': 'peak memory', 'without libraries': 'peak memory without libraries'}

    def draw(picture) -> None:
        for axes, key in zip(picture.subplots(1, 3, sharey=True), labels):
            for index, name in enumerate(names):
                for row in rows:
                    if row['networks'] == name and row['variant'] != 'reference':
                        low = row['variant'] == 'bfloat16'
                        axes.barh(
                            index + (0.2 if low else -0.2),
                            row[f'{key}: reference / this'],
                            0.38,
                            color='tab:orange' if low else 'tab:blue',
                            label='' if index else row['variant'],
                        )
            axes.axvline(1, color='black', linewidth=0.8)
            axes.set_xlabel(f'{labels[key]},\nreference ÷ this package')
        axes = picture.axes[0]
        axes.set_yticks(range(len(names)), names)
        axes.invert_yaxis()
        picture.legend(*axes.get_legend_handles_labels(), loc='outside upper center', ncols=2, frameon=False)

    figure((10, 0.9 + 0.55 * len(names)), out, 'iteration', draw)


def options(args: argparse.Namespace) -> None:
    """What each key changes, in bfloat16."""
    rows = []
    for name in args.cases:
        variants = {'as it is': dict(variant='bfloat16'), **{key: OPTIONS[key] for key in args.changes}}
        if 'ResNet' in name:
            variants.pop('cpu_ops=False', None)
        workers = {key: Worker(CASES[name], **arguments) for key, arguments in variants.items()}
        times = in_turns(workers, 'seconds', args.repeats)
        memory = {key: worker.ask('memory') for key, worker in workers.items()}
        for key, worker in workers.items():
            worker.stop()
            rows.append(
                {
                    'networks': name,
                    'change': key,
                    'first iteration (s)': round(worker.first, 1),
                    'seconds per iteration': round(statistics.median(times[key]), 3),
                    'process (MiB)': round(memory[key]['process']),
                    'time: as it is / changed': ratio(times['as it is'], times[key]),
                }
            )
            print(json.dumps(rows[-1], ensure_ascii=False), flush=True)
        write(rows, args.out, 'options')


def growth(args: argparse.Namespace) -> None:
    """How time and memory of an iteration grow with images, batch, scale and processes."""
    base = CASES['EDSR + ResNet-18']
    eight = Case('sr4ir/resnet18_edsr_x8_cub.py', 224, 2)
    cases = {
        'image area (224² pixels), batch 1': [
            (side**2 / 224**2, base._replace(side=side, batch=1)) for side in (112, 160, 224, 320)
        ],
        'batch, 224×224': [(batch, base._replace(batch=batch)) for batch in (1, 2, 4, 8)],
        'scale, 224×224, batch 2': [(4, base._replace(batch=2)), (8, eight)],
    }
    rows = []
    for axis, points in cases.items():
        workers = {x: Worker(case, variant='float32') for x, case in points}
        times = in_turns(workers, 'seconds', args.repeats)
        for x, worker in workers.items():
            total, there = worker.ask('live_bytes')
            worker.stop()
            rows.append(
                {
                    'axis': axis,
                    'x': round(x, 2),
                    'seconds per iteration': round(statistics.median(times[x]), 3),
                    'tensors (MiB)': round((total - there) / 2**20),
                }
            )
            print(json.dumps(rows[-1], ensure_ascii=False), flush=True)
        write(rows, args.out, 'growth')
    for number in (1, 2):
        rows.append(
            {
                'axis': 'processes of one thread (gloo), batch 1 each, 160×160',
                'x': number,
                'seconds per iteration': round(_parallel(number, args.repeats), 3),
                'tensors (MiB)': '',
            }
        )
        print(json.dumps(rows[-1], ensure_ascii=False), flush=True)
    write(rows, args.out, 'growth')
    draw_growth(rows, args.out)


def draw_growth(rows: List[dict], out: Path) -> None:
    """Time and memory along each axis."""

    def draw(picture) -> None:
        names = list(dict.fromkeys(row['axis'] for row in rows))
        for axes, name in zip(picture.subplots(2, 2).flat, names):
            points = [row for row in rows if row['axis'] == name]
            x = [row['x'] for row in points]
            for key, color in (('seconds per iteration', 'tab:blue'), ('tensors (MiB)', 'tab:orange')):
                values = [row[key] for row in points]
                if values[0] != '':
                    axes.plot(x, values, 'o-', color=color)
                    axes.set(xlim=(0, 1.05 * max(x)), ylim=(0, 1.1 * max(values)))
                    axes.set_ylabel(key, color=color)
                axes.set_xlabel(name)
                axes = axes.twinx() if key == 'seconds per iteration' and points[0]['tensors (MiB)'] != '' else axes

    figure((9, 6), out, 'growth', draw)


def _parallel(number: int, repeats: int) -> float:
    """Seconds of an iteration of so many processes, each with a batch of its own."""
    context = multiprocessing.get_context('spawn')
    queue = context.SimpleQueue()
    processes = [
        context.Process(target=_train_in_parallel, args=(rank, number, repeats, queue)) for rank in range(number)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        if process.exitcode:
            raise SystemExit('error: a process of the benchmark has ended; its message is above.')
    return queue.get()


def _train_in_parallel(rank: int, number: int, repeats: int, queue) -> None:
    from sr4ir_mm.engine import CascadeDistributedDataParallel

    os.environ.update(MASTER_ADDR='127.0.0.1', MASTER_PORT='29533')
    torch.set_num_threads(1)
    torch.distributed.init_process_group('gloo', rank=rank, world_size=number)
    side = Side(CASES['EDSR + ResNet-18']._replace(side=160, batch=1), 'float32')
    wrapped = CascadeDistributedDataParallel(side.model)
    side.iteration = lambda: wrapped.train_step(side._copy_batch(), side.optim_wrapper)
    times = [side.seconds() for _ in range(repeats + 1)][1:]
    if rank == 0:
        queue.put(statistics.median(times))
    torch.distributed.barrier()


def cards(args: argparse.Namespace) -> None:
    """Which batch of a recipe's crop fits which card: computed from what the tensors of an iteration take on a CPU."""
    # the side of what training sees, and that of what is measured, from which the former is computed by its area; a
    # detector enlarges each image to one size, so it gets the side of VOC's images of 500×375
    sides = {
        'EDSR + ResNet-18': (224, 224),
        'SwinIR-M + ResNet-18': (224, 224),
        'EDSR + DeepLabV3-MobileNetV3': (480, 224),
        'SwinIR-M + DeepLabV3-MobileNetV3': (480, 224),
        'EDSR + Faster R-CNN-MobileNetV3-FPN': (432, 432),
    }
    rows = []
    for name, (crop, side) in sides.items():
        for variant in ('float32', 'bfloat16'):
            # batch norm behind a global pool needs two images; more would not fit into some machines
            worker = Worker(CASES[name]._replace(side=side, batch=max(2, CASES[name].batch)), variant=variant)
            fixed, each = worker.ask('bytes_per_image')
            worker.stop()
            each *= (crop / side) ** 2
            row = {
                'networks': name,
                'crop': crop,
                'variant': variant,
                'weights, gradients, optimizers (MiB)': round(fixed / 2**20),
                'each image (MiB)': round(each / 2**20),
            }
            for card in (8, 16, 24, 48, 80):
                # the CUDA context, libraries' workspaces and what the allocator cannot use
                free = card * 2**30 * 0.9 - 2**30 - fixed
                row[f'batch on {card} GB'] = int(free // each)
            rows.append(row)
            print(json.dumps(row, ensure_ascii=False), flush=True)
        write(rows, args.out, 'cards')


def profile(args: argparse.Namespace) -> None:
    """What an iteration is spent on, by operation."""
    text = ''
    for name in args.cases:
        worker = Worker(CASES[name], variant=args.variant)
        text += f'{name}\n{worker.ask("profile")}\n'
        worker.stop()
    print(text)
    write_at_once(args.out / 'profile.txt', text.encode())


def loading(args: argparse.Namespace) -> None:
    """Reading photographs of VOC's size, of which JPEG files are decoded each time, or once."""
    import cv2
    import numpy as np

    from sr4ir_mm.registry import TRANSFORMS

    count, rng = 64, np.random.RandomState(0)
    load = dict(type='sr4ir_mm.LoadImage')
    ways = {'LoadImageFromFile': load, 'Cached': dict(type='sr4ir_mm.Cached', transforms=[load])}
    transforms = {name: TRANSFORMS.build(cfg) for name, cfg in ways.items()}
    times: Dict[str, List[float]] = {name: [] for name in ways}
    with tempfile.TemporaryDirectory() as folder:
        for index in range(count):
            coarse = rng.randint(0, 256, (24, 32, 3), dtype=np.uint8)
            cv2.imwrite(f'{folder}/{index}.jpg', cv2.resize(coarse, (500, 375), interpolation=cv2.INTER_CUBIC))
        for _ in range(args.repeats + 1):
            for name, transform in transforms.items():
                start = time.perf_counter()
                for index in range(count):
                    transform(dict(img_path=f'{folder}/{index}.jpg', sample_idx=index))
                times[name].append(time.perf_counter() - start)
    rows = [
        {
            'transform': name,
            'milliseconds per image': round(1000 * statistics.median(each[1:]) / count, 2),
            'ratio': ratio(times['LoadImageFromFile'][1:], each[1:]),
        }
        for name, each in times.items()
    ]
    print(json.dumps(rows), flush=True)
    write(rows, args.out, 'loading')


IMPORTS = 'import torch, mmcv.ops, mmengine.runner, mmseg.datasets, mmseg.models, mmseg.evaluation, mmagic.models'


def startup(args: argparse.Namespace) -> None:
    """From the start of the process to the end of the first iteration of the demo, against importing the libraries."""
    config = ROOT / 'configs/demo/sr4ir_fpn_edsr_x4_demo.py'
    commands = dict(
        imports=[sys.executable, '-W', 'ignore', '-c', IMPORTS],
        first=[sys.executable, '-W', 'ignore', __file__, '_first_iteration', '--config', str(config)],
    )
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join([str(ROOT), os.environ.get('PYTHONPATH', '')]))
    times: Dict[str, List[float]] = {name: [] for name in commands}
    for _ in range(args.repeats + 1):
        for name, command in commands.items():
            start = os.times().elapsed
            subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
            times[name].append(os.times().elapsed - start)
    rows = [
        {
            'what': what,
            'seconds': round(statistics.median(times[key][1:]), 2),
            'ratio': ratio(times[key][1:], times['imports'][1:]),
        }
        for key, what in dict(
            imports=f'`{IMPORTS}`', first='tools/train.py of the demo, to its first iteration'
        ).items()
    ]
    print(json.dumps(rows, ensure_ascii=False), flush=True)
    write(rows, args.out, 'startup')


def _first_iteration(args: argparse.Namespace) -> None:
    from mmengine.hooks import Hook

    sys.path.insert(0, str(ROOT / 'tools'))
    import train

    def stop(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        os._exit(0)

    Hook.after_train_iter = stop  # of the first hook that does not have its own
    train.main([args.config, '--work-dir', str(args.out / 'startup')])


MEASUREMENTS = dict(
    iteration=iteration, options=options, growth=growth, cards=cards, loading=loading, startup=startup, profile=profile
)


def machine() -> str:
    """What it was measured on."""
    try:
        text = Path('/proc/cpuinfo').read_text()
        name = text.split('model name\t: ')[1].splitlines()[0]
        bf16 = ', AMX' * ('amx_bf16' in text) or ', AVX-512 bf16' * ('avx512_bf16' in text)
    except (OSError, IndexError):
        name, bf16 = platform.processor(), ''
    gpu = f', {torch.cuda.get_device_name()}' if torch.cuda.is_available() else ', no GPU'
    return (
        f'{name}{bf16}, {torch.get_num_threads()} threads{gpu}; torch {torch.__version__}, Python '
        f'{platform.python_version()}'
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        'what', nargs='*', metavar='MEASUREMENT', help=f'default: all of them: {", ".join(MEASUREMENTS)}'
    )
    parser.add_argument('--cases', nargs='+', choices=list(CASES), default=list(CASES), metavar='NETWORKS')
    parser.add_argument(
        '--changes', nargs='+', choices=list(OPTIONS), default=list(OPTIONS), help='changes that `options` measures'
    )
    parser.add_argument('--repeats', type=int, default=5, help='iterations that are measured; default: %(default)s')
    parser.add_argument(
        '--variant',
        choices=list(VARIANTS),
        default='bfloat16',
        help='variant that `profile` measures; default: %(default)s',
    )
    parser.add_argument('--out', type=Path, default=Path('work_dirs/benchmark'), help='folder of the results')
    parser.add_argument('--config', help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    if args.what == ['_first_iteration']:
        return _first_iteration(args)
    for name in args.what or MEASUREMENTS:
        if name not in MEASUREMENTS:
            parser.error(f'{name} is not a measurement; allowed: {", ".join(MEASUREMENTS)}')
    write_at_once(args.out / 'machine.txt', f'{machine()}\n'.encode())
    for name in args.what or MEASUREMENTS:
        MEASUREMENTS[name](args)


if __name__ == '__main__':
    main()
