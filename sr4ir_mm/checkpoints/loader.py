"""One way in for every checkpoint, whatever its format and wherever it lies, and one way out."""

import hashlib
import io
import json
import os
import os.path as osp
import re
import tempfile
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Dict, Iterator, Optional
from urllib.error import URLError
from urllib.parse import urlparse

import torch
from mmengine.dist import barrier, master_only
from mmengine.fileio import get_file_backend
from mmengine.logging import print_log
from mmengine.runner import CheckpointLoader
from mmengine.runner.checkpoint import (
    _get_mmengine_home,
    get_deprecated_model_names,
    get_external_models,
    get_mmcls_models,
    get_torchvision_models,
)
from mmengine.utils import apply_to

from sr4ir_mm.errors import CheckpointError, check_choice, quote
from sr4ir_mm.utils.files import write_at_once

from .budget import check_structure
from .formats import read_legacy, read_safetensors, read_zip
from .integrity import open_archive
from .unpickler import Refused
from .zoo import ZOO_SCOPES, zoo_url

_trusts: ContextVar[bool] = ContextVar('trusts', default=False)


@contextmanager
def trust_checkpoints(trust: bool = True) -> Iterator[None]:
    """Read files of PyTorch with ``torch.load``, which runs whatever they ask for, within this context only.

    Threads that are started in it do not trust.

    Args:
        trust: False: read them safely, even where an outer context trusts them.
    """
    token = _trusts.set(trust)
    try:
        yield
    finally:
        _trusts.reset(token)


def is_trusted() -> bool:
    """Return whether this is within :func:`trust_checkpoints`."""
    return _trusts.get()


def use_safe_loader() -> None:
    """Let MMEngine read every checkpoint through :func:`load_checkpoint`, by its own extension point.

    So ``load_from``, ``resume``, and each ``init_cfg`` of each host library go through it too, whatever the scheme. The
    tools and the hook that resumes call this; it holds for the process.
    """
    for prefix, loader in _LOADERS.items():
        CheckpointLoader.register_scheme(prefix, loader, force=True)


@contextmanager
def safe_loading() -> Iterator[None]:
    """Let MMEngine read every checkpoint through :func:`load_checkpoint` within this context."""
    before = dict(CheckpointLoader._schemes)
    use_safe_loader()
    try:
        yield
    finally:
        CheckpointLoader._schemes = before


def load_checkpoint(path: str, map_location: Any = 'cpu') -> Dict[str, Any]:
    """Read a checkpoint without running what it says.

    Args:
        path: A local path, a URL, or a name: ``mmseg::…``, ``mmdet::…``, ``mmpretrain::…``, ``mmagic::…`` (a model or
            config of their zoos), ``torchvision://…``, ``open-mmlab://…``. Files are recognized by their content: of
            ``torch.save``, old and new, and safetensors.
        map_location: Device of the tensors.

    Returns:
        The dict that was saved, but for ``meta['config']``, which MMEngine's ``Runner.resume`` would run; of a
        safetensors file ``meta`` and ``state_dict``.

    Raises:
        CheckpointError: It is damaged, no checkpoint, or asks for more than tensors, containers, numbers, NumPy arrays
            and MMEngine's history and config types, or for more time and memory than :mod:`.budget` allows.
    """
    with safe_loading():
        return CheckpointLoader.load_checkpoint(str(path), map_location)


def read_file(path: str, name: Optional[str] = None) -> Dict[str, Any]:
    """Read a local file, see :func:`load_checkpoint`.

    Args:
        path: Path of the file.
        name: What to call it in messages.
    """
    name = name or path
    if not osp.isfile(path):
        raise CheckpointError(f'The checkpoint {name} does not exist.')
    try:
        content = _read(path)
    except Refused as error:
        raise CheckpointError(
            f'The checkpoint {name} asks for {error}, and checkpoints may hold only tensors, containers, numbers, '
            "NumPy arrays and MMEngine's history and config types; nothing of it was run. If you know who made it, "
            'and only then, read it with --trust-checkpoint.'
        ) from error
    except CheckpointError as error:
        message = str(error)
        raise CheckpointError(
            message if message.startswith('The checkpoint') else f'The checkpoint {name} cannot be read: {message}.'
        ) from error
    except Exception as error:  # a machine for pickles can stumble over anything
        raise CheckpointError(
            f'The checkpoint {name} is damaged, cut off or of another format ({type(error).__name__}: '
            f'{quote(error, 200)}).'
        ) from error
    if not isinstance(content, dict):
        raise CheckpointError(f'The checkpoint {name} holds a {type(content).__name__}; a dict is needed.')
    for key in ('meta', 'state_dict'):
        if not isinstance(content.get(key, {}), dict):
            raise CheckpointError(
                f'The checkpoint {name} holds a {type(content[key]).__name__} as `{key}`; a dict is ' 'needed.'
            )
    odd = next((key for key in content.get('state_dict', ()) if not isinstance(key, str)), None)
    if odd is not None:
        raise CheckpointError(f'The checkpoint {name} has a {type(odd).__name__} as name of a weight; text is needed.')
    content.get('meta', {}).pop('config', None)
    return content


def _read(path: str) -> Any:
    with open(path, 'rb') as file:
        start = file.read(16)
    if start[8:9] == b'{':
        content = read_safetensors(path)
    elif is_trusted():
        return torch.load(path, map_location='cpu', weights_only=False)
    elif start[:2] == b'PK':
        with open_archive(path) as archive:
            content = read_zip(archive, osp.getsize(path))
    elif start[:1] == b'\x80':
        with open(path, 'rb') as file:
            content = read_legacy(file, osp.getsize(path))
    else:
        raise CheckpointError(
            f'it begins with {start!r}, as neither a file of torch.save nor safetensors does'
            if start
            else 'it is empty'
        )
    check_structure(content)
    return content


