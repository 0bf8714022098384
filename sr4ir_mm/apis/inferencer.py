"""Restores and recognizes images with a trained cascade."""

import os.path as osp
from difflib import get_close_matches
from functools import partial
from typing import Callable, Dict, Iterator, List, Optional, Sequence, Union

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.fileio import load
from mmengine.infer import BaseInferencer
from mmengine.registry import init_default_scope
from rich.progress import track
from torch import Tensor, nn

from sr4ir_mm.checkpoints import trust_checkpoints, use_safe_loader
from sr4ir_mm.checkpoints.integrity import check_filled
from sr4ir_mm.config import check_file, check_first_edition, check_weights
from sr4ir_mm.engine import apply_efficiency
from sr4ir_mm.errors import ConfigError, check_choice
from sr4ir_mm.models.batch import Batch
from sr4ir_mm.models.padding import pad_to_size
from sr4ir_mm.models.tiling import restore_in_tiles
from sr4ir_mm.utils.images import MAX_PIXELS, ImageError, list_images, read_image, to_uint8, unique_names
from sr4ir_mm.visualization import PanelDrawer

from .metadata import check_classes, config_of, dataset_meta
from .onnx import OnnxCascade, OnnxGraph
from .outputs import OutputFolder, Result

#: what stops one image, and not all of them
_IMAGE_ERRORS = (ConfigError, OSError, RuntimeError, MemoryError)


