"""Hooks of the host libraries that look into the model: which of them work with a cascade, and how."""

from typing import Any, Iterator, Optional

from mmengine.hooks import Hook
from mmengine.registry import HOOKS as ALL_HOOKS
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import Dataset

from sr4ir_mm.errors import ConfigError
from sr4ir_mm.registry import HOOKS
from sr4ir_mm.utils.runner import unwrap

_SELF_SUPERVISED = 'belongs to a method of self-supervised learning, whose model is not a recognizer; leave it out'
_PANELS = "does not draw what a cascade predicts; write dict(type='sr4ir_mm.PanelHook', num_val=4)"
_STAGES = (
    'run',
    'train',
    'val',
    'test',
    *(f'{mode}_{unit}' for mode in ('train', 'val', 'test') for unit in ('epoch', 'iter')),
)

#: hooks that cannot work with a cascade: the reason, and what to write instead
REFUSED = {
    'mmdet.MeanTeacherHook': 'averages a student into a teacher, which a cascade does not have; for a moving average '
    "write dict(type='sr4ir_mm.PartEMAHook', part='recognizer')",
    'mmdet.TrackVisualizationHook': _PANELS,
    'mmdet.GroundingVisualizationHook': _PANELS,
    'mmpretrain.DenseCLHook': _SELF_SUPERVISED,
    'mmpretrain.SimSiamHook': _SELF_SUPERVISED,
    'mmpretrain.SwAVHook': _SELF_SUPERVISED,
    'mmpretrain.PrepareProtoBeforeValLoopHook': 'prepares prototypes of a retriever; leave it out',
    'mmpretrain.PreciseBNHook': 'runs the model without the phases of a training; to re-estimate batch norm before '
    "a test write dict(type='sr4ir_mm.ReestimateBatchNormHook', dataloader=…)",
    'mmagic.ExponentialMovingAverageHook': 'looks for networks by names that a cascade does not have; write '
    "dict(type='sr4ir_mm.PartEMAHook', part='restorer')",
    'mmagic.PGGANFetchDataHook': 'changes the data for a generative network that grows; leave it out',
    'mmagic.PickleDataHook': 'looks for outputs by names that a cascade does not have; tools/infer.py writes restored '
    'images',
    'mmagic.BasicVisualizationHook': _PANELS,
    'mmagic.VisualizationHook': _PANELS,
}
#: hooks that work when they are given the recognizer for the model
OF_THE_RECOGNIZER = (
    'mmdet.YOLOXModeSwitchHook',
    'mmdet.SetEpochInfoHook',
    'mmpretrain.SetAdaptiveMarginsHook',
    'mmpretrain.WarmupParamHook',
)
_RECIPE = ('action_epoch', 'train_pipeline', 'batch_augments', 'loss')


class _RunnerOfRecognizer:
    """A runner whose ``model`` is the recognizer of its cascade; all else is the runner's."""

    def __init__(self, runner: Runner) -> None:
        object.__setattr__(self, '_runner', runner)

    @property
    def model(self):
        return unwrap(self._runner.model).recognizer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._runner, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._runner, name, value)


@HOOKS.register_module()
class RecognizerHook(Hook):
    """Run a hook of a host library that sees the recognizer as ``runner.model``.

    Args:
        hook: Config of the hook, as it stands in a config of its library; the priority is taken over.

    Example:
        >>> custom_hooks = [dict(
        ...     type='sr4ir_mm.RecognizerHook', hook=dict(type='mmdet.YOLOXModeSwitchHook', num_last_epochs=15))]
    """

    def __init__(self, hook: dict) -> None:
        hook = dict(hook)
        priority = hook.pop('priority', None)
        self.hook = ALL_HOOKS.build(hook)
        self.priority = self.hook.priority if priority is None else priority

    def get_triggered_stages(self) -> list:
        """Return the points at which the inner hook does something."""
        return self.hook.get_triggered_stages()


def _hand_over(name: str) -> None:
    def call(self, runner: Runner, *args, **kwargs) -> None:
        getattr(self.hook, name)(_RunnerOfRecognizer(runner), *args, **kwargs)

    setattr(RecognizerHook, name, call)


for _stage in _STAGES:
    _hand_over(f'before_{_stage}')
    _hand_over(f'after_{_stage}')


def check_host_hooks(runner: Runner, dataset: Dataset) -> None:
    """Refuse hooks that would fail late, or do nothing, because they look for parts of another model.

    Args:
        runner: The runner, its hooks registered.
        dataset: The data set of the training.

    Raises:
        ConfigError: Which hook, why, and what to write instead.
    """
    for hook in runner.hooks:
        inner = hook.hook if isinstance(hook, RecognizerHook) else hook
        problem = next(_problems(inner, unwrap(runner.model).recognizer, dataset, inner is not hook), None)
        if problem:
            raise ConfigError(f'custom_hooks has {type(inner).__name__}, which {problem}.')


