"""Files that somebody could make to harm whoever loads them, by their names; each is made when it is asked for."""
import io
import json
import pickle
import struct
import zipfile
from collections import OrderedDict

import numpy as np
import torch
from mmengine.config import Config, ConfigDict
from mmengine.logging import HistoryBuffer

# ---------- pickles, by their opcodes


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
    head = [pickle.dumps(value, 2) for value in (0x1950a86a20f9469cfc6c, 1001, dict(little_endian=True))]
    return b''.join(head) + content + pickle.dumps(list(keys), 2) + rest


def storage(key='0', count=4, dtype='FloatStorage', view=b''):
    return b'(' + text('storage') + name(f'torch.{dtype}') + text(key) + text('cpu') + number(count) + view + b'tQ'


def tensor(size=(2, 2), stride=(2, 1), offset=0, memory=None):
    return (name('torch._utils._rebuild_tensor_v2') + b'(' + (memory or storage()) + number(offset) + numbers(size)
            + numbers(stride) + b'\x89' + call('collections.OrderedDict') + b'tR')


def everything():
    """A checkpoint with a bit of all that is allowed."""
    weights = OrderedDict((f'layer{index}.weight', torch.randn(3, 3)) for index in range(4))
    weights._metadata = OrderedDict({'': dict(version=1)})
    history = HistoryBuffer()
    history.update(1.)
    return dict(
        meta=dict(epoch=1, iter=2, classes=('a', 'b'), best=np.float64(1), cfg=Config(dict(a=1)), options=ConfigDict(a=1)),
        state_dict=weights,
        message_hub=dict(log_scalars=dict(loss=history), runtime_info=dict(epoch=1), resumed_keys=dict(epoch=True)),
        optimizer=dict(state={0: dict(step=torch.tensor(1.))}, param_groups=[dict(lr=0.1, params=[0])]),
        array=np.arange(4))


def saved(content, new=True):
    buffer = io.BytesIO()
    torch.save(content, buffer, _use_new_zipfile_serialization=new)
    return buffer.getvalue()


# ---------- what runs, or would

