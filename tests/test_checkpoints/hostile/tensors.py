"""Tensors and arrays that are not there."""

import struct

from .opcodes import call, in_dict, legacy, name, number, numbers, pickled, storage, tensor, text, zipped

TENSORS = {
    'of 200,000 dimensions': dict(size=(1,) * 200_000, stride=(1,) * 200_000),
    'of 65 dimensions': dict(size=(1,) * 65, stride=(1,) * 65),
    'of dimensions without stride': dict(size=(1,) * 3),
    'of absurd size': dict(size=(2**40, 2**40), stride=(2**40, 1)),
    'of more than 63 bits': dict(size=(2**63,), stride=(1,)),
    'of more than 64 bits': dict(size=(2**80,), stride=(1,)),
    'of no value and absurd size': dict(size=(0, 2**62, 2**62), stride=(1, 1, 1)),
    'of a negative size': dict(size=(-2, -2)),
    'with a negative stride': dict(stride=(-2, 1)),
    'with an absurd stride': dict(stride=(2**62, 2**62)),
    'with strides that overflow': dict(size=(3,), stride=(2**63 - 1,)),
    'without strides, repeated': dict(size=(2**30,), stride=(0,)),
    'behind its storage': dict(offset=4),
    'before its storage': dict(offset=-1),
    'at an absurd place': dict(offset=2**63 - 1),
    'at a place beyond 64 bits': dict(offset=2**70),
    'of a storage that is not there': dict(memory=storage('7')),
    'of a storage elsewhere': dict(memory=storage('../../etc/passwd')),
    'of a storage with a long name': dict(memory=storage('a' * 2**20)),
    'of a larger storage': dict(memory=storage(count=2**40)),
    'of a storage beyond 64 bits': dict(memory=storage(count=2**80)),
    'of a storage of no size': dict(memory=storage(count=-4)),
    'of a storage of another type': dict(memory=storage(dtype='DoubleStorage')),
    'of a quantized storage': dict(memory=storage(dtype='QInt8Storage')),
    'of no storage': dict(memory=b'N'),
    'of a dict': dict(memory=b'}'),
}


def tensors():
    for what, args in TENSORS.items():
        yield f'a tensor {what}', lambda args=args: zipped(in_dict(tensor(**args)))
        if what.startswith('of a') or 'elsewhere' in what:
            yield (
                f'a tensor {what}, legacy',
                lambda args=args: legacy(in_dict(tensor(**args)), ['0'], struct.pack('<q', 4) + bytes(16)),
            )
    views = pickled(('1', 0, 4))
    yield (
        'a storage within a storage',
        lambda: legacy(in_dict(tensor(memory=storage(view=views))), ['0'], struct.pack('<q', 4) + bytes(16)),
    )
    for keys in (['0', '0'], ['1'], [1], [['0']], []):
        yield (
            f'the storages {keys}',
            lambda keys=keys: legacy(in_dict(tensor()), keys, struct.pack('<q', 4) + bytes(16)),
        )
    for count in (-1, 2**40, 2**62, 3):
        yield (
            f'a storage of {count}',
            lambda count=count: legacy(in_dict(tensor()), ['0'], struct.pack('<q', count) + bytes(16)),
        )
    array = call('numpy.core.multiarray._reconstruct', name('numpy.ndarray'), pickled((0,)), pickled(b'b'))
    for kind in ('f8', 'O', 'V8', 'S999999999', 'U999999999', 'M8[ns]', 'f8,f8', '(9999,9999)f8', 'b' * 2**20):
        for shape in ((2**40,), (0, 2**62), (-1,), (1,) * 70):
            if kind == 'f8' or shape == (0, 2**62):
                yield (
                    f'an array of {kind[:20]}, {shape[:2]}',
                    lambda kind=kind, shape=shape: zipped(
                        in_dict(
                            array
                            + b'('
                            + number(1)
                            + numbers(shape)
                            + call('numpy.dtype', text(kind), b'\x89\x88')
                            + b'\x89'
                            + pickled(b'1234')
                            + b'tb'
                        )
                    ),
                )