class CascadeInferencer(BaseInferencer):
    """Restore and recognize images: low-resolution ones as they are, or clean ones that are degraded first.

    Args:
        model: Path of a config, name of one of the configs of this project, or a config. None: the one that the
            checkpoint carries, for which ``trust_checkpoint`` is needed: a config is code.
        weights: Path or URL of the checkpoint.
        device: For example ``cpu`` or ``cuda:0``; default: a GPU where there is one.
        show_progress: Whether a bar shows how many images are done.
        cfg_options: Overrides settings of the config.
        onnx: Path of a graph that tools/deployment/export_onnx.py wrote, to run in the place of the restorer, or of the
            whole cascade; the latter needs no checkpoint, but for panels.

        trust_checkpoint: Whether the checkpoint may run any code of its maker.

    Raises:
        ConfigError: What is wrong with config or checkpoint, or does not fit together.

    Example:
        >>> inferencer = CascadeInferencer('sr4ir_fpn_edsr_x4_demo', 'epoch_4.pth')
        >>> inferencer('small.png')['predictions'][0]['area']
    """

    preprocess_kwargs = {'degrade', 'max_pixels'}
    forward_kwargs = {'tile', 'overlap'}
    visualize_kwargs = {'panel'}
    postprocess_kwargs = {'coordinates'}

    def __init__(
        self,
        model: Union[str, dict, Config, None] = None,
        weights: Optional[str] = None,
        device: Optional[str] = None,
        show_progress: bool = True,
        cfg_options: Optional[dict] = None,
        onnx: Optional[str] = None,
        trust_checkpoint: bool = False,
    ) -> None:
        use_safe_loader()  # before MMEngine reads the checkpoint
        if isinstance(model, str) and model.endswith('.py'):
            check_file(model, 'The config')
        graph = None if onnx is None else OnnxGraph(onnx)
        if weights is not None:
            check_weights(weights, 'The checkpoint')
        elif graph is None or not graph.whole:
            raise ConfigError('A checkpoint is missing: an inferencer does not work with random weights.')
        self._cfg_options = cfg_options or {}
        self._weights = weights
        self._drawer: Optional[PanelDrawer] = None
        if isinstance(model, dict):
            model = Config(model)
        elif model is None:
            if weights is None:
                raise ConfigError('Neither a config nor a checkpoint, which carries one, is given.')
            if not trust_checkpoint:
                raise ConfigError(
                    f'No config is given, and the config in {weights} is code of its maker; name a '
                    'config, or trust the checkpoint (--trust-checkpoint).'
                )
            model = config_of(weights)
        with trust_checkpoints(trust_checkpoint):
            super().__init__(model, weights, device, scope='sr4ir_mm', show_progress=show_progress)
        apply_efficiency(self.model, **self.cfg.get('efficiency', {}))
        self._onnx = None if graph is None else OnnxCascade(self.model, graph)

    # ---------- from config to model

    def _load_model_from_metafile(self, model: str):
        root = self._get_repo_or_mim_dir('sr4ir_mm')
        metafiles = [load(osp.join(root, path)) for path in load(osp.join(root, 'model-index.yml'))['Import']]
        configs = {row['Name']: row['Config'] for metafile in metafiles for row in metafile['Models']}
        if model not in configs:
            near = get_close_matches(model, configs, n=3)
            raise ConfigError(
                f'The config is {model!r}, which is neither a file nor the name of one of the '
                f'{len(configs)} configs here.' + (f' Did you mean {" or ".join(map(repr, near))}?' if near else '')
            )
        return Config.fromfile(osp.join(root, configs[model])), None

    def _init_model(self, cfg: Config, weights: str, device: str = 'cpu') -> nn.Module:
        cfg.merge_from_dict(self._cfg_options)
        if not cfg.get('model'):
            raise ConfigError('The config has no `model`.')
        check_first_edition(cfg)
        init_default_scope(cfg.get('default_scope', 'mmengine'))
        return super()._init_model(cfg, weights, device)

    def _load_weights_to_model(self, model: nn.Module, checkpoint: dict, cfg: Config) -> None:
        checkpoint = checkpoint or {}
        meta = checkpoint.get('meta', {}).get('dataset_meta') or {}
        check_classes(meta, self._weights)
        self.dataset_meta = dataset_meta(model, meta, cfg)
        if self._weights is None:  # a graph has them
            return
        state = checkpoint.get('state_dict', checkpoint)
        check_filled(model, state, self._weights, 'the model of the config', 'use the config that it was trained with')
        model.load_state_dict(state, strict=False)

    def _init_pipeline(self, cfg: Config) -> Compose:
        """Build the test pipeline without reading files: a clean image comes as an array."""
        loader = cfg.get('test_dataloader') or cfg.get('val_dataloader') or {}
        dataset = loader.get('dataset', {})
        while 'pipeline' not in dataset and 'dataset' in dataset:
            dataset = dataset['dataset']
        pipeline = [step for step in dataset.get('pipeline', []) if 'Load' not in step['type'].split('.')[-1]]
        if not any(step['type'].split('.')[-1].startswith('Pack') for step in pipeline):
            pipeline.append(dict(type=self.model.task.packing))
        self._pack = Compose([step for step in pipeline if step['type'].split('.')[-1].startswith('Pack')][:1])
        return Compose(pipeline)

    def _init_collate(self, cfg: Config):
        return pseudo_collate

    def _init_visualizer(self, cfg: Config) -> None:
        return None

    # ---------- from image to result

    def __call__(
        self,
        inputs: Union[str, np.ndarray, Sequence],
        return_datasamples: bool = False,
        batch_size: int = 1,
        out_dir: Optional[str] = None,
        **kwargs,
    ) -> Dict[str, list]:
        """Restore and recognize.

        Args:
            inputs: Path, URL or array (uint8, BGR) of one image, a folder, or a list of these.
            return_datasamples: Whether ``predictions`` are the host library's samples.
            batch_size: Images that go through the networks together, where consecutive ones have the same size.
            out_dir: Folder that everything is written to; None: nowhere.
            **kwargs: See :meth:`stream`.

        Returns:
            Lists with one entry for each image: ``predictions``, ``sr`` (uint8, RGB) and ``visualization`` (panels).

        Raises:
            ImageError: An image that cannot be read; :meth:`stream` goes on behind one.
        """
        results = []
        for result in self.stream(inputs, batch_size=batch_size, out_dir=out_dir, **kwargs):
            if result.error:
                raise ImageError(result.error)
            results.append(result)
        return dict(
            predictions=[result.data_sample if return_datasamples else result.prediction for result in results],
            sr=[result.sr for result in results],
            visualization=[result.panel for result in results],
        )

    def stream(
        self, inputs: Union[str, np.ndarray, Sequence], batch_size: int = 1, out_dir: Optional[str] = None, **kwargs
    ) -> Iterator[Result]:
        """Restore and recognize one image after the other; nothing is kept.

        Args:
            inputs: As of a call.
            batch_size: As of a call.
            out_dir: As of a call.
            degrade: The images are clean: take them through the test pipeline of the config and its degradation.
                Default: they are low-resolution and go into the restorer as they are.
            max_pixels: Larger images are refused.
            tile: Side of the pieces, in pixels of ``lr``, that an image is restored in; None: at once. Default: 256.
            overlap: What a piece is read with on each side, in pixels of ``lr``. Default: 32.
            coordinates: ``sr`` (default) or ``lr``: whose pixels the predictions count.
            panel: Whether to draw a picture of everything, see :class:`~sr4ir_mm.visualization.PanelDrawer`; the
                recognizer then works on the upsampled input, and on the clean image, too.

        Yields:
            One result for each image, in order; with ``error`` set where there is none.

        Raises:
            ConfigError: A wrong argument, or a folder that cannot be written to.
        """
        preprocess, forward, visualize, postprocess = self._dispatch_kwargs(**kwargs)
        check_choice(postprocess.get('coordinates', 'sr'), ('sr', 'lr'), 'coordinates')
        if not isinstance(batch_size, int) or batch_size < 1:
            raise ConfigError(f'batch_size is {batch_size!r}; allowed: a whole number from 1.')
        _check_tile(**forward)
        sources = self._inputs_to_list(inputs)
        folder = None if out_dir is None else OutputFolder(out_dir, self.dataset_meta)
        waiting = map(Result, sources, unique_names(sources))
        results = self._process(waiting, batch_size, preprocess, forward, visualize, postprocess, folder)
        yield from track(results, 'Images', total=len(sources)) if self.show_progress else results
        if folder is not None:
            folder.finish()

    def _inputs_to_list(self, inputs: Union[str, np.ndarray, Sequence]) -> list:
        return list_images(inputs)

    def _process(self, results, batch_size, preprocess, forward, visualize, postprocess, folder) -> Iterator[Result]:
        for chunk in self._chunks(results, batch_size, **preprocess):
            try:
                if chunk[0].error is None:
                    samples = self.forward(self.preprocess(chunk, **preprocess), **forward)
                    self.postprocess(chunk, samples, **postprocess)
                    self.visualize(chunk, samples, **visualize)
            except _IMAGE_ERRORS as error:
                for result in chunk:
                    result.error = result.error or f'{result.name}: {error}'
            for result in chunk:
                if folder is not None and result.error is None:
                    try:
                        folder.write(result)
                    except OSError as error:
                        result.error = f'The results of {result.source} cannot be written to {folder.path} ({error}).'
                yield result

    def _chunks(self, results, batch_size: int, max_pixels: int = MAX_PIXELS, **kwargs) -> Iterator[List[Result]]:
        """Images of one size together; one that cannot be read stands alone."""
        chunk: List[Result] = []
        for result in results:
            try:
                result.lr = read_image(result.source, max_pixels)
            except ImageError as error:
                result.error = str(error)
            first = chunk[0].lr if chunk else None
            fits = result.lr is not None and first is not None and result.lr.shape == first.shape
            if chunk and not (fits and len(chunk) < batch_size):
                yield chunk
                chunk = []
            chunk.append(result)
        if chunk:
            yield chunk

    def preprocess(self, chunk: List[Result], degrade: bool = False, max_pixels: int = MAX_PIXELS) -> dict:
        """The images of some results as a batch; each has its input in ``lr``."""
        model = self.model
        factor = model.scale if model.restorer is not None and not degrade else 1
        packed = []
        for result in chunk:
            assert result.lr is not None  # those that could not be read are in no chunk
            bgr = np.ascontiguousarray(result.lr[..., ::-1])
            height, width = bgr.shape[0] * factor, bgr.shape[1] * factor
            if not degrade:  # what the host's sample has to know of an image that is not there yet
                bgr = np.broadcast_to(np.zeros(1, np.uint8), (height, width, 3)) if factor > 1 else bgr
            packed.append(
                (self.pipeline if degrade else self._pack)(
                    dict(
                        img=bgr,
                        img_path=str(result.source) if not isinstance(result.source, np.ndarray) else result.name,
                        img_id=0,
                        ori_shape=(height, width),
                        img_shape=(height, width),
                    )
                )
            )
        data = model.data_preprocessor(self.collate_fn(packed), False)
        inputs = data['inputs']
        padded_size = tuple(inputs['hr'].shape[-2:])
        if factor > 1:
            lr = torch.stack([torch.from_numpy(result.lr) for result in chunk]).permute(0, 3, 1, 2)
            inputs = dict(hr=None, sizes=inputs['sizes'], lr=lr.to(inputs['hr']) / 255)
        return dict(batch=Batch(model, data_samples=data['data_samples'], **inputs), padded_size=padded_size)

    @torch.no_grad()
    def forward(self, inputs: dict, tile: Optional[int] = 256, overlap: int = 32) -> List:
        """The samples of a batch with predictions and images, as of :meth:`Cascade.predict`."""
        model, batch = self.model, inputs['batch']
        if model.restorer is None:
            return model.predict(batch.hr, batch)
        if self._onnx is not None and self._onnx.whole:
            return self._onnx.predict(batch, inputs['padded_size'])
        if model.restoration.inputs:  # nothing says how a further input is cut into pieces
            return model.predict(model.restore(batch), batch)
        restore: Callable[[Tensor], Tensor] = partial(model.restoration, names=batch.names)
        if self._onnx is not None:
            restore = self._onnx.restore
        sr = restore_in_tiles(restore, batch.lr, model.scale, tile, overlap, model.restoration.tile_multiple)
        height, width = inputs['padded_size']
        sr = pad_to_size(sr[..., :height, :width], height, width, model.task.pad_mode)
        return model.predict(sr, batch)

    def postprocess(self, chunk: List[Result], samples: List, coordinates: str = 'sr') -> None:
        """Fill the results."""
        for result, sample in zip(chunk, samples):
            result.lr = to_uint8(sample.lr) if 'lr' in sample else result.lr
            result.sr = to_uint8(sample.sr)
            result.hr = to_uint8(sample.hr) if 'hr' in sample else None
            result.data_sample = sample
            result.prediction = self.model.task.prediction(sample, self.dataset_meta['classes'], coordinates)

    def visualize(self, chunk: List[Result], samples: List, panel: bool = False) -> None:
        """Draw the panels."""
        if not panel:
            return
        if self._weights is None:
            raise ConfigError('A panel shows predictions for other images too, which needs the checkpoint.')
        if self._drawer is None:
            self._drawer = PanelDrawer(self.model, self.dataset_meta, self.cfg.get('visualizer'))
        for result, sample in zip(chunk, samples):
            result.panel = self._drawer.compose([self._drawer.row(sample)], self._drawer.labels(sample))


def _check_tile(tile: Optional[int] = 256, overlap: int = 32) -> None:
    if tile is not None and (not isinstance(tile, int) or tile < 1):
        raise ConfigError(f'tile is {tile!r}; allowed: None, or a whole number from 1.')
    if not isinstance(overlap, int) or overlap < 0:
        raise ConfigError(f'overlap is {overlap!r}; allowed: a whole number from 0.')
