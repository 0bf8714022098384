"""Archives and headers that are not what they seem, damaged files, and whole ones with the wrong content."""

import io
import json
import struct
import zipfile
from collections import OrderedDict

import numpy as np
import torch

from .bombs import deflated, entries
from .opcodes import EMPTY, everything, in_dict, saved, tensor, zipped


def with_names(*names):
    return zipped(EMPTY, **dict.fromkeys(names, b'1'))


def link():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w') as archive:
        archive.writestr('archive/data.pkl', in_dict(tensor()))
        info = zipfile.ZipInfo('archive/data/0')
        info.external_attr = 0o120777 << 16
        archive.writestr(info, '/etc/passwd')
    return buffer.getvalue()


def changed(content, old, new):
    assert old in content
    return content.replace(old, new)


def damaged(content, seed):
    """With bytes changed, taken out, or repeated."""
    rng, content = np.random.RandomState(seed), bytearray(content)
    for _ in range(1 + seed % 4):
        place = rng.randint(len(content))
        way = rng.randint(4)
        if way == 0:
            content[place] ^= 1 << rng.randint(8)
        elif way == 1:
            content[place] = rng.randint(256)
        elif way == 2:
            del content[place : place + rng.randint(1, 20)]
        else:
            content[place:place] = content[place : place + rng.randint(1, 100)]
    return bytes(content)


def safetensors(header, data=bytes(16), length=None):
    header = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack('<Q', len(header) if length is None else length) + header + data


def one(**changes):
    return dict(a=dict(dict(dtype='F32', shape=[2, 2], data_offsets=[0, 16]), **changes))


HEADERS = {
    'beyond the file': one(shape=[2**40], data_offsets=[0, 2**42]),
    'of 200,000 dimensions': one(shape=[1] * 200_000, data_offsets=[0, 4]),
    'of an absurd dimension': one(shape=[2**63]),
    'of a negative dimension': one(shape=[-2, -2]),
    'of dimensions that overflow': one(shape=[2**32, 2**32, 2**32]),
    'of a text as shape': one(shape='22'),
    'of no shape': dict(a=dict(dtype='F32', data_offsets=[0, 16])),
    'of an unknown type': one(dtype='O'),
    'of an end before its begin': one(data_offsets=[16, 0]),
    'of negative offsets': one(data_offsets=[-16, 0]),
    'of overlapping tensors': dict(one(), b=dict(dtype='F32', shape=[4], data_offsets=[0, 16])),
    'of 100,000 tensors': dict(
        one(), **{str(i): dict(dtype='F32', shape=[0], data_offsets=[16, 16]) for i in range(100_000)}
    ),
    'that is a list': b'{}[]',
    'that is nested': b'{"a":' + b'[' * 200_000 + b']' * 200_000 + b'}',
    'that is nested, as text': dict(one(), __metadata__=dict(meta='[' * 200_000)),
    'of a tensor that is a list': dict(a=[]),
    'of metadata that is a list': dict(one(), __metadata__=[]),
    'of meta that is a list': dict(one(), __metadata__=dict(meta='[1]')),
    'of meta that is no JSON': dict(one(), __metadata__=dict(meta='{')),
    'of a long number': dict(one(), __metadata__=dict(meta='9' * 10_000)),
    'of many lists': dict(one(), __metadata__=dict(meta='[' + '[],' * 2_700_000 + '[]]')),
    'of a long name': {'a' * 5_000_000: one()['a']},
    'of a name that a terminal obeys': {'\x1b]0;owned\x07\x1b[2J': one()['a']},
    'of NaN': b'{"a": NaN}',
}


def formats():
    good, old = saved(everything()), saved(everything(), new=False)
    yield 'compressed zeros', lambda: deflated(2**28)
    yield 'a directory of 200,000 entries', lambda: entries(200_000)
    yield 'a directory of 50,000 entries', lambda: entries(50_000)
    yield 'an entry twice', lambda: entries(1)
    yield 'a link', link
    for names in (
        ('archive/constants.pkl',),
        ('other/data.pkl',),
        ('../../executed',),
        ('/executed',),
        ('archive/byteorder',),
        ('archive/\x1b[2J',),
        ('a' * 60_000,),
    ):
        yield f'entries {names[0][:30]!r}', lambda names=names: with_names(*names)
    yield 'big-endian', lambda: zipped(in_dict(tensor()), **{'archive/byteorder': b'big'})
    yield 'a byte order that a terminal obeys', lambda: zipped(EMPTY, **{'archive/byteorder': b'\x1b[2J' * 10**5})
    yield (
        'encrypted',
        lambda: changed(zipped(EMPTY), b'PK\x01\x02\x14\x03\x14\x00\x00\x00', b'PK\x01\x02\x14\x03\x14\x00\x01\x00'),
    )
    yield (
        'another size',
        lambda: changed(zipped(in_dict(tensor())), struct.pack('<2L', 16, 16), struct.pack('<2L', 16, 2**31)),
    )
    for part in range(1, 10):
        yield f'{part}0 % of a zip', lambda part=part: good[: len(good) * part // 10]
        yield f'{part}0 % of an old file', lambda part=part: old[: len(old) * part // 10]
    for content in (
        b'',
        b'PK',
        b'\x80',
        b'\x80\x02',
        b'{',
        b'\0' * 100,
        b'<html>',
        b'PK\x05\x06' + bytes(18),
        b'\x80\x02.',
        b'\x80\xff}.',
        b'\x80\x02}.' * 5,
        b'\x80\x02N.' * 5,
    ):
        yield f'only {content[:20]!r}', lambda content=content: content
    for what, header in HEADERS.items():
        yield f'safetensors {what}', lambda header=header: safetensors(header)
    for length in (0, 1, 2**24 + 1, 2**40, 2**63, 2**64 - 1):
        yield f'safetensors with a header of {length}', lambda length=length: safetensors(one(), length=length)
    for seed in range(40):
        yield f'a damaged zip, {seed}', lambda seed=seed: damaged(good, seed)
    # as above, but with checksums that fit
    for seed in range(60):
        yield f'a damaged pickle, {seed}', lambda seed=seed: zipped(damaged(saved_pickle(good), seed))
    for seed in range(40):
        yield f'a damaged old file, {seed}', lambda seed=seed: damaged(old, seed)
    for seed in range(20):
        yield f'damaged safetensors, {seed}', lambda seed=seed: damaged(safetensors(one()), seed)


def saved_pickle(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.read(next(entry for entry in archive.namelist() if entry.endswith('data.pkl')))


CONTENTS = {
    'a list': [1],
    'a tensor': torch.ones(1),
    'names that a terminal obeys': dict(state_dict={'\x1b]0;owned\x07\x1b[2J\n': torch.ones(1)}),
    'names of other directions': dict(state_dict={'\u202egnp.exe': torch.ones(1)}),
    'surrogates as names': dict(state_dict={'\udc80': torch.ones(1)}),
    'numbers as names': dict(state_dict={1: torch.ones(1)}),
    'weights that are a list': dict(state_dict=[torch.ones(1)]),
    'meta that is a text': dict(meta='a', state_dict={}),
    'a config that is run': dict(meta=dict(config="open('executed', 'w')"), state_dict=dict(a=torch.ones(1))),
    'an absurd version of a module': dict(state_dict=OrderedDict(a=torch.ones(1))),
}


def contents():
    CONTENTS['an absurd version of a module']['state_dict']._metadata = {'': dict(version='1')}
    for what, content in CONTENTS.items():
        for new in (True, False):
            yield f'{what}, {"zip" if new else "legacy"}', lambda content=content, new=new: saved(content, new)
