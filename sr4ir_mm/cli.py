"""Run the scripts of ``tools/`` as commands, ``sr4ir-train`` and its like, after an installation.

The scripts lie in the folder ``.mim/tools`` of the package, where mim looks for them too.
"""

import runpy
from functools import partial
from pathlib import Path

TOOLS = Path(__file__).parent / '.mim' / 'tools'


def run_script(name: str) -> None:
    """Run a script of ``tools/`` with the arguments of this process.

    Args:
        name: Its path in that folder.
    """
    runpy.run_path(str(TOOLS / name), run_name='__main__')


train = partial(run_script, 'train.py')
test = partial(run_script, 'test.py')
infer = partial(run_script, 'infer.py')
demo_web = partial(run_script, 'demo_web.py')
compare = partial(run_script, 'compare.py')
browse = partial(run_script, 'browse_dataset.py')
plot_logs = partial(run_script, 'analysis/plot_logs.py')
convert = partial(run_script, 'model_converters/convert.py')
export_parts = partial(run_script, 'model_converters/export_parts.py')
export_onnx = partial(run_script, 'deployment/export_onnx.py')
publish = partial(run_script, 'model_converters/publish_model.py')