CALLS = {
    'os.system': [text('touch executed')],
    'posix.system': [text('touch executed')],
    'nt.system': [text('touch executed')],
    'os.popen': [text('touch executed')],
    'os.execv': [text('/bin/touch'), pickled(['touch', 'executed'])],
    'os.posix_spawn': [text('/bin/touch'), pickled(['touch', 'executed']), pickled({})],
    'posix.remove': [text('precious')],
    'os.unlink': [text('precious')],
    'os.rename': [text('precious'), text('executed')],
    'os.mkdir': [text('executed')],
    'os.kill': [number(0), number(9)],
    'os._exit': [number(0)],
    'os.abort': [],
    'sys.exit': [number(0)],
    'time.sleep': [number(1000)],
    'shutil.rmtree': [text('.')],
    'shutil.copy': [text('precious'), text('executed')],
    'pathlib.Path': [text('executed')],
    'subprocess.Popen': [pickled(['touch', 'executed'])],
    'subprocess.call': [pickled(['touch', 'executed'])],
    'subprocess.getoutput': [text('touch executed')],
    'pty.spawn': [text('touch executed')],
    'builtins.eval': [text("open('executed', 'w')")],
    'builtins.exec': [text("open('executed', 'w')")],
    '__builtin__.eval': [text("open('executed', 'w')")],
    'builtins.compile': [text('1'), text('a'), text('eval')],
    'builtins.open': [text('executed'), text('w')],
    'io.open': [text('executed'), text('w')],
    '_io.FileIO': [text('executed'), text('w')],
    'builtins.__import__': [text('antigravity')],
    'builtins.getattr': [name('builtins.list'), text('__class__')],
    'builtins.setattr': [name('numpy.ndarray'), text('a'), number(1)],
    'builtins.delattr': [name('builtins.list'), text('append')],
    'builtins.map': [name('builtins.int'), pickled([1])],
    'builtins.filter': [name('builtins.int'), pickled([1])],
    'builtins.type': [text('a'), pickled(()), pickled({})],
    'builtins.object': [],
    'builtins.vars': [],
    'builtins.globals': [],
    'builtins.input': [],
    'builtins.print': [text('executed')],
    'builtins.bytearray': [number(2**40)],
    'builtins.range': [number(2**60)],
    'builtins.pow': [number(9), number(10**9)],
    'builtins.breakpoint': [],
    'importlib.import_module': [text('antigravity')],
    'importlib.reload': [text('os')],
    'runpy.run_path': [text('precious')],
    'pickle.loads': [pickled(b'cos\nsystem\n(S"touch executed"\ntR.')],
    '_pickle.loads': [pickled(b'cos\nsystem\n(S"touch executed"\ntR.')],
    'marshal.loads': [pickled(b'\xe3')],
    'shelve.open': [text('executed')],
    'dbm.open': [text('executed'), text('c')],
    'ctypes.CDLL': [text('libc.so.6')],
    'timeit.timeit': [text("open('executed', 'w')")],
    'cProfile.run': [text("open('executed', 'w')")],
    'pdb.run': [text("open('executed', 'w')")],
    'code.interact': [],
    'doctest.debug_script': [text("open('executed', 'w')")],
    'logging.config.dictConfig': [pickled(dict(version=1))],
    'webbrowser.open': [text('http://127.0.0.1')],
    'urllib.request.urlopen': [text('http://127.0.0.1:1')],
    'socket.create_connection': [pickled(('127.0.0.1', 1))],
    'operator.attrgetter': [text('a')],
    'operator.methodcaller': [text('system'), text('touch executed')],
    'functools.partial': [name('builtins.int')],
    'functools.reduce': [name('builtins.int'), pickled([1, 2])],
    'types.FunctionType': [],
    'types.CodeType': [],
    'copyreg._reconstructor': [name('builtins.list'), name('builtins.list'), b'N'],
    'copyreg.__newobj__': [name('builtins.list')],
    'weakref.finalize': [name('builtins.list'), name('builtins.list')],
    'torch.load': [text('precious')],
    'torch.hub.load': [text('a/b'), text('c')],
    'torch.hub.download_url_to_file': [text('http://127.0.0.1:1'), text('executed')],
    'torch.jit.load': [text('precious')],
    'torch.storage._load_from_bytes': [pickled(b'')],
    'torch.ops.load_library': [text('precious')],
    'torch.utils.cpp_extension.load': [text('a'), pickled(['precious'])],
    'torch.zeros': [number(2**40)],
    'torch._dynamo': [],
    'torch._utils._rebuild_sparse_tensor': [],
    'torch._utils._rebuild_qtensor': [],
    'torch._utils._rebuild_meta_tensor_no_storage': [],
    'torch._tensor._rebuild_from_type_v2': [name('builtins.int'), name('builtins.int'), pickled(()), b'N'],
    'torch.nn.Sequential': [],
    'torch.serialization.load': [text('precious')],
    'numpy.load': [text('precious')],
    'numpy.fromfile': [text('precious')],
    'numpy.memmap': [text('executed')],
    'numpy.zeros': [number(2**40)],
    'numpy.testing._private.utils.runstring': [text("open('executed', 'w')"), pickled({})],
    'numpy.core.multiarray._reconstruct.__globals__': [],
    'mmengine.config.Config.fromfile': [text('precious')],
    'mmengine.config.config.Config': [b'N', b'N', text('/etc/passwd')],
    'mmengine.config.Config.fromstring': [text("open('executed', 'w')"), text('.py')],
    'mmengine.fileio.load': [text('precious')],
    'mmengine.utils.import_modules_from_strings': [text('antigravity')],
    'mmengine.registry.Registry': [text('a')],
    'mmengine.logging.history_buffer.HistoryBuffer.register_statistics': [name('builtins.int')],
    'sr4ir_mm.checkpoints.trust_checkpoints': [],
}

#: what the reader does call, with arguments that it does not expect
ALLOWED = ('torch._utils._rebuild_tensor', 'torch._utils._rebuild_tensor_v2', 'torch._utils._rebuild_parameter', 'torch.Size',
           'torch.device', 'collections.OrderedDict', 'collections.defaultdict', 'builtins.set', 'builtins.frozenset',
           'builtins.getattr', '_codecs.encode', 'numpy.dtype', 'numpy.core.multiarray._reconstruct',
           'numpy.core.multiarray.scalar', 'mmengine.config.config.ConfigDict')
ARGUMENTS = dict(
    nothing=[],
    None_=[b'N'],
    text=[text('a' * 100)],
    numbers=[number(2**70), number(-1)],
    nested=[pickled([[[1]]]), pickled({1: [2]})],
    classes=[name('numpy.ndarray'), name('torch.FloatStorage')],
    many=[b'N'] * 1000)


