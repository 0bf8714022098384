"""Pickles of any content, opcode by opcode, and the files of ``torch.save`` around them."""

import io
import pickle
import struct
import zipfile
from collections import OrderedDict

import numpy as np
import torch
from mmengine.config import Config, ConfigDict
from mmengine.logging import HistoryBuffer

EMPTY = b'\x80\x02}.'


def text(value):
    value = value.encode()
    return b'X' + struct.pack('<I', len(value)) + value


def number(value):
    raw = pickle.encode_long(value) or b'\0'
    return b'\x8b' + struct.pack('<i', len(raw)) + raw


def numbers(values):
    return b'(' + b''.join(map(number, values)) + b't'


def name(path):
    module, _, function = path.rpartition('.')
    return f'c{module}\n{function}\n'.encode()


def call(path, *args):
    return name(path) + b'(' + b''.join(args) + b't' + b'R'


def pickled(value):
    """The pickle of a harmless value, to stand within another."""
    return pickle.dumps(value, 2)[2:-1]


def in_dict(content):
    return b'\x80\x02}' + text('a') + content + b's.'


def zipped(content, **entries):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w') as archive:
        archive.writestr('archive/data.pkl', content)
        archive.writestr('archive/version', '3\n')
        archive.writestr('archive/data/0', struct.pack('<4f', 1, 2, 3, 4))
        for entry, data in entries.items():
            archive.writestr(entry, data)
    return buffer.getvalue()


def legacy(content, keys=(), rest=b''):
    head = [pickle.dumps(value, 2) for value in (0x1950A86A20F9469CFC6C, 1001, dict(little_endian=True))]
    return b''.join(head) + content + pickle.dumps(list(keys), 2) + rest


def storage(key='0', count=4, dtype='FloatStorage', view=b''):
    return b'(' + text('storage') + name(f'torch.{dtype}') + text(key) + text('cpu') + number(count) + view + b'tQ'


def tensor(size=(2, 2), stride=(2, 1), offset=0, memory=None):
    return (
        name('torch._utils._rebuild_tensor_v2')
        + b'('
        + (memory or storage())
        + number(offset)
        + numbers(size)
        + numbers(stride)
        + b'\x89'
        + call('collections.OrderedDict')
        + b'tR'
    )


def everything():
    """A checkpoint with a bit of all that is allowed."""
    weights = OrderedDict((f'layer{index}.weight', torch.full((3, 3), 1.5)) for index in range(4))
    weights._metadata = OrderedDict({'': dict(version=1)})
    history = HistoryBuffer()
    history.update(1.0)
    return dict(
        meta=dict(
            epoch=1, iter=2, classes=('a', 'b'), best=np.float64(1), cfg=Config(dict(a=1)), options=ConfigDict(a=1)
        ),
        state_dict=weights,
        message_hub=dict(log_scalars=dict(loss=history), runtime_info=dict(epoch=1), resumed_keys=dict(epoch=True)),
        optimizer=dict(state={0: dict(step=torch.tensor(1.0))}, param_groups=[dict(lr=0.1, params=[0])]),
        array=np.arange(4),
    )


def saved(content, new=True):
    buffer = io.BytesIO()
    torch.save(content, buffer, _use_new_zipfile_serialization=new)
    return buffer.getvalue()
