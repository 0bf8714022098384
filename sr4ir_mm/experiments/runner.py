"""Run what was planned: each training and each test is a process of its own, and what is finished stays."""

from typing import Iterable, Iterator, List

from mmengine.config import Config

from sr4ir_mm.config import check_metric_weights
from sr4ir_mm.evaluation.predictions import FILE_NAMES
from sr4ir_mm.utils.files import write_json

from .plan import Plan
from .process import ROOT, import_once, start_script
from .progress import Progress
from .runs import Run


class RunFailed(RuntimeError):
    """Return what a run said last before it ended with an error."""


def run_plan(plan: Plan) -> List[str]:
    """Run what is not finished yet.

    Returns:
        A sentence for each run that failed or that starts from one that has failed; the others are finished.

    Raises:
        ConfigError: A folder has begun with another config.
    """
    finished = sum(bool(run.result) for run in plan.runs)
    if finished:
        print(f'Finished before: {finished} of {len(plan.runs)} runs.', flush=True)
    cfgs = [method.cfg for method in plan.methods.values()]
    if finished < len(plan.runs):
        check_metric_weights(cfgs)
    import_once(['sr4ir_mm.engine', *(f'{library}.models' for library in _libraries(cfgs))])
    failures = []
    with Progress(len(plan.runs), finished) as progress:
        for run in plan.runs:
            try:
                run_one(run, progress)
            except RunFailed as error:
                failures.append(str(error))
    return failures


def run_one(run: Run, progress: Progress) -> None:
    """Train and test a run, or go on with it, or leave it where it is finished.

    Raises:
        RunFailed: It ended with an error, or a run that it starts from did.
        ConfigError: Its folder has begun with another config.
    """
    missing = [source.name for source in run.sources.values() if not source.result]
    if missing:
        raise RunFailed(f'{run.name} was left out: it starts from {", ".join(missing)}')
    cfg = run.prepare()
    if run.result:
        return
    progress.start(run)
    try:
        train_and_test(run, cfg, progress)
    except RunFailed:
        progress.end('failed')
        raise
    run.finish()
    progress.end('finished')


def train_and_test(run: Run, cfg: Config, progress: Progress) -> None:
    """Train a run, or go on with it; where its training ended without a test, test it.

    One in which nothing learns is tested with the weights that its config names.
    """
    if cfg.train_cfg is None:
        execute(run, progress, 'test.py', str(run.config), '--work-dir', str(run.folder / 'test'))
        return
    work_dir = ['--work-dir', str(run.folder / 'train')]
    if not run.progress().get('finished'):
        execute(run, progress, 'train.py', str(run.config), *work_dir, '--seed', str(run.seed), '--resume')
    # settings are chosen by the images of the validation; where the test has others, the training has not seen them
    if cfg.val_dataloader != cfg.test_dataloader and 'val_metrics' not in run.progress():
        _put_validation_aside(run)
    if 'metrics' not in run.progress():
        execute(run, progress, 'test.py', str(run.config), run.checkpoint, *work_dir)


def _put_validation_aside(run: Run) -> None:
    record = run.progress()
    record['val_metrics'] = record.pop('metrics', {})
    write_json(run.record, record)
    predictions = run.folder / FILE_NAMES['metrics']
    if predictions.exists():
        predictions.replace(run.folder / FILE_NAMES['val_metrics'])


def execute(run: Run, progress: Progress, script: str, *arguments: str) -> None:
    """Run one of the tools as a process of its own, its output in the run's log.

    Raises:
        RunFailed: It ended with an error.
    """
    process = start_script(ROOT / 'tools' / script, arguments, run.log)
    try:
        while process.is_alive():
            process.join(0.2)
            progress.update()
    finally:
        # what is stopped here must not go on there
        if process.is_alive():
            process.terminate()
            process.join()
    if process.exitcode:
        lines = run.log.read_text(errors='replace').strip().splitlines()
        raise RunFailed(f'{run.name} failed: {lines[-1] if lines else "no output"} (all of it: {run.log})')


def _libraries(cfgs: Iterable[Config]) -> Iterator[str]:
    """Yield the host libraries that configs take something from."""
    text = ''.join(str(cfg.to_dict()) for cfg in cfgs)
    for library in ('mmagic', 'mmdet', 'mmpretrain', 'mmseg'):
        if f'{library}.' in text or f"'{library}'" in text:
            yield library
