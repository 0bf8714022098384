"""What takes much time or memory to read."""

import io
import struct
import zipfile

from .opcodes import call, in_dict, legacy, name, number, numbers, pickled, storage, tensor, text, zipped


def flood(content, count):
    return in_dict(b'(' + content * count + b'l')


def repeated(made, used, count=300_000):
    """What is made once is used many times, and all results are kept."""
    return in_dict(made + b'q\x000' + b'(' + used * count + b'l')


def nested(before, after, depth):
    return in_dict(before * depth + b'N' + after * depth)


def entries(count):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w') as archive:
        archive.writestr('archive/data.pkl', in_dict(b'N'))
        info = archive.filelist[0]
        archive.filelist += [info] * count
    return buffer.getvalue()


def deflated(size):
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(buffer, 'w', zipfile.ZIP_DEFLATED) as archive,
        archive.open('archive/data.pkl', 'w', force_zip64=True) as file,
    ):
        for _ in range(size >> 20):
            file.write(bytes(2**20))
    return buffer.getvalue()


def odd_keys(keys, count=100_000):
    return in_dict(b'}(' + b''.join(keys(index) + b'N' for index in range(count)) + b'u')


LAUGHS = b'(lq\x00' + b''.join(
    b'(h%c%bl' % (index, bytes([ord('h'), index]) * 9) + b'q%c' % (index + 1) for index in range(60)
)
BOMBS = {
    'an encoded text, again and again': lambda: repeated(
        text('a' * 2**20), name('_codecs.encode') + b'h\0' + text('latin1') + b'\x86R'
    ),
    'a small text, again and again': lambda: repeated(
        text('a' * 300), name('_codecs.encode') + b'h\0' + text('latin1') + b'\x86R'
    ),
    'a set of a list, again and again': lambda: repeated(
        pickled(list(range(10_000))), name('builtins.set') + b'h\0\x85R'
    ),
    'a config of a dict, again and again': lambda: repeated(
        pickled(dict.fromkeys(range(10_000))), name('mmengine.config.config.ConfigDict') + b'h\0\x85R'
    ),
    'an ordered dict, again and again': lambda: repeated(
        pickled([[key, 1] for key in range(10_000)]), name('collections.OrderedDict') + b'h\0\x85R'
    ),
    'a size, again and again': lambda: repeated(pickled(tuple(range(10_000))), name('torch.Size') + b'h\0\x85R'),
    'a large number of NumPy, again and again': lambda: repeated(
        pickled(b'a' * 2**20),
        name('numpy.core.multiarray.scalar') + call('numpy.dtype', text('S1048576'), b'\x89\x88') + b'h\0\x86R',
        20_000,
    ),
    'an array of the other byte order, again and again': lambda: repeated(
        pickled(b'a' * 2**20),
        call('numpy.core.multiarray._reconstruct', name('numpy.ndarray'), pickled((0,)), pickled(b'b'))
        + b'('
        + number(1)
        + numbers([2**17])
        + call('numpy.dtype', text('f8'), b'\x89\x88')
        + pickled((3, '>', None, None, None, -1, -1, 0))
        + b'b\x89h\0tb',
        20_000,
    ),
    'tensors': lambda: repeated(
        storage(),
        name('torch._utils._rebuild_tensor_v2') + b'(h\0' + number(0) + numbers([1]) + numbers([1]) + b'\x89NtR',
    ),
    'parameters': lambda: repeated(tensor(), name('torch._utils._rebuild_parameter') + b'h\0\x89N\x87R'),
    'ordered dicts': lambda: flood(call('collections.OrderedDict'), 200_000),
    'defaultdicts': lambda: flood(call('collections.defaultdict'), 200_000),
    'histories': lambda: repeated(name('mmengine.logging.history_buffer.HistoryBuffer'), b'h\0)\x81', 1_000_000),
    'storages': lambda: repeated(
        b'(' + text('storage') + name('torch.FloatStorage') + text('0') + text('cpu') + number(4) + b't',
        b'h\0Q',
        1_000_000,
    ),
    'devices': lambda: repeated(text('cpu'), name('torch.device') + b'h\0\x85R'),
    'empty sets': lambda: flood(b'\x8f', 4_000_000),
    'empty lists': lambda: flood(b']', 4_000_000),
    'empty dicts': lambda: flood(b'}', 1_999_900),
    'lists of lists': lambda: flood(b']]a', 660_000),
    'dicts of dicts': lambda: flood(b'}' + b'N}s', 499_000),
    'memoized': lambda: in_dict(b'N' + b'\x94' * 4_000_000),
    'memoized with long numbers': lambda: in_dict(
        b'N' + b''.join(b'r' + struct.pack('<I', i) for i in range(1_000_000))
    ),
    'marks': lambda: in_dict(b'(' * 4_000_000),
    'copies of the top': lambda: flood(b'N2', 2_000_000),
    'floats': lambda: flood(b'G' + bytes(8), 1_000_000),
    'long numbers': lambda: flood(number(2**4000), 20_000),
    'one very long number': lambda: in_dict(number(2 ** (8 * 2**22))),
    'a long number as text': lambda: in_dict(b'I' + b'7' * 2**22 + b'\n'),
    'a long number as text, in lines that are allowed': lambda: flood(b'L' + b'7' * 4000 + b'L\n', 3_000),
    'a long text in a line': lambda: in_dict(b'V' + b'a' * 2**22 + b'\n'),
    'a long name': lambda: in_dict(b'c' + b'a' * 2**22 + b'\nb\n'),
    'a long name, by the stack': lambda: in_dict(text('a' * 2**22) + text('b' * 2**22) + b'\x93'),
    'wide letters': lambda: in_dict(text('\U0001f600' + 'a' * 2**22)),
    'a long key': lambda: zipped(b'\x80\x02}' + text('a' * 5_000_000) + b'Ns.'),
    'a text of a promised length': lambda: in_dict(b'\x8d' + struct.pack('<Q', 2**40)),
    'bytes of a promised length': lambda: in_dict(b'\x8e' + struct.pack('<Q', 2**40)),
    'a frame of a promised length': lambda: b'\x80\x04\x95' + struct.pack('<Q', 2**40) + b'}.',
    'lists, nested': lambda: nested(b']', b'a', 500_000),
    'tuples, nested': lambda: nested(b'', b'\x85', 1_000_000),
    'dicts, nested': lambda: nested(b'}N', b's', 500_000),
    'a list that holds itself': lambda: in_dict(b']q\0h\0a'),
    'a dict that holds itself': lambda: in_dict(b'}q\0Nh\0s'),
    'a list that repeats itself': lambda: in_dict(LAUGHS),
    'keys that collide, whole numbers': lambda: odd_keys(lambda index: number((2**61 - 1) * index)),
    'keys that collide, negative numbers': lambda: odd_keys(lambda index: number(-(2**61 - 1) * index)),
    'keys that collide, small numbers': lambda: odd_keys(lambda index: number(index << 44)),
    'keys that collide, floats': lambda: odd_keys(
        lambda index: b'G' + struct.pack('>d', 2.0 ** (index % 1000) * (index | 1))
    ),
    'keys that collide, tuples': lambda: odd_keys(lambda index: number((2**61 - 1) * index) + b'\x85'),
    'members that collide': lambda: in_dict(
        b'\x8f(' + b''.join(number((2**61 - 1) * i) for i in range(100_000)) + b'\x90'
    ),
    'members that collide, frozen': lambda: in_dict(
        b'(' + b''.join(number((2**61 - 1) * i) for i in range(100_000)) + b'\x91'
    ),
    'pairs that collide': lambda: in_dict(
        call(
            'collections.OrderedDict',
            b'(' + b''.join(number((2**61 - 1) * i) + b'N\x86' for i in range(100_000)) + b'l',
        )
    ),
}


def bombs():
    for what, make in BOMBS.items():

        def content(make=make):
            made = make()
            return made if made.startswith(b'PK') else zipped(made)

        yield what, content
        if what in (
            'tensors',
            'lists, nested',
            'bytes of a promised length',
            'a frame of a promised length',
            'memoized',
            'an encoded text, again and again',
        ):
            yield f'{what}, legacy', lambda make=make: legacy(make())
    large = (3000, 3000)
    yield (
        'large tensors that share memory',
        lambda: zipped(
            repeated(
                storage('1', 9_000_000),
                name('torch._utils._rebuild_tensor_v2')
                + b'(h\0'
                + number(0)
                + numbers(large)
                + numbers((3000, 1))
                + b'\x89NtR',
                1000,
            ),
            **{'archive/data/1': bytes(36_000_000)},
        ),
    )