def calls():
    for path, args in CALLS.items():
        yield f'zip, {path}', lambda path=path, args=args: zipped(in_dict(call(path, *args)))
    for path in list(CALLS)[::4]:
        yield f'legacy, {path}', lambda path=path: legacy(in_dict(call(path, *CALLS[path])))
    system, touch = name('posix.system'), b'(' + text('touch executed') + b't'
    ways = {
        'NEWOBJ': system + touch + b'\x81', 'NEWOBJ_EX': system + touch + b'}\x92',
        'OBJ': b'(' + system + text('touch executed') + b'o', 'INST': b'(' + text('touch executed') + b'iposix\nsystem\n',
        'STACK_GLOBAL': text('posix') + text('system') + b'\x93' + touch + b'R', 'EXT1': b'\x82\x01', 'EXT4': b'\x84\1\0\0\0',
        'BUILD': name('numpy.ndarray') + pickled(dict(a=1)) + b'b', 'PERSID': b'Pexecuted\n',
        'BINPERSID of a list': pickled([1]) + b'Q', 'NEXT_BUFFER': b'\x97', 'BYTEARRAY8': b'\x96' + struct.pack('<Q', 2**40),
        'BUILD of a dict': b'}' + pickled(dict(a=1)) + b'b', 'BUILD of an ordered dict': call('collections.OrderedDict')
        + pickled(dict(keys=1)) + b'b', 'unknown opcode': b'\xff', 'dotted name': name('collections.OrderedDict.clear'),
        'call of a result': call('torch.Size', pickled((1, ))) + b')R', 'call of a class': name('builtins.list') + b')R',
        'call of a method': call('builtins.getattr', name('mmengine.optim.scheduler.param_scheduler.OneCycleParamScheduler'),
                                 text('_annealing_cos')) + pickled((1, 2, 3)) + b'R'
    }
    for way, content in ways.items():
        yield f'by {way}', lambda content=content: zipped(in_dict(content))
    for path in ALLOWED:
        for what, args in ARGUMENTS.items():
            yield f'{path} of {what}', lambda path=path, args=args: zipped(in_dict(call(path, *args)))


# ---------- what takes too much


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
    with zipfile.ZipFile(buffer, 'w', zipfile.ZIP_DEFLATED) as archive:
        with archive.open('archive/data.pkl', 'w', force_zip64=True) as file:
            for _ in range(size >> 20):
                file.write(bytes(2**20))
    return buffer.getvalue()


def odd_keys(keys, count=100_000):
    return in_dict(b'}(' + b''.join(keys(index) + b'N' for index in range(count)) + b'u')