def _problems(hook: Hook, recognizer: Optional[nn.Module], dataset: Dataset, wrapped: bool) -> Iterator[str]:
    names = [f'{kind.__module__.split(".")[0]}.{kind.__name__}' for kind in type(hook).__mro__]
    for name in names:
        if name in REFUSED:
            yield REFUSED[name]
    if wrapped:
        if recognizer is None:
            yield 'uses the recognizer, but model.recognizer is None; leave it out'
        for method in ('before_save_checkpoint', 'after_load_checkpoint'):
            if getattr(type(hook), method) is not getattr(Hook, method):
                yield (
                    'uses checkpoints, which are those of the whole cascade; write it without '
                    "sr4ir_mm.RecognizerHook, or for an average dict(type='sr4ir_mm.PartEMAHook', part='recognizer')"
                )
    for name in names:
        if name in OF_THE_RECOGNIZER and not wrapped:
            yield (
                'uses the recognizer, but gets the whole cascade; write '
                f"dict(type='sr4ir_mm.RecognizerHook', hook=dict(type='{name}', …))"
            )
        check = _CHECKS.get(name)
        if check is not None:
            yield from check(hook, recognizer, dataset, wrapped)
    for pipeline in _pipelines(hook):
        if _makes_grids(getattr(dataset, 'pipeline', None)) and not _makes_grids(pipeline):
            yield (
                'changes to a pipeline without sr4ir_mm.CQMix, but that of train_dataloader has it; append '
                "dict(type='sr4ir_mm.CQMix')"
            )


# ---------- what a hook needs besides


def _yolox(hook: Hook, recognizer, dataset: Dataset, wrapped: bool) -> Iterator[str]:
    if getattr(getattr(recognizer, 'bbox_head', None), 'use_l1', None) is None:
        yield f'switches on the L1 loss of a YOLOX head, which {type(recognizer).__name__} does not have; leave it out'
    if not hasattr(dataset, 'update_skip_type_keys'):
        yield (
            'switches transforms off, which the data set of train_dataloader does not know how to do; wrap it in '
            "dict(type='MultiImageMixDataset', dataset=…, pipeline=[…])"
        )


def _switch_recipe(hook: Hook, recognizer, dataset: Dataset, wrapped: bool) -> Iterator[str]:
    for epoch, recipe in hook.schedule.items():
        for key in recipe:
            if key not in _RECIPE:
                allowed = ', '.join(_RECIPE)
                yield f"has '{key}' in the recipe of epoch {epoch}, which it does not read; allowed: {allowed}"
        if wrapped and 'batch_augments' in recipe:
            yield (
                'changes batch_augments, which the data preprocessor of the cascade applies; write this recipe without '
                'sr4ir_mm.RecognizerHook'
            )
        if 'loss' in recipe:
            if not wrapped:
                yield (
                    'changes the loss of the recognizer, but gets the whole cascade; write this recipe in '
                    "dict(type='sr4ir_mm.RecognizerHook', hook=dict(type='mmpretrain.SwitchRecipeHook', …))"
                )
            elif not any(hasattr(each, 'loss_module') for each in (recognizer, getattr(recognizer, 'head', None))):
                name = type(recognizer).__name__
                yield f'changes a loss_module, which {name} and its head do not have; leave `loss` out'


def _warmup_param(hook: Hook, recognizer, dataset: Dataset, wrapped: bool) -> Iterator[str]:
    try:
        getattr(hook.module_getter(recognizer), hook.param_name)
    except AttributeError as error:
        yield f'changes {hook.param_name!r} of a module, but the recognizer does not have it ({error})'


def _set_epoch(hook: Hook, recognizer, dataset: Dataset, wrapped: bool) -> Iterator[str]:
    if not hasattr(recognizer, 'set_epoch'):
        yield f'tells the model its epoch, but {type(recognizer).__name__} has no method set_epoch; leave it out'


def _margins(hook: Hook, recognizer, dataset: Dataset, wrapped: bool) -> Iterator[str]:
    if not hasattr(getattr(recognizer, 'head', None), 'set_margins'):
        yield f'sets the margins of an ArcFaceClsHead, which {type(recognizer).__name__} does not have; leave it out'


_CHECKS = {
    'mmdet.YOLOXModeSwitchHook': _yolox,
    'mmdet.SetEpochInfoHook': _set_epoch,
    'mmpretrain.SetAdaptiveMarginsHook': _margins,
    'mmpretrain.SwitchRecipeHook': _switch_recipe,
    'mmpretrain.WarmupParamHook': _warmup_param,
}


def _pipelines(hook: Hook) -> Iterator[Any]:
    """The pipelines that a hook is going to put in the place of the data set's."""
    if isinstance(getattr(hook, 'switch_pipeline', None), (list, tuple)):
        yield hook.switch_pipeline
    schedule = getattr(hook, 'schedule', None)
    for recipe in schedule.values() if isinstance(schedule, dict) else ():
        if isinstance(recipe, dict) and 'train_pipeline' in recipe:
            yield recipe['train_pipeline']


def _makes_grids(pipeline: Optional[Any]) -> bool:
    return any(
        'CQMix' in (str(step.get('type')) if isinstance(step, dict) else type(step).__name__)
        for step in getattr(pipeline, 'transforms', pipeline) or ()
    )
