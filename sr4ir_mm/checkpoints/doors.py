"""Refuse configs by which a host library would read a file without :func:`~sr4ir_mm.checkpoints.load_checkpoint`."""

from typing import Any

from sr4ir_mm.errors import ConfigError

from .loader import is_trusted

#: keys of networks that read the file which they name with ``torch.load``: timm's models in mmpretrain and mmseg,
#: mmpretrain's vector quantizers, mmagic's guided diffusion and face identity loss
_FILES = ('checkpoint_path', 'codebook_init_path', 'ckpt_path', 'ir_se50_weights')
#: by the beginning of a type, other such keys: mmagic's DeblurGANv2, mmpretrain's retrievers
_FILES_OF = dict(DeblurGanV2='pretrained', ImageToImageRetriever='prototype')
#: where timm takes a whole model from
_MODELS = ('hf-hub:', 'hf_hub:', 'local-dir:')


def check_doors(cfg: Any, key: str) -> None:
    """Look for files in the config of a network that the safe reader would not see.

    Args:
        cfg: The config.
        key: Where it stands, for messages.

    Raises:
        ConfigError: It names one, and this is no :func:`~sr4ir_mm.checkpoints.trust_checkpoints`.
    """
    if isinstance(cfg, (list, tuple)):
        for index, each in enumerate(cfg):
            check_doors(each, f'{key}[{index}]')
    if not isinstance(cfg, dict) or is_trusted():
        return
    kind = str(cfg.get('type', '')).rpartition('.')[2]
    keys = [*_FILES, *(name for beginning, name in _FILES_OF.items() if kind.startswith(beginning))]
    for name in keys:
        if isinstance(cfg.get(name), str) and cfg[name]:
            raise ConfigError(
                f"{key}.{name} is '{cfg[name]}', which {kind or 'the network'} would read in a way that "
                "can run code from the file; write init_cfg=dict(type='Pretrained', checkpoint=…) of the "
                'restorer or recognizer instead, or, if you know who made it, add --trust-checkpoint.'
            )
    if cfg.get('pretrained') and str(cfg.get('model_name', '')).startswith(_MODELS):
        raise ConfigError(
            f"{key}.model_name is '{cfg['model_name']}', from where timm would read weights in a way that "
            "can run code from the file; set pretrained=False and init_cfg=dict(type='Pretrained', "
            'checkpoint=…), or, if you know who made it, add --trust-checkpoint.'
        )
    for name, value in cfg.items():
        check_doors(value, f'{key}.{name}')