LAUGHS = b'(lq\x00' + b''.join(b'(h%c%bl' % (index, bytes([ord('h'), index]) * 9) + b'q%c' % (index + 1) for index in range(60))
EMPTY = b'\x80\x02}.'
BOMBS = {
    'an encoded text, again and again': lambda: repeated(text('a' * 2**20), name('_codecs.encode') + b'h\0' + text('latin1')
                                                         + b'\x86R'),
    'a small text, again and again': lambda: repeated(text('a' * 300), name('_codecs.encode') + b'h\0' + text('latin1') + b'\x86R'),
    'a set of a list, again and again': lambda: repeated(pickled(list(range(10_000))), name('builtins.set') + b'h\0\x85R'),
    'a config of a dict, again and again':
    lambda: repeated(pickled(dict.fromkeys(range(10_000))), name('mmengine.config.config.ConfigDict') + b'h\0\x85R'),
    'an ordered dict, again and again':
    lambda: repeated(pickled([[key, 1] for key in range(10_000)]), name('collections.OrderedDict') + b'h\0\x85R'),
    'a size, again and again': lambda: repeated(pickled(tuple(range(10_000))), name('torch.Size') + b'h\0\x85R'),
    'a large number of NumPy, again and again': lambda: repeated(
        pickled(b'a' * 2**20), name('numpy.core.multiarray.scalar')
        + call('numpy.dtype', text('S1048576'), b'\x89\x88') + b'h\0\x86R', 20_000),
    'an array of the other byte order, again and again': lambda: repeated(
        pickled(b'a' * 2**20), call('numpy.core.multiarray._reconstruct', name('numpy.ndarray'), pickled((0, )), pickled(b'b'))
        + b'(' + number(1) + numbers([2**17]) + call('numpy.dtype', text('f8'), b'\x89\x88')
        + pickled((3, '>', None, None, None, -1, -1, 0)) + b'b\x89h\0tb', 20_000),
    'tensors': lambda: repeated(storage(), name('torch._utils._rebuild_tensor_v2') + b'(h\0' + number(0) + numbers([1])
                                + numbers([1]) + b'\x89NtR'),
    'parameters': lambda: repeated(tensor(), name('torch._utils._rebuild_parameter') + b'h\0\x89N\x87R'),
    'ordered dicts': lambda: flood(call('collections.OrderedDict'), 200_000),
    'defaultdicts': lambda: flood(call('collections.defaultdict'), 200_000),
    'histories': lambda: repeated(name('mmengine.logging.history_buffer.HistoryBuffer'), b'h\0)\x81', 1_000_000),
    'storages': lambda: repeated(b'(' + text('storage') + name('torch.FloatStorage') + text('0') + text('cpu') + number(4) + b't',
                                 b'h\0Q', 1_000_000),
    'devices': lambda: repeated(text('cpu'), name('torch.device') + b'h\0\x85R'),
    'empty sets': lambda: flood(b'\x8f', 4_000_000),
    'empty lists': lambda: flood(b']', 4_000_000),
    'empty dicts': lambda: flood(b'}', 1_999_900),
    'lists of lists': lambda: flood(b']]a', 660_000),
    'dicts of dicts': lambda: flood(b'}' + b'N}s', 499_000),
    'memoized': lambda: in_dict(b'N' + b'\x94' * 4_000_000),
    'memoized with long numbers': lambda: in_dict(b'N' + b''.join(b'r' + struct.pack('<I', i) for i in range(1_000_000))),
    'marks': lambda: in_dict(b'(' * 4_000_000),
    'copies of the top': lambda: flood(b'N2', 2_000_000),
    'floats': lambda: flood(b'G' + bytes(8), 1_000_000),
    'long numbers': lambda: flood(number(2**4000), 20_000),
    'one very long number': lambda: in_dict(number(2**(8 * 2**22))),
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
    'keys that collide, floats': lambda: odd_keys(lambda index: b'G' + struct.pack('>d', 2.**(index % 1000) * (index | 1))),
    'keys that collide, tuples': lambda: odd_keys(lambda index: number((2**61 - 1) * index) + b'\x85'),
    'members that collide': lambda: in_dict(b'\x8f(' + b''.join(number((2**61 - 1) * i) for i in range(100_000)) + b'\x90'),
    'members that collide, frozen': lambda: in_dict(b'(' + b''.join(number((2**61 - 1) * i) for i in range(100_000)) + b'\x91'),
    'pairs that collide': lambda: in_dict(call('collections.OrderedDict', b'(' + b''.join(
        number((2**61 - 1) * i) + b'N\x86' for i in range(100_000)) + b'l')),
}


def bombs():
    for what, make in BOMBS.items():
        def content(make=make):
            made = make()
            return made if made.startswith(b'PK') else zipped(made)
        yield what, content
        if what in ('tensors', 'lists, nested', 'bytes of a promised length', 'a frame of a promised length', 'memoized',
                    'an encoded text, again and again'):
            yield f'{what}, legacy', lambda make=make: legacy(make())
    large = (3000, 3000)
    yield 'large tensors that share memory', lambda: zipped(
        repeated(storage('1', 9_000_000), name('torch._utils._rebuild_tensor_v2') + b'(h\0' + number(0) + numbers(large)
                 + numbers((3000, 1)) + b'\x89NtR', 1000), **{'archive/data/1': bytes(36_000_000)})


# ---------- tensors and arrays that are not there

