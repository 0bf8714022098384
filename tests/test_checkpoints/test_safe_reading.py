"""What a checkpoint may hold comes back as it was; all else is refused with a sentence, and nothing of it is run."""

import hashlib
import http.server
import io
import json
import os
import pickle
import resource
import struct
import threading
import zipfile
from collections import OrderedDict, defaultdict
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.logging import HistoryBuffer
from mmengine.runner import CheckpointLoader

from sr4ir_mm.checkpoints import (
    load_checkpoint,
    read_file,
    save_checkpoint,
    trust_checkpoints,
    use_safe_loader,
    zoo_url,
)
from sr4ir_mm.checkpoints import loader as loader_module
from sr4ir_mm.errors import CheckpointError, ConfigError, quote, some


def history(*values):
    buffer = HistoryBuffer()
    for value in values:
        buffer.update(value)
    return buffer


def everything():
    """What MMEngine, its libraries and we put into checkpoints."""
    shared = torch.arange(12, dtype=torch.float32)
    weights = OrderedDict(
        weight=shared.view(3, 4),
        view=shared[2:8:2],
        transposed=shared.view(3, 4).t(),
        half=torch.randn(3).half(),
        brain=torch.randn(3).bfloat16(),
        count=torch.tensor(7),
        empty=torch.zeros(0, 3),
        flag=torch.tensor([True, False]),
        complex=torch.randn(2, dtype=torch.complex64),
        parameter=torch.nn.Parameter(torch.ones(2)),
    )
    weights._metadata = OrderedDict({'': dict(version=2)})
    return dict(
        meta=dict(
            epoch=3,
            time='20240101',
            seed=None,
            classes=('a', 'b'),
            palette=[[1, 2, 3]],
            best=np.float64(0.25),
            count=np.int64(3),
            settings=ConfigDict(a=1, b=dict(c=[dict(d=2)])),
            cfg=Config(dict(model=dict(a=1))),
            names={'x', 'y'},
        ),
        state_dict=weights,
        message_hub=dict(
            log_scalars=OrderedDict({'train/loss': history(1.0, 2.0, 3.0)}), runtime_info=OrderedDict(iter=4)
        ),
        optimizer=dict(
            state={0: dict(step=torch.tensor(3.0), exp_avg=torch.ones(2))}, param_groups=[dict(lr=1e-4, params=[0])]
        ),
        random=(3, (1, 2, 2**31), None),
        array=np.arange(6, dtype='i4').reshape(2, 3),
        text=np.array(['ab', 'c']),
        size=torch.Size([1, 2]),
        device=torch.device('cpu'),
        dtype=torch.float16,
        mapping=defaultdict(list, a=[1]),
        raw=b'\x00\xff',
    )


def assert_same(found, expected):
    assert type(found) is type(expected)
    if isinstance(expected, dict):
        assert list(found) == list(expected)
        for key in expected:
            assert_same(found[key], expected[key])
    elif isinstance(expected, (list, tuple)):
        assert len(found) == len(expected)
        for one, other in zip(found, expected):
            assert_same(one, other)
    elif isinstance(expected, torch.Tensor):
        assert found.dtype == expected.dtype and found.stride() == expected.stride() and torch.equal(found, expected)
        assert found.requires_grad == expected.requires_grad
    elif isinstance(expected, np.ndarray):
        assert found.dtype == expected.dtype and np.array_equal(found, expected)
    elif isinstance(expected, HistoryBuffer):
        assert np.array_equal(found._log_history, expected._log_history) and found.mean() == expected.mean()
        assert found.statistics('max') == expected.statistics('max')
    elif isinstance(expected, Config):
        assert found.to_dict() == expected.to_dict()
    else:
        assert found == expected


@pytest.mark.parametrize('zipped', [True, False], ids=['zip', 'before 1.6'])
def test_what_the_libraries_write_comes_back_as_it_was(tmp_path, zipped):
    path = str(tmp_path / 'a.pth')
    expected = everything()
    torch.save(expected, path, _use_new_zipfile_serialization=zipped)
    found = load_checkpoint(path)
    assert_same(found, expected)
    assert found['state_dict']._metadata == {'': dict(version=2)}
    weights = found['state_dict']
    assert weights['weight'].untyped_storage().data_ptr() == weights['view'].untyped_storage().data_ptr()
    # and it can be written again, with the libraries' own classes only
    torch.save(found, path)
    assert_same(load_checkpoint(path), expected)


