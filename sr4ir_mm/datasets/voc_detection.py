"""VOC's detection annotations as SR4IR reads them. Apart from the other data sets: it needs mmdet, slow to import."""

from typing import List

from mmdet.datasets import VOCDataset


class VOCDetectionDataset(VOCDataset):
    """mmdet's :class:`~mmdet.datasets.VOCDataset` with every object, and with boxes that reach as far as in SR4IR.

    It differs in two things. Objects that VOC marks as ``difficult`` are ordinary ones, learned and evaluated; mmdet
    marks them as ignored. And VOC counts pixels from 1, the last one included, so the box of the pixels 1 to 40 reaches
    from 0 to 40 here, as in the reference implementation of SR4IR (JaehaKim97/SR4IR, ``preprocess/voc2coco``); mmdet's
    ends at 39.

    Args:
        **kwargs: See mmdet's data set. Boxes narrower than ``filter_cfg.bbox_min_size`` pixels are still ignored.
    """

    def _parse_instance_info(self, raw_ann_info, minus_one: bool = True) -> List[dict]:
        instances = super()._parse_instance_info(raw_ann_info, minus_one)
        for instance in instances:
            left, top, right, bottom = instance['bbox']
            right, bottom = right + 1, bottom + 1
            instance['bbox'] = [left, top, right, bottom]
            instance['ignore_flag'] = int(min(right - left, bottom - top) < (self.bbox_min_size or 0))
        return instances
