"""A cascade, or its restorer, as an ONNX graph; and such a graph in the place of the networks."""

import copy
from pathlib import Path
from typing import List, Tuple, Union

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sr4ir_mm.errors import ConfigError, check_choice
from sr4ir_mm.models.batch import Batch
from sr4ir_mm.models.cascade import Cascade

#: the libraries, and how to get them
_INSTALL = "pip install 'onnx==1.16.2' 'onnxruntime==1.19.2'"
PARTS = ('restorer', 'cascade')


class _Restore(nn.Module):
    def __init__(self, cascade: Cascade) -> None:
        super().__init__()
        self.cascade = cascade

    def forward(self, lr: Tensor) -> Tensor:
        return self.cascade.restoration(lr)


class _RestoreAndRecognize(_Restore):
    """Beside ``sr`` what the recognizer's head says, before anything that needs the samples."""

    def forward(self, lr: Tensor) -> Tuple[Tensor, Tensor]:  # type: ignore[override]  # a graph with one output more
        sr = super().forward(lr)
        # nothing is padding here; to compare sizes would fix them
        return sr, self.cascade.task.logits(self.cascade.recognizer_input.normalize(sr))


def export_onnx(
    cascade: Cascade, path: Union[str, Path], part: str, meta: dict, size: int = 32, opset: int = 17
) -> float:
    """Write an ONNX graph and compare it with PyTorch.

    Its input is ``lr``, float32, RGB in [0, 1], (N, 3, h, w), of any N, h and w that the networks take. Its outputs are
    ``sr``, the same at s·h × s·w, and for the cascade ``logits``: (N, classes, s·h, s·w) of a segmentor, (N, classes)
    of a classifier, before the softmax.

    Args:
        cascade: The model, with its weights.
        path: Of the file.
        part: ``restorer`` or ``cascade``.
        meta: Strings that the file carries.
        size: Side of the image that the graph is traced with; it is compared at two others.
        opset: Version of ONNX's operators.

    Returns:
        The largest difference of the outputs from PyTorch's.

    Raises:
        ConfigError: The model cannot be exported, or the graph does not compute the same.
    """
    _import_onnxruntime()
    check_choice(part, PARTS, '--part')
    if cascade.restorer is None:
        raise ConfigError('The cascade has no restorer; export its recognizer with the tools of its own library.')
    if part == 'cascade' and cascade.recognizer is None:
        raise ConfigError('The cascade has no recognizer; export --part restorer.')
    network = (_Restore if part == 'restorer' else _RestoreAndRecognize)(cascade).eval()
    names = ['sr'] + ['logits'] * (part == 'cascade')
    dynamic = {'lr': {0: 'n', 2: 'h', 3: 'w'}, 'sr': {0: 'n', 2: 'sh', 3: 'sw'}}
    if part == 'cascade':
        dynamic['logits'] = {0: 'n', **cascade.task.logit_axes}
    try:
        with torch.no_grad():
            torch.onnx.export(
                _with_free_sizes(network),
                torch.rand(1, 3, size, size),
                str(path),
                input_names=['lr'],
                output_names=names,
                dynamic_axes=dynamic,
                opset_version=opset,
            )
    except ConfigError:
        raise
    except Exception as error:  # of all kinds, from the middle of PyTorch
        text = str(error).strip().splitlines() or [type(error).__name__]
        raise ConfigError(f'The {part} cannot be exported: {text[0]}') from error
    _write_meta(path, dict(meta, part=part, scale=str(cascade.scale)))
    return _compare(network, path, size)


class _Upsample(nn.Module):
    """mmseg's module of this name, which makes numbers of the sizes: a graph would keep those of the tracing."""

    def __init__(self, other: nn.Module) -> None:
        super().__init__()
        self.kwargs = dict(scale_factor=other.scale_factor, mode=other.mode, align_corners=other.align_corners)

    def forward(self, image: Tensor) -> Tensor:
        return F.interpolate(image, **self.kwargs)


