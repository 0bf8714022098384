"""Names of the first edition, and what to write instead."""

import re

from mmengine.config import Config

from sr4ir_mm.errors import ConfigError

from .nodes import walk

#: keys of ``model`` and what to write instead
_MODEL = dict(
    img_range='model.restorer.value_range',
    input_scale='model.task.input_scale',
    pixel='model.losses.pixel',
    tdp='model.losses.tdp',
    contrastive='model.losses.contrastive',
    embedding='model.parts.embedding',
    noise_seed='model.degradation.seed',
    channels_last='efficiency.channels_last',
    compile='efficiency.compile',
    efficient_conv_bn_eval='efficiency.conv_bn_eval',
    efficient_cpu_ops='efficiency.cpu_ops',
    restorer_with_cp="efficiency.activation_checkpointing=['restorer']",
    efficient_attention="model.restorer.type='sr4ir_mm.SwinIR' ('mmagic.SwinIRNet' is mmagic's)",
    efficient_heads='nothing: leave it out',
)
#: types that have another name
_TYPES = {
    'sr4ir_mm.CheckpointHook': 'sr4ir_mm.ResumableCheckpointHook',
    'sr4ir_mm.EMAHook': 'sr4ir_mm.PartEMAHook',
    'sr4ir_mm.IoUMetric': 'sr4ir_mm.PerClassIoUMetric',
    'sr4ir_mm.LoadImageFromFile': 'sr4ir_mm.LoadImage',
    'sr4ir_mm.RuntimeInfoHook': 'sr4ir_mm.DeferredLossHook',
}

#: baselines that were configs of their own: <protocol>_<recognizer>[_<restorer>][_x<scale>]_<data set>.py
_BASELINE = re.compile(
    r'(.*/)?(?:baselines/(?P<protocol>h2t|l2t|sr|s2t|t2s|s\+t)|demo/(?P<demo>h2t|l2t))_'
    r'(?P<recognizer>[\w-]+?)(_(?P<restorer>edsr|swinir))?(_x(?P<scale>[48]))?_(?P<data>voc|cars|cub|demo)\.py'
)


def check_first_edition(cfg: Config) -> None:
    """Refuse a key or a type that has another name since the first edition.

    Raises:
        ConfigError: What to write instead.
    """
    model = cfg.get('model') or {}
    if str(model.get('type', '')).startswith('sr4ir_mm.'):
        for key, instead in _MODEL.items():
            if key in model:
                raise ConfigError(f'model.{key} is from an earlier edition; write {instead} instead.')
    for top, value in cfg.items():
        for key, node in walk(value, top):
            kind = node.get('type')
            if isinstance(kind, str) and kind in _TYPES:
                raise ConfigError(f"{key}.type is '{kind}' of an earlier edition; write '{_TYPES[kind]}' instead.")


def instead_of_file(path: str) -> str:
    """Return the end of a sentence on a config that is not there: for a baseline's, the option that replaces it."""
    found = _BASELINE.fullmatch(path)
    if not found:
        return ''
    protocol = found['protocol'] or found['demo']
    method = 'demo/sr4ir_' if found['demo'] else 'sr4ir/'
    name = f'{method}{found["recognizer"]}_{found["restorer"] or "edsr"}_x{found["scale"] or 4}_{found["data"]}.py'
    return f'; use configs/{name} --protocol {protocol} with tools/train.py or tools/test.py'
