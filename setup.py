"""Puts configs, tools and the model index where mim and MMEngine look for them; all else is in pyproject.toml."""

import os
import shutil

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithMim(build_py):
    """Puts copies into the folder ``.mim`` of a wheel; an editable installation has the links of the source tree."""

    def run(self):
        super().run()
        if getattr(self, 'editable_mode', False):
            return
        root = os.path.dirname(os.path.abspath(__file__))
        mim = os.path.join(self.build_lib, 'sr4ir_mm', '.mim')
        shutil.rmtree(mim, ignore_errors=True)  # links, or copies of an earlier build
        for name in ('configs', 'tools'):
            shutil.copytree(
                os.path.join(root, name), os.path.join(mim, name), ignore=shutil.ignore_patterns('__pycache__')
            )
        shutil.copy(os.path.join(root, 'model-index.yml'), mim)


setup(cmdclass=dict(build_py=BuildWithMim))