def _with_free_sizes(network: nn.Module) -> nn.Module:
    """A copy that can be traced with one size and run with another."""
    from mmseg.models.utils import Upsample

    network = copy.deepcopy(network)
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, Upsample) and not child.size:
                setattr(module, name, _Upsample(child))
    return network


def _write_meta(path: Union[str, Path], meta: dict) -> None:
    import onnx

    model = onnx.load(str(path))
    for key, value in meta.items():
        model.metadata_props.add(key=key, value=value)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


@torch.no_grad()
def _compare(network: nn.Module, path: Union[str, Path], size: int) -> float:
    graph = OnnxGraph(path)
    worst = 0.0
    for n, height, width in ((1, size, size), (2, size + 8, size - 8), (1, size - 5, size + 13)):
        lr = torch.rand(n, 3, height, width)
        expected = network(lr)
        for one, other in zip(expected if isinstance(expected, tuple) else [expected], graph(lr)):
            if one.shape != other.shape:
                raise ConfigError(
                    f'The graph {path} gives {tuple(other.shape)} where PyTorch gives {tuple(one.shape)}, '
                    f'for an image of {height}×{width}: something in it is fixed to the size of the tracing.'
                )
            worst = max(worst, (one - other).abs().max().item())
    return worst


def _import_onnxruntime():
    try:
        import onnx  # noqa: F401
        import onnxruntime
    except ImportError as error:
        raise ConfigError(f'ONNX needs two more packages ({error}): {_INSTALL}') from error
    return onnxruntime


class OnnxGraph:
    """A file that :func:`export_onnx` wrote.

    Args:
        path: Of the file.
    """

    def __init__(self, path: Union[str, Path]) -> None:
        runtime = _import_onnxruntime()
        try:
            self._session = runtime.InferenceSession(str(path), providers=runtime.get_available_providers())
        except Exception as error:
            raise ConfigError(f'{path} is not an ONNX graph that can be run ({str(error).splitlines()[0]}).') from error
        self.meta = self._session.get_modelmeta().custom_metadata_map
        if self.meta.get('part') not in PARTS:
            raise ConfigError(f'{path} was not made by tools/deployment/export_onnx.py.')
        #: whether it recognizes too
        self.whole = self.meta['part'] == 'cascade'

    def __call__(self, lr: Tensor) -> List[Tensor]:
        outputs = self._session.run(None, {'lr': np.ascontiguousarray(lr.cpu().numpy())})
        return [torch.from_numpy(output).to(lr.device) for output in outputs]


class OnnxCascade:
    """Runs a graph in the place of a cascade's networks; padding, tiles and what is made of the logits stay.

    Args:
        cascade: The model; of what the graph computes, its weights are not used.
        graph: The graph.
    """

    def __init__(self, cascade: Cascade, graph: OnnxGraph) -> None:
        if int(graph.meta['scale']) != cascade.scale:
            raise ConfigError(f"The graph enlarges by {graph.meta['scale']}, but model.scale is {cascade.scale}.")
        self._graph = graph
        self._cascade = cascade
        self.whole = graph.whole

    def restore(self, lr: Tensor) -> Tensor:
        """As :meth:`Cascade.restore`."""
        return self._graph(lr)[0]

    def predict(self, batch: Batch, size: Tuple[int, int]) -> List:
        """As :meth:`Cascade.predict`, for a graph of the whole cascade: restored and recognized at once, without tiles.

        Args:
            batch: With ``lr``.
            size: Height and width that the recognizer expects.
        """
        sr, logits = self._graph(batch.lr)
        height, width = size
        if sr.shape[-2] < height or sr.shape[-1] < width:
            raise ConfigError(
                f'The recognizer wants its images padded to {height}×{width}, which a graph of the whole '
                'cascade does not do; use one of the restorer.'
            )
        sr = sr[..., :height, :width]
        if logits.ndim == 4:
            logits = logits[..., :height, :width]
        return self._cascade.attach_images(self._cascade.task.predict_from_logits(logits, batch), sr, batch)
