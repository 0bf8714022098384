import numpy as np
import pytest

from sr4ir_mm.apis import CascadeInferencer
from sr4ir_mm.apis.onnx import export_onnx
from sr4ir_mm.errors import ConfigError
from tests.helpers.builders import inference_cfg, save_checkpoint, segmentor

pytest.importorskip('onnx', reason='onnx is optional')
pytest.importorskip('onnxruntime', reason='onnxruntime is optional')


def image(height, width):
    return np.random.RandomState(0).randint(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    'task, part', [('segmentation', 'cascade'), ('classification', 'cascade'), ('detection', 'restorer')]
)
def test_a_graph_equals_pytorch(inferencer, checkpoints, tmp_path, task, part):
    run = inferencer(task)
    path = tmp_path / 'graph.onnx'
    assert export_onnx(run.model, path, part, {}) < 1e-4
    weights = None if part == 'cascade' else checkpoints(task)
    graph = CascadeInferencer(inference_cfg(task), weights, device='cpu', show_progress=False, onnx=str(path))
    for size in ((12, 16), (21, 9)):  # and no size that it was traced with
        one, other = (each(image(*size)) for each in (run, graph))
        assert np.abs(one['sr'][0].astype(int) - other['sr'][0]).max() <= 1
        one, other = one['predictions'][0], other['predictions'][0]
        if task == 'segmentation':
            assert (one['sem_seg'] == other['sem_seg']).mean() > 0.999
        elif task == 'classification':
            assert one['pred_scores'] == pytest.approx(other['pred_scores'], abs=1e-4)
        else:
            assert np.allclose(one['bboxes'], other['bboxes'], atol=1e-2)


def test_sizes_stay_free_in_a_head_that_upsamples(tmp_path):
    recognizer = dict(
        segmentor(),
        neck=dict(type='FPN', in_channels=[8, 16, 32, 64], out_channels=8, num_outs=4),
        decode_head=dict(
            type='FPNHead',
            in_channels=[8] * 4,
            in_index=[0, 1, 2, 3],
            feature_strides=[4, 8, 16, 32],
            channels=8,
            dropout_ratio=0.0,
            num_classes=4,
            align_corners=False,
            init_cfg=dict(type='Normal', std=1.0),
        ),
    )
    cfg = inference_cfg(recognizer=recognizer)
    run = CascadeInferencer(cfg, save_checkpoint(cfg, tmp_path / 'fpn.pth'), 'cpu', show_progress=False)
    assert export_onnx(run.model, tmp_path / 'graph.onnx', 'cascade', {}) < 1e-4


def test_tiles_of_a_graph(inferencer, checkpoints, tmp_path):
    run = inferencer()
    export_onnx(run.model, tmp_path / 'graph.onnx', 'restorer', {})
    graph = CascadeInferencer(
        inference_cfg(), checkpoints('segmentation'), 'cpu', False, onnx=str(tmp_path / 'graph.onnx')
    )
    one, other = run(image(30, 40))['sr'][0], graph(image(30, 40), tile=16, overlap=8)['sr'][0]
    assert np.abs(one.astype(int) - other).max() <= 1


def test_what_cannot_be_exported_says_so(inferencer, tmp_path):
    with pytest.raises(ConfigError, match='FCOS cannot be exported as a whole: .*--part restorer'):
        export_onnx(inferencer('detection').model, tmp_path / 'graph.onnx', 'cascade', {})
    (tmp_path / 'bad.onnx').write_bytes(b'words')
    with pytest.raises(ConfigError, match='bad.onnx is not an ONNX graph'):
        CascadeInferencer(inference_cfg(), onnx=str(tmp_path / 'bad.onnx'))
