"""No false refusals: the published configs of the host libraries have no key or type that is taken for a mistake."""

import ast
from importlib.util import find_spec
from pathlib import Path

import pytest
from mmengine.config import Config, ConfigDict

from sr4ir_mm.config.arguments import check_arguments
from sr4ir_mm.errors import ConfigError

STEP = 10  # every tenth; all of them take a quarter of an hour
TASKS = dict(mmseg='Segmentor', mmdet='Detector', mmpretrain='Classifier', mmagic='Restorer')
# keys that are wrong there, too: their own library stops at them, or leaves them out without a word
REALLY_WRONG = ('wd_mult', '_delete', 'max_txt_len', 'eval_mode', 'MOTChallengeMetrics', 'force_grad_on_level')


def as_cascade(cfg, library):
    """Put the model of a library into a cascade; the rest of the config stays as it is."""
    model = cfg.model
    if library == 'mmagic':
        part = dict(restorer=dict(model.generator, type=f'mmagic.{model.generator.type}'))
    else:
        part = dict(recognizer=model)
    cfg.model = ConfigDict(type=f'sr4ir_mm.Cascade{TASKS[library]}', scale=4, **part)
    wrapper = cfg.pop('optim_wrapper', None)
    if wrapper and 'optimizer' in wrapper and wrapper.get('type', 'OptimWrapper') == 'OptimWrapper':
        cfg.optim_wrapper = dict(constructor='sr4ir_mm.CascadeOptimWrapperConstructor', recognizer=wrapper)
    return cfg


def is_for(library, cfg):
    """Return whether a cascade of this library's task could have the model: mmdet has classifiers among its configs."""
    if library == 'mmagic':
        return isinstance(cfg.get('model', {}).get('generator'), dict)
    return 'model' in cfg and cfg.get('default_scope', library) == library and cfg.model.type != 'ImageClassifier'


@pytest.mark.slow
@pytest.mark.parametrize('library', TASKS)
def test_published_configs_pass(library):
    root = Path(find_spec(library).submodule_search_locations[0]) / '.mim/configs'
    checked = 0
    for path in [path for path in sorted(root.rglob('*.py')) if '_base_' not in path.parts][::STEP]:
        if 'read_base' in path.read_text() or not any(
            isinstance(each, ast.Assign) for each in ast.parse(path.read_text()).body
        ):
            continue  # of MMEngine's new style, which no cascade reads
        try:
            cfg = Config.fromfile(path, import_custom_modules=False)._cfg_dict
        except Exception:  # a base or a package that is not installed
            continue
        if not is_for(library, cfg):
            continue
        try:
            check_arguments(as_cascade(cfg, library))
        except ConfigError as error:
            assert any(word in str(error) for word in REALLY_WRONG), f'{path}: {error}'
        checked += 1
    assert checked >= 10