TENSORS = {
    'of 200,000 dimensions': dict(size=(1, ) * 200_000, stride=(1, ) * 200_000),
    'of 65 dimensions': dict(size=(1, ) * 65, stride=(1, ) * 65),
    'of dimensions without stride': dict(size=(1, ) * 3),
    'of absurd size': dict(size=(2**40, 2**40), stride=(2**40, 1)),
    'of more than 63 bits': dict(size=(2**63, ), stride=(1, )),
    'of more than 64 bits': dict(size=(2**80, ), stride=(1, )),
    'of no value and absurd size': dict(size=(0, 2**62, 2**62), stride=(1, 1, 1)),
    'of a negative size': dict(size=(-2, -2)),
    'with a negative stride': dict(stride=(-2, 1)),
    'with an absurd stride': dict(stride=(2**62, 2**62)),
    'with strides that overflow': dict(size=(3, ), stride=(2**63 - 1, )),
    'without strides, repeated': dict(size=(2**30, ), stride=(0, )),
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
            yield f'a tensor {what}, legacy', lambda args=args: legacy(in_dict(tensor(**args)), ['0'], struct.pack('<q', 4)
                                                                       + bytes(16))
    views = pickled(('1', 0, 4))
    yield 'a storage within a storage', lambda: legacy(in_dict(tensor(memory=storage(view=views))), ['0'],
                                                       struct.pack('<q', 4) + bytes(16))
    for keys in (['0', '0'], ['1'], [1], [['0']], []):
        yield f'the storages {keys}', lambda keys=keys: legacy(in_dict(tensor()), keys, struct.pack('<q', 4) + bytes(16))
    for count in (-1, 2**40, 2**62, 3):
        yield f'a storage of {count}', lambda count=count: legacy(in_dict(tensor()), ['0'], struct.pack('<q', count) + bytes(16))
    array = call('numpy.core.multiarray._reconstruct', name('numpy.ndarray'), pickled((0, )), pickled(b'b'))
    for kind in ('f8', 'O', 'V8', 'S999999999', 'U999999999', 'M8[ns]', 'f8,f8', '(9999,9999)f8', 'b' * 2**20):
        for shape in ((2**40, ), (0, 2**62), (-1, ), (1, ) * 70):
            if kind == 'f8' or shape == (0, 2**62):
                yield f'an array of {kind[:20]}, {shape[:2]}', lambda kind=kind, shape=shape: zipped(in_dict(
                    array + b'(' + number(1) + numbers(shape) + call('numpy.dtype', text(kind), b'\x89\x88') + b'\x89'
                    + pickled(b'1234') + b'tb'))


# ---------- the formats


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
            del content[place:place + rng.randint(1, 20)]
        else:
            content[place:place] = content[place:place + rng.randint(1, 100)]
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
    'of one tensor a million times': dict(one(), **{str(i): dict(dtype='F32', shape=[0], data_offsets=[16, 16])
                                                    for i in range(100_000)}),
    'that is a list': b'{}[]',
    'that is nested': b'{"a":' + b'[' * 200_000 + b']' * 200_000 + b'}',
    'that is nested, as text': dict(one(), __metadata__=dict(meta='[' * 200_000)),
    'of a tensor that is a list': dict(a=[]),
    'of metadata that is a list': dict(one(), __metadata__=[]),
    'of meta that is a list': dict(one(), __metadata__=dict(meta='[1]')),
    'of meta that is no JSON': dict(one(), __metadata__=dict(meta='{')),
    'of a long number': dict(one(), __metadata__=dict(meta='9' * 10_000)),
    'of many lists': dict(one(), __metadata__=dict(meta='[' + '[],' * 3_000_000 + '[]]')),
    'of a long name': {'a' * 5_000_000: one()['a']},
    'of a name that a terminal obeys': {'\x1b]0;owned\x07\x1b[2J': one()['a']},
    'of NaN': b'{"a": NaN}',
}


def formats():
    good, old = saved(everything()), saved(everything(), new=False)
    yield 'compressed zeros', lambda: deflated(2**28)
    yield 'a directory of two million entries', lambda: entries(200_000)
    yield 'a directory of some entries', lambda: entries(50_000)
    yield 'an entry twice', lambda: entries(1)
    yield 'a link', link
    for names in (('archive/constants.pkl', ), ('other/data.pkl', ), ('../../executed', ), ('/executed', ), ('archive/byteorder', ),
                  ('archive/\x1b[2J', ), ('a' * 60_000, )):
        yield f'entries {names[0][:30]!r}', lambda names=names: with_names(*names)
    yield 'big-endian', lambda: zipped(in_dict(tensor()), **{'archive/byteorder': b'big'})
    yield 'a byte order that a terminal obeys', lambda: zipped(EMPTY, **{'archive/byteorder': b'\x1b[2J' * 10**5})
    yield 'encrypted', lambda: changed(zipped(EMPTY), b'PK\x01\x02\x14\x03\x14\x00\x00\x00', b'PK\x01\x02\x14\x03\x14\x00\x01\x00')
    yield 'another size', lambda: changed(zipped(in_dict(tensor())), struct.pack('<2L', 16, 16), struct.pack('<2L', 16, 2**31))
    for part in range(1, 10):
        yield f'{part}0 % of a zip', lambda part=part: good[:len(good) * part // 10]
        yield f'{part}0 % of an old file', lambda part=part: old[:len(old) * part // 10]
    for content in (b'', b'PK', b'\x80', b'\x80\x02', b'{', b'\0' * 100, b'<html>', b'PK\x05\x06' + bytes(18), b'\x80\x02.',
                    b'\x80\xff}.', b'\x80\x02}.' * 5, b'\x80\x02N.' * 5):
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


# ---------- what is read as it should be, and holds what it should not

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


def corpus():
    """Name and maker of each file."""
    found = [*calls(), *bombs(), *tensors(), *formats(), *contents()]
    assert len({what for what, _ in found}) == len(found)
    return found
