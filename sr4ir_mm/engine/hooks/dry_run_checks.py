"""Comparisons that a dry run makes before it computes anything, and the sentences for what fails in it."""

import os
import os.path as osp
from contextlib import contextmanager
from traceback import walk_tb
from typing import Any, Callable, Dict, Iterator, List, Optional

from mmcv.transforms import BaseTransform
from torch import nn
from torch.utils.data import Dataset

from sr4ir_mm.errors import CheckpointError, ConfigError, quote, some

#: so many images of a data set are looked for, spread evenly over it
MAX_FILES = 10_000
_FILES = ' Check data_root, data_prefix and the suffixes (img_suffix, seg_map_suffix) of its data set.'


def check_classes(cascade, dataset: Dataset, key: str) -> None:
    """Compare the number of classes of a data set with that of the recognizer.

    Args:
        cascade: The model.
        dataset: A data set; one that does not name its classes passes.
        key: Of its dataloader.

    Raises:
        ConfigError: The two numbers.
    """
    count = cascade.task.num_classes if cascade.recognizer is not None else None
    classes = (getattr(dataset, 'metainfo', None) or {}).get('classes')
    if count is None or classes is None:
        return
    # a panoptic recognizer counts what has no instances apart
    stuff = getattr(getattr(cascade.recognizer, 'panoptic_head', None), 'num_stuff_classes', 0)
    if len(classes) not in (count, count + stuff):
        raise ConfigError(
            f'The data set of {key} has {len(classes)} classes ({some(classes, 5)}{", …" * (len(classes) > 5)}), but '
            f'the recognizer is made for {count}; set num_classes in model.recognizer (of its head or heads) to '
            f'{len(classes)}, or the classes in {key}.dataset.metainfo.'
        )


def check_files(dataset: Any, key: str) -> None:
    """Look for the files of the other samples, of those kinds that the first sample has.

    Args:
        dataset: A data set whose first sample could be loaded.
        key: Of its dataloader.

    Raises:
        ConfigError: Files that are not there.
    """
    info: Optional[Callable[[int], dict]] = getattr(dataset, 'get_data_info', None)
    if info is None:
        return
    first = info(0)
    kinds = [
        name for name, path in first.items() if name.endswith('_path') and isinstance(path, str) and osp.isfile(path)
    ]
    folders: Dict[str, set] = {}
    missing: List[str] = []
    for index in range(0, len(dataset) if kinds else 0, -(-len(dataset) // MAX_FILES)):
        sample = info(index)
        for kind in kinds:
            path = sample.get(kind)
            if isinstance(path, str) and not _is_there(path, folders):
                missing.append(f'{path} ({kind})')
    if missing:
        raise ConfigError(
            f'The data set of {key} names {len(missing)} files that do not exist, among them {some(missing, 2, 200)}; '
            f'check the list {key}.dataset.ann_file, data_prefix and the suffixes (img_suffix, seg_map_suffix).'
        )


def _is_there(path: str, folders: Dict[str, set]) -> bool:
    """Look into the list of the folder, which is read once: to ask for each file takes long over a network."""
    folder, name = osp.split(path)
    if folder not in folders:
        folders[folder] = set(os.listdir(folder)) if osp.isdir(folder) else set()
    return name in folders[folder] or osp.exists(path)


@contextmanager
def told(kind: str, where: Callable[[], str], cascade: Any = None) -> Iterator[None]:
    """Raise what fails as one sentence; what is one already stays as it is.

    Args:
        kind: Of the sample, ``training`` or ``validation``.
        where: Returns what was being done.
        cascade: To name the module that has failed.
    """
    try:
        yield
    except (ConfigError, CheckpointError):
        raise
    except Exception as error:
        selves = [frame.f_locals.get('self') for frame, _ in walk_tb(error.__traceback__)]
        names = {id(module): name for name, module in cascade.named_modules()} if cascade is not None else {}
        modules = {names[id(each)]: each for each in selves if isinstance(each, nn.Module) and names.get(id(each))}
        transforms = [type(each).__name__ for each in selves if isinstance(each, BaseTransform)]
        places = [*(f'model.{name}' for name in modules), *transforms]
        place = f', in {places[-1]}' if places else ''
        hint = _FILES if transforms and isinstance(error, FileNotFoundError) else _hint(error, modules, cascade)
        raise ConfigError(
            f'The dry run of one {kind} sample failed {where()}{place}: {one_line(error)}.{hint} '
            'train_cfg.dry_run=False skips it.'
        ) from error


def one_line(error: Exception) -> str:
    """Return the kind of an error and its text, without line breaks and not too long."""
    text = ' '.join(str(error).split()).rstrip('.')
    return f'{type(error).__name__}: {text[:300]}' if text else type(error).__name__


def _hint(error: Exception, modules: Dict[str, nn.Module], cascade: Any) -> str:
    """Return what to change where a loss has weights of classes that do not fit; empty for other faults."""
    for name, module in reversed(modules.items()):
        weights = getattr(module, 'class_weight', None)
        if not isinstance(weights, (list, tuple)):
            continue
        if isinstance(error, IndexError):
            return (
                f' With class_weight, model.{name} ({type(module).__name__}) allows the labels 0 to '
                f'{len(weights) - 1} only, not that of what is ignored ({quote(cascade.task.ignore_index)}); '
                'leave class_weight out, or have no such labels.'
            )
        count = cascade.task.num_classes
        if len(weights) not in (count, count + 1):  # some count the background too
            return f' class_weight of model.{name} has {len(weights)} numbers; the recognizer has {count} classes.'
    return ''