def test_safetensors(tmp_path):
    path = str(tmp_path / 'a.safetensors')
    weights = dict(a=torch.randn(3, 4).t(), b=torch.arange(3), c=torch.randn(2).bfloat16())
    save_checkpoint(dict(meta=dict(classes=('a', 'b'), epoch=3), state_dict=weights), path)
    found = load_checkpoint(path)
    assert found['meta'] == dict(classes=['a', 'b'], epoch=3)
    assert all(torch.equal(found['state_dict'][name], value) for name, value in weights.items())
    with pytest.raises(CheckpointError, match='The meta of .* has to be text'):
        save_checkpoint(dict(meta=dict(a=torch.ones(1)), state_dict=weights), path)


# ---------- the gallery of malice


class Calls:
    """A pickle that calls a function when it is read."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


def zip_of(path, content):
    torch.save(content, path)


def legacy_of(path, content):
    torch.save(content, path, _use_new_zipfile_serialization=False)


def raw_pickle(path, opcodes):
    """A zip as torch.save makes it, with a pickle of our own."""
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('archive/data.pkl', opcodes)
        archive.writestr('archive/version', '3\n')
        archive.writestr('archive/data/0', struct.pack('<4f', 1, 2, 3, 4))


def tensor_pickle(storage_size=4, size=(2, 2), stride=(2, 1), offset=0):
    """The pickle of a dict with a tensor that is described like this."""

    def numbers(values):
        return b'(' + b''.join(b'I%d\n' % value for value in values) + b't'

    return (
        b'\x80\x02}X\x01\x00\x00\x00actorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\n'
        b'X\x01\x00\x00\x000X\x03\x00\x00\x00cpuI%d\ntQI%d\n'
        % (storage_size, offset)
        + numbers(size)
        + numbers(stride)
        + b'\x89ccollections\nOrderedDict\n)RtRs.'
    )


def cut(path):
    zip_of(path, everything())
    path.write_bytes(path.read_bytes()[:-300])


def cut_legacy(path):
    legacy_of(path, everything())
    path.write_bytes(path.read_bytes()[:-10])


def flipped(path):
    zip_of(path, dict(a=torch.zeros(1000)))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def flipped_legacy(path):
    legacy_of(path, dict(a=torch.zeros(10)))
    content = bytearray(path.read_bytes())
    content[content.index(b'FloatStorage')] ^= 1
    path.write_bytes(content)


def bomb(path):
    with (
        zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive,
        archive.open('archive/data.pkl', 'w', force_zip64=True) as file,
    ):
        for _ in range(64):
            file.write(bytes(2**20))


def overlapping(path):
    """A zip bomb without compression: the directory lists one stretch of the file many times."""
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('archive/data.pkl', bytes(100_000))
        archive.filelist += archive.filelist * 99


def large_legacy(path):
    legacy_of(path, dict(a=torch.zeros(4)))
    content = path.read_bytes()
    size = b'K\x04N'  # four numbers, and no view
    assert content.count(size) == 1
    path.write_bytes(content.replace(size, b'\x8a\x05\x00\x00\x00\x00\x10N'))


def script(path):
    torch.jit.save(torch.jit.trace(torch.nn.ReLU(), torch.ones(1)), str(path))


def safetensors_out_of_bounds(path):
    header = json.dumps(dict(a=dict(dtype='F32', shape=[2**40], data_offsets=[0, 2**42]))).encode()
    path.write_bytes(struct.pack('<Q', len(header)) + header + bytes(16))


def deep_key(path):
    """A tuple of 100,000 nested tuples as key: hashing one of more would overflow the stack of the process."""
    raw_pickle(path, b'\x80\x02})' + b'\x85' * 100_000 + b'Ns.')


class Nested:
    """A call within the arguments of a call, and one among what is added to its result."""

    def __reduce__(self):
        return map, (eval, ["open('executed', 'w')"]), None, iter([Calls(os.system, 'touch executed')])


def nested(path):
    zip_of(path, dict(state_dict=[dict(a=Nested())]))


def sized_array(path):
    """A NumPy array that says it has a thousand billion values."""
    raw_pickle(
        path,
        b'\x80\x02cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nI0\n\x85X\x01\x00\x00\x00btR'
        b'(I1\nI1000000000000\n\x85cnumpy\ndtype\n(X\x02\x00\x00\x00f8\x89\x88tR\x89X\x01\x00\x00\x00 tb.',
    )


BAD = {
    'os.system': (lambda path: zip_of(path, dict(a=Calls(os.system, 'touch executed'))), r'asks for posix\.system'),
    'os.system, before 1.6': (
        lambda path: legacy_of(path, dict(a=Calls(os.system, 'touch executed'))),
        r'posix\.system',
    ),
    'eval': (lambda path: zip_of(path, dict(a=Calls(eval, "open('executed', 'w')"))), r'builtins\.eval'),
    'exec': (lambda path: zip_of(path, dict(a=Calls(exec, "open('executed', 'w')"))), r'builtins\.exec'),
    'open': (lambda path: zip_of(path, dict(a=Calls(open, 'executed', 'w'))), r'io\.open|builtins\.open'),
    'getattr of a list': (lambda path: zip_of(path, dict(a=Calls(getattr, [], 'append'))), r'builtins\.getattr'),
    'getattr of a history': (
        lambda path: zip_of(path, Calls(getattr, HistoryBuffer, '__init__')),
        r'builtins\.getattr',
    ),
    'nested reduce': (nested, r'asks for'),
    'a loader within': (lambda path: zip_of(path, Calls(torch.storage._load_from_bytes, b'')), '_load_from_bytes'),
    'a file by a config': (
        lambda path: raw_pickle(path, b'\x80\x02cmmengine.config.config\nConfig\n(NNX\x0b\x00\x00\x00/etc/passwdtR.'),
        'calls something that is not a function',
    ),
    'a changed class': (
        lambda path: raw_pickle(
            path, b'\x80\x02cmmengine.logging.history_buffer\nHistoryBuffer\n}X\x04\x00\x00\x00meanNsb.'
        ),
        'changes a type',
    ),
    'old opcodes': (
        lambda path: raw_pickle(path, b"(S'touch executed'\nios\nsystem\n."),
        'damaged, cut off or of another',
    ),
    'zip bomb': (bomb, 'compressed entries'),
    'zip bomb without compression': (overlapping, 'claims more data than the file holds'),
    'cut off': (cut, 'damaged or cut off'),
    'cut off, before 1.6': (cut_legacy, 'cut off'),
    'a bit': (flipped, 'damaged'),
    'a bit, before 1.6': (flipped_legacy, 'asks for|damaged|cannot be read'),
    'a storage larger than the file': (lambda path: raw_pickle(path, tensor_pickle(storage_size=2**40)), 'is to have'),
    'a storage larger than the file, before 1.6': (large_legacy, 'a storage of .* bytes is described in a file of'),
    'a tensor beyond its storage': (lambda path: raw_pickle(path, tensor_pickle(offset=1)), 'its storage has 4'),
    'a tensor of absurd size': (
        lambda path: raw_pickle(path, tensor_pickle(size=(2**40, 2), stride=(0, 1))),
        'its storage has 4',
    ),
    'a negative stride': (lambda path: raw_pickle(path, tensor_pickle(stride=(-2, 1))), 'described wrongly'),
    'an array of absurd size': (sized_array, 'another size than its content|described wrongly|text is'),
    'a key that overflows the stack': (deep_key, 'a dict has a tuple as key'),
    'safetensors beyond the file': (safetensors_out_of_bounds, 'damaged, cut off or of another format'),
    'TorchScript': (script, 'TorchScript program|compressed entries'),
    'another pickle': (lambda path: path.write_bytes(pickle.dumps([1], 2)), 'cannot be read|damaged'),
    'HTML': (lambda path: path.write_bytes(b'<!DOCTYPE html><html>404</html>'), 'as neither a file of torch.save'),
    'another zip': (lambda path: zipfile.ZipFile(path, 'w').writestr('a.txt', 'a'), 'without a pickle of PyTorch'),
    'empty': (lambda path: path.write_bytes(b''), 'it is empty'),
    'a list': (lambda path: zip_of(path, [1, 2]), 'holds a list'),
}


@pytest.mark.parametrize('name', BAD)
def test_a_bad_checkpoint_is_refused_and_nothing_is_run(tmp_path, monkeypatch, name):
    make, message = BAD[name]
    path = tmp_path / 'bad.pth'
    make(path)
    monkeypatch.chdir(tmp_path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(CheckpointError, match=message) as error:
        load_checkpoint(str(path))
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**10
    assert grown < 150, f'{grown} MiB'
    assert str(path) in str(error.value) and '\n' not in str(error.value)
    assert not (tmp_path / 'executed').exists()
    assert HistoryBuffer.mean is not None


@pytest.mark.parametrize(
    'text, shown',
    [
        ('layer1.0.conv/weight:0', 'layer1.0.conv/weight:0'),
        ('a b', "'a b'"),
        ('', "''"),
        ('\x1b]0;owned\x07', "'\\x1b]0;owned\\x07'"),
        ('a\nb', "'a\\nb'"),
        ('\u202ea', "'\\u202ea'"),
        ('\udc80', "'\\udc80'"),
        ('a' * 5_000_000, 'a' * 80 + '…'),
        (3, '3'),
        (10**1000, 'an absurd number'),
        ([1], 'a list'),
        (None, 'None'),
    ],
)
def test_text_of_a_file_is_shown_so_that_no_terminal_obeys_it(text, shown):
    assert quote(text) == shown


def test_names_are_shown_so_too():
    assert some(['a', 'b\n', 'c', 'd']) == "a, 'b\\n', c" and some([]) == 'nothing'


def test_memory_grows_with_the_file_only(tmp_path):
    """A thousand tensors that are the same memory, or a hundred real ones, are no attack."""
    shared = torch.zeros(2**20)
    content = dict(state_dict={f'{index}': shared for index in range(20)}, views=[shared[:5]] * 1000)
    content.update({f'{index}': torch.zeros(2**10) for index in range(100)})
    torch.save(content, tmp_path / 'a.pth')
    found = load_checkpoint(str(tmp_path / 'a.pth'))
    assert found['state_dict']['3'].data_ptr() == found['state_dict']['7'].data_ptr()
    torch.save(dict(a=[shared.view(2**10, 2**10)[index:] for index in range(1000)]), tmp_path / 'a.pth')
    with pytest.raises(CheckpointError, match='its tensors share memory'):
        load_checkpoint(str(tmp_path / 'a.pth'))


def test_many_tensors_are_no_attack(tmp_path):
    """20,000: those of a network with 4,000 tensors, its average and what Adam keeps."""
    memory = torch.ones(20_000, 2)  # one, since the test is not about the entries of a zip archive
    torch.save({f'layer{index}.weight': memory[index] for index in range(20_000)}, tmp_path / 'a.pth')
    assert len(load_checkpoint(str(tmp_path / 'a.pth'))) == 20_000


def test_trust_is_asked_for(tmp_path):
    path = str(tmp_path / 'a.pth')
    torch.save(dict(state_dict=dict(a=torch.ones(1)), when=Calls(complex, 1, 2)), path)
    with pytest.raises(CheckpointError, match='builtins.complex.*nothing of it was run.*--trust-checkpoint'):
        load_checkpoint(path)
    with trust_checkpoints():
        assert load_checkpoint(path)['when'] == 1 + 2j
        with trust_checkpoints(False), pytest.raises(CheckpointError, match='builtins.complex'):
            load_checkpoint(path)
        with ThreadPoolExecutor() as pool, pytest.raises(CheckpointError, match='builtins.complex'):
            pool.submit(load_checkpoint, path).result()
    with pytest.raises(CheckpointError, match='builtins.complex'):
        load_checkpoint(path)


@pytest.mark.parametrize('zipped', [True, False])
def test_bit_flips_all_over_a_file(tmp_path, zipped):
    """None crashes or hangs; what is read nevertheless had its bit where nothing is told by it."""
    path = tmp_path / 'a.pth'
    torch.save(everything(), path, _use_new_zipfile_serialization=zipped)
    whole = path.read_bytes()
    refused, rng = 0, np.random.RandomState(0)
    for position in rng.randint(0, len(whole), 150):
        content = bytearray(whole)
        content[position] ^= 1 << rng.randint(8)
        path.write_bytes(content)
        try:
            read_file(str(path))
        except CheckpointError:
            refused += 1
    assert refused > (50 if zipped else 20)


# ---------- where they come from


@pytest.fixture
def server(tmp_path, monkeypatch):
    folder = tmp_path / 'served'
    folder.mkdir()
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    monkeypatch.setattr(http.server.SimpleHTTPRequestHandler, 'log_message', lambda *args: None)
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path / 'cache'))
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield folder, f'http://127.0.0.1:{httpd.server_port}'
        httpd.shutdown()


def published(folder, content, name='net'):
    buffer = io.BytesIO()
    torch.save(content, buffer)
    digest = hashlib.sha256(buffer.getvalue()).hexdigest()[:8]
    path = folder / f'{name}-{digest}.pth'
    path.write_bytes(buffer.getvalue())
    return path


def test_a_download_is_compared_with_the_hash_in_its_name(server, tmp_path):
    folder, url = server
    path = published(folder, dict(state_dict=dict(a=torch.ones(2))))
    assert load_checkpoint(f'{url}/{path.name}')['state_dict']['a'].sum() == 2
    cached = tmp_path / 'cache/checkpoints' / path.name
    cached.write_bytes(published(folder, dict(state_dict=dict(a=torch.zeros(2))), 'other').read_bytes())
    with pytest.raises(CheckpointError, match='its name says .*; delete it'):
        load_checkpoint(f'{url}/{path.name}')
    (folder / 'net-0123abcd.pth').write_bytes(path.read_bytes())
    with pytest.raises(CheckpointError, match='download .* is refused.*0123abcd'):
        load_checkpoint(f'{url}/net-0123abcd.pth')
    with pytest.raises(CheckpointError, match='cannot be downloaded .*404'):
        load_checkpoint(f'{url}/missing-0123abcd.pth')


def test_every_scheme_of_mmengine_is_safe(server, monkeypatch):
    folder, url = server
    bad = f'{url}/{published(folder, dict(a=Calls(os.system, "true"))).name}'
    monkeypatch.setattr(loader_module, 'get_torchvision_models', lambda: dict(net=bad))
    monkeypatch.setattr(loader_module, 'get_external_models', lambda: dict(net=bad))
    monkeypatch.setattr(loader_module, 'get_mmcls_models', lambda: dict(net=bad))
    monkeypatch.setattr(loader_module, 'zoo_url', lambda name: bad)
    use_safe_loader()
    for name in (
        bad,
        'torchvision://net',
        'modelzoo://net',
        'open-mmlab://net',
        'openmmlab://net',
        'mmcls://net',
        'mmseg::net',
        'mmdet::net',
        'mmpretrain::net',
        'mmagic::net',
    ):
        with pytest.raises(CheckpointError, match='posix.system'):
            CheckpointLoader.load_checkpoint(name, 'cpu')
    with pytest.raises(CheckpointError, match='pavi:// is not supported'):
        CheckpointLoader.load_checkpoint('pavi://net', 'cpu')
    # a scheme that a later MMEngine brings would be unsafe: then this package has to know it
    ours = {loader for loader in CheckpointLoader._schemes.values() if loader.__module__ == loader_module.__name__}
    assert ours == set(CheckpointLoader._schemes.values())


def test_names_of_the_zoos():
    name = 'fcn_r50-d8_4xb2-40k_cityscapes-512x1024'
    url = zoo_url(f'mmseg::{name}')
    assert url.startswith('https://') and url.endswith('.pth')
    assert zoo_url(f'mmseg::fcn/{name}') == zoo_url(f'mmseg::fcn/{name}.py') == url
    with pytest.raises(ConfigError, match="no model or config named 'fcn_r50_cityscapes'.*the nearest are"):
        zoo_url('mmseg::fcn_r50_cityscapes')
    with pytest.raises(ConfigError, match="the library of a checkpoint is 'mmsegmentation'"):
        zoo_url('mmsegmentation::fcn')
