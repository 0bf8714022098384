"""A task that is none of the host libraries': how many squares are in an image, from a map of their density."""

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from mmcv.transforms import BaseTransform
from mmengine.dataset import BaseDataset
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.structures import BaseDataElement
from torch import nn

from sr4ir_mm.models import Task
from sr4ir_mm.registry import DATASETS, METRICS, MODELS, TRANSFORMS


@DATASETS.register_module()
class Squares(BaseDataset):
    """Images with zero to three white squares."""

    METAINFO = dict(classes=('square',))

    def __init__(self, length: int, **kwargs) -> None:
        self.length = length
        super().__init__(**kwargs)

    def load_data_list(self):
        return [dict(img_path=f'{index}.png', count=index % 4) for index in range(self.length)]


@TRANSFORMS.register_module()
class DrawSquares(BaseTransform):
    """Draw the image and its density."""

    def transform(self, results):
        image, density = np.zeros((32, 32, 3), np.uint8), np.zeros((8, 8), np.float32)
        for index in range(results['count']):
            image[4 + 8 * index : 12 + 8 * index, 4:20] = 255
            density[1 + 2 * index, 1] = 1
        return dict(results, img=image, img_shape=image.shape[:2], ori_shape=image.shape[:2], density=density)


@TRANSFORMS.register_module()
class PackSquares(BaseTransform):
    """Pack an image and, where there is one, its density."""

    def transform(self, results):
        sample = BaseDataElement(metainfo={key: results.get(key) for key in ('img_path', 'img_shape', 'ori_shape')})
        if 'density' in results:
            sample.gt_density = torch.from_numpy(results['density'])
        return dict(inputs=torch.from_numpy(results['img'].transpose(2, 0, 1).copy()), data_samples=sample)


@MODELS.register_module()
class DensityNet(BaseModel):
    """A recognizer with the methods that all of OpenMMLab's have."""

    def __init__(self, data_preprocessor: dict) -> None:
        super().__init__(data_preprocessor)
        self.features = nn.Conv2d(3, 4, 4, 4)
        self.head = nn.Conv2d(4, 1, 1)

    def extract_feat(self, inputs):
        return (self.features(inputs).relu(),)

    def forward(self, inputs, data_samples=None, mode='tensor'):
        return self.head(self.extract_feat(inputs)[-1])

    def loss(self, inputs, data_samples):
        wanted = torch.stack([sample.gt_density for sample in data_samples])[:, None]
        return dict(loss_density=F.mse_loss(self(inputs), wanted))

    def predict(self, inputs, data_samples):
        for sample, density in zip(data_samples, self(inputs)):
            sample.pred_density = density[0]
        return data_samples


@MODELS.register_module()
class CountingTask(Task):
    """Count objects from a map of their density."""

    logit_axes = {2: 'sh4', 3: 'sw4'}

    def labels_of(self, sample):
        if 'gt_density' in sample:
            yield sample.gt_density

    def logits(self, image):
        return self.recognizer(image)

    def predict_from_logits(self, logits, batch):
        for sample, density in zip(batch.data_samples, logits):
            sample.pred_density = density[0]
        return batch.data_samples

    def prediction(self, sample, classes, coordinates='sr'):
        return dict(count=sample.pred_density.sum().item())

    def draw(self, visualizer, image, sample, draw_gt=True, draw_pred=True):
        density = (sample.pred_density if draw_pred else sample.gt_density).numpy()
        heat = cv2.resize(density, image.shape[1::-1], interpolation=cv2.INTER_NEAREST)
        image = image.copy()
        image[heat > 0.5] = (255, 0, 0)
        return image

    def caption(self, sample, classes, draw_gt=True, draw_pred=True):
        return f'{(sample.pred_density if draw_pred else sample.gt_density).sum().item():.1f} squares', None


@METRICS.register_module()
class CountError(BaseMetric):
    """Mean absolute error of the count."""

    def process(self, data_batch, data_samples):
        self.results += [
            abs(float(sample['pred_density'].sum() - sample['gt_density'].sum())) for sample in data_samples
        ]

    def compute_metrics(self, results):
        return dict(count_error=sum(results) / len(results))
