"""What would run, and what the reader does call, with arguments that it does not expect."""
import struct

from .opcodes import call, in_dict, legacy, name, number, pickled, text, zipped

CALLS = {
    'os.system': [text('touch executed')],
    'posix.system': [text('touch executed')],
    'nt.system': [text('touch executed')],
    'os.popen': [text('touch executed')],
    'os.execv': [text('/bin/touch'), pickled(['touch', 'executed'])],
    'os.posix_spawn': [text('/bin/touch'), pickled(['touch', 'executed']),
                       pickled({})],
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
    'torch._tensor._rebuild_from_type_v2': [name('builtins.int'),
                                            name('builtins.int'),
                                            pickled(()), b'N'],
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
ALLOWED = ('torch._utils._rebuild_tensor', 'torch._utils._rebuild_tensor_v2', 'torch._utils._rebuild_parameter',
           'torch.Size', 'torch.device', 'collections.OrderedDict', 'collections.defaultdict', 'builtins.set',
           'builtins.frozenset', 'builtins.getattr', '_codecs.encode', 'numpy.dtype',
           'numpy.core.multiarray._reconstruct', 'numpy.core.multiarray.scalar', 'mmengine.config.config.ConfigDict')
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
        'NEWOBJ':
        system + touch + b'\x81',
        'NEWOBJ_EX':
        system + touch + b'}\x92',
        'OBJ':
        b'(' + system + text('touch executed') + b'o',
        'INST':
        b'(' + text('touch executed') + b'iposix\nsystem\n',
        'STACK_GLOBAL':
        text('posix') + text('system') + b'\x93' + touch + b'R',
        'EXT1':
        b'\x82\x01',
        'EXT4':
        b'\x84\1\0\0\0',
        'BUILD':
        name('numpy.ndarray') + pickled(dict(a=1)) + b'b',
        'PERSID':
        b'Pexecuted\n',
        'BINPERSID of a list':
        pickled([1]) + b'Q',
        'NEXT_BUFFER':
        b'\x97',
        'BYTEARRAY8':
        b'\x96' + struct.pack('<Q', 2**40),
        'BUILD of a dict':
        b'}' + pickled(dict(a=1)) + b'b',
        'BUILD of an ordered dict':
        call('collections.OrderedDict') + pickled(dict(keys=1)) + b'b',
        'unknown opcode':
        b'\xff',
        'dotted name':
        name('collections.OrderedDict.clear'),
        'call of a result':
        call('torch.Size', pickled((1, ))) + b')R',
        'call of a class':
        name('builtins.list') + b')R',
        'call of a method':
        call('builtins.getattr', name('mmengine.optim.scheduler.param_scheduler.OneCycleParamScheduler'),
             text('_annealing_cos')) + pickled((1, 2, 3)) + b'R'
    }
    for way, content in ways.items():
        yield f'by {way}', lambda content=content: zipped(in_dict(content))
    for path in ALLOWED:
        for what, args in ARGUMENTS.items():
            yield f'{path} of {what}', lambda path=path, args=args: zipped(in_dict(call(path, *args)))