def save_checkpoint(checkpoint: dict, path: str) -> None:
    """Write a checkpoint at once: a reader, or a run that is interrupted, never leaves half of it.

    Args:
        checkpoint: With ``state_dict`` and, possibly, ``meta``.
        path: ``….safetensors``: these two, ``meta`` as JSON, in which tuples are lists. Else all, by ``torch.save``.
    """
    if path.endswith('.safetensors'):
        from safetensors.torch import save

        try:
            meta = json.dumps(checkpoint.get('meta', {}))
        except TypeError as error:
            raise CheckpointError(f'The meta of {path} has to be text, numbers and lists ({error}).') from error
        tensors = {name: value.detach().clone().contiguous() for name, value in checkpoint['state_dict'].items()}
        content = save(tensors, dict(format='pt', meta=meta))
    else:
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        content = buffer.getvalue()
    try:
        write_at_once(path, content, sync=True)
    except OSError as error:
        raise CheckpointError(f'The checkpoint {path} cannot be written: {error.strerror or error}.') from error


# ---------- the schemes of MMEngine


def _load_from_local(path: str, map_location: Any = None) -> dict:
    return _to_device(read_file(osp.expanduser(path)), map_location)


def _load_from_http(url: str, map_location: Any = None) -> dict:
    return _to_device(read_file(download(url), url), map_location)


def _load_from_ceph(url: str, map_location: Any = None) -> dict:
    with tempfile.NamedTemporaryFile() as file:
        file.write(get_file_backend(url, backend_args=dict(backend='petrel')).get(url))
        file.flush()
        return _to_device(read_file(file.name, url), map_location)


def _load_from_pavi(url: str, map_location: Any = None) -> dict:
    raise CheckpointError(f'The checkpoint {url} cannot be read: pavi:// is not supported; download the file.')


def _load_from_torchvision(name: str, map_location: Any = None) -> dict:
    urls = get_torchvision_models()
    return _load_from_http(urls[check_choice(name.split('://')[1], urls, 'the torchvision checkpoint')], map_location)


def _load_from_openmmlab(name: str, map_location: Any = None) -> dict:
    urls, model = get_external_models(), name.split('://')[1]
    url = urls[check_choice(get_deprecated_model_names().get(model, model), urls, 'the open-mmlab checkpoint')]
    if '://' in url:
        return _load_from_http(url, map_location)
    return _load_from_local(osp.join(_get_mmengine_home(), url), map_location)


def _load_from_mmcls(name: str, map_location: Any = None) -> dict:
    urls = get_mmcls_models()
    checkpoint = _load_from_http(urls[check_choice(name.split('://')[1], urls, 'the mmcls checkpoint')], map_location)
    weights = checkpoint.get('state_dict', checkpoint)
    return dict(
        state_dict={key[len('backbone.') :]: value for key, value in weights.items() if key.startswith('backbone.')}
    )


def _load_from_zoo(name: str, map_location: Any = None) -> dict:
    return _load_from_http(zoo_url(name), map_location)


_LOADERS = {
    '': _load_from_local,
    'http://': _load_from_http,
    'https://': _load_from_http,
    'pavi://': _load_from_pavi,
    r'(\S+\:)?s3://': _load_from_ceph,
    r'(\S+\:)?petrel://': _load_from_ceph,
    'modelzoo://': _load_from_torchvision,
    'torchvision://': _load_from_torchvision,
    'open-mmlab://': _load_from_openmmlab,
    'openmmlab://': _load_from_openmmlab,
    'mmcls://': _load_from_mmcls,
    **{f'{scope}::': _load_from_zoo for scope in ZOO_SCOPES},
}


def _to_device(checkpoint: dict, map_location: Any) -> dict:
    if map_location is None or str(map_location) == 'cpu':
        return checkpoint
    return apply_to(checkpoint, lambda value: isinstance(value, torch.Tensor), lambda value: value.to(map_location))


def download(url: str) -> str:
    """Bring a file into the cache of PyTorch, where it is not there yet, and compare it with the hash in its name.

    Args:
        url: ``…-<the first digits of its SHA-256>.pth``; a file with no hash in its name is taken with a warning.

    Returns:
        Its local path.

    Raises:
        CheckpointError: It cannot be downloaded, or its hash is another one.
    """
    name = osp.basename(urlparse(url).path)
    path = osp.join(torch.hub.get_dir(), 'checkpoints', name)
    found = re.search(r'-([0-9a-f]{8,64})\.[^.]+$', name)
    _fetch(url, path, found[1] if found else None)
    barrier()
    if found:
        _check_hash(path, found[1], url)
    return path


@master_only
def _fetch(url: str, path: str, sha256: Optional[str]) -> None:
    if osp.exists(path):
        return
    if sha256 is None:
        print_log(
            f'{url} has no hash in its name, so the download cannot be verified.',
            'current',
            level=30,
        )
    os.makedirs(osp.dirname(path), exist_ok=True)
    try:
        torch.hub.download_url_to_file(url, path, sha256, progress=False)
    except RuntimeError as error:
        raise CheckpointError(f'The download of {url} is refused: {error}.') from error
    except (URLError, OSError) as error:
        raise CheckpointError(f'{url} cannot be downloaded ({error}).') from error


def _check_hash(path: str, sha256: str, url: str) -> None:
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        for block in iter(lambda: file.read(2**20), b''):
            digest.update(block)
    if not digest.hexdigest().startswith(sha256):
        raise CheckpointError(
            f'{path}, which was downloaded from {url}, has the SHA-256 {digest.hexdigest()[:16]}…, but '
            f'its name says {sha256}; delete it to have it downloaded again.'
        )
