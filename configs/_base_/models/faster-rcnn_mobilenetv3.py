# Faster R-CNN on torchvision's MobileNetV3-Large with FPN, in mmdet's parts: the first 3 of its 6 stages are frozen,
# and so are all batch norms. As in torchvision, both FPN levels have stride 32 (a third one is pooled from the second),
# each has anchors of five sizes, and RoI features come from the first level only.
# It differs from torchvision's fasterrcnn_mobilenet_v3_large_fpn in this: batch norms keep the eps of 1e-3 that their
# ImageNet weights were trained with, where torchvision's frozen ones have 1e-5 (weights of a whole torchvision detector, as
# those released for SR4IR, need backbone.norm_eps=1e-5); new layers are initialized as mmdet does; and proposals have no
# score threshold, neither in training nor in testing (torchvision drops those below 0.05 in both), as mmdet has none.
# ignore_iof_thr=-1 switches the treatment of ignored boxes off: an anchor that lies on one is matched with the other
# boxes only, and so is background in most cases. VOC's difficult objects are not ignored boxes here, see
# sr4ir_mm.VOCDetectionDataset.
model = dict(
    type='sr4ir_mm.CascadeDetector',
    # restored at original size; the detector sees a long side of at most 1333 and a short side of at most 800 pixels
    task=dict(input_scale=(1333, 800)),
    recognizer=dict(
        _scope_='mmdet',
        type='FasterRCNN',
        data_preprocessor=dict(
            type='DetDataPreprocessor',
            mean=[123.675, 116.28, 103.53],
            std=[58.395, 57.12, 57.375],
            bgr_to_rgb=True,
            pad_size_divisor=32,
        ),
        backbone=dict(
            type='sr4ir_mm.TorchvisionBackbone',
            arch='mobilenet_v3_large',
            out_indices=(13, 16),
            frozen_stages=7,
            norm_frozen=True,
            init_cfg=dict(type='Pretrained', checkpoint='torchvision://mobilenet_v3_large'),
        ),
        neck=dict(type='FPN', in_channels=[160, 960], out_channels=256, num_outs=3),
        rpn_head=dict(
            type='RPNHead',
            in_channels=256,
            feat_channels=256,
            anchor_generator=dict(
                type='AnchorGenerator',
                scales=[32, 64, 128, 256, 512],
                ratios=[0.5, 1.0, 2.0],
                strides=[32, 32, 64],
                base_sizes=[1, 1, 1],
            ),
            bbox_coder=dict(
                type='DeltaXYWHBBoxCoder', target_means=[0.0, 0.0, 0.0, 0.0], target_stds=[1.0, 1.0, 1.0, 1.0]
            ),
            loss_cls=dict(type='CrossEntropyLoss', use_sigmoid=True, loss_weight=1.0),
            loss_bbox=dict(type='SmoothL1Loss', beta=1.0 / 9, loss_weight=1.0),
        ),
        roi_head=dict(
            type='StandardRoIHead',
            bbox_roi_extractor=dict(
                type='SingleRoIExtractor',
                roi_layer=dict(type='RoIAlign', output_size=7, sampling_ratio=2, aligned=False),
                out_channels=256,
                featmap_strides=[32],
            ),
            bbox_head=dict(
                type='Shared2FCBBoxHead',
                in_channels=256,
                fc_out_channels=1024,
                roi_feat_size=7,
                num_classes=20,
                bbox_coder=dict(
                    type='DeltaXYWHBBoxCoder', target_means=[0.0, 0.0, 0.0, 0.0], target_stds=[0.1, 0.1, 0.2, 0.2]
                ),
                reg_class_agnostic=False,
                loss_cls=dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0),
                loss_bbox=dict(type='SmoothL1Loss', beta=1.0 / 9, loss_weight=1.0),
            ),
        ),
        train_cfg=dict(
            rpn=dict(
                assigner=dict(
                    type='MaxIoUAssigner',
                    pos_iou_thr=0.7,
                    neg_iou_thr=0.3,
                    min_pos_iou=0.3,
                    match_low_quality=True,
                    ignore_iof_thr=-1,
                ),
                sampler=dict(type='RandomSampler', num=256, pos_fraction=0.5, neg_pos_ub=-1, add_gt_as_proposals=False),
                allowed_border=-1,
                pos_weight=-1,
                debug=False,
            ),
            rpn_proposal=dict(nms_pre=2000, max_per_img=2000, nms=dict(type='nms', iou_threshold=0.7), min_bbox_size=0),
            rcnn=dict(
                assigner=dict(
                    type='MaxIoUAssigner',
                    pos_iou_thr=0.5,
                    neg_iou_thr=0.5,
                    min_pos_iou=0.5,
                    match_low_quality=False,
                    ignore_iof_thr=-1,
                ),
                sampler=dict(type='RandomSampler', num=512, pos_fraction=0.25, neg_pos_ub=-1, add_gt_as_proposals=True),
                pos_weight=-1,
                debug=False,
            ),
        ),
        test_cfg=dict(
            rpn=dict(nms_pre=1000, max_per_img=1000, nms=dict(type='nms', iou_threshold=0.7), min_bbox_size=0),
            rcnn=dict(score_thr=0.05, nms=dict(type='nms', iou_threshold=0.5), max_per_img=100),
        ),
    ),
    # the two finest levels of the FPN
    losses=dict(tdp=dict(features=[0, 1], weights=[0.5, 0.5])),
)
efficiency = dict(conv_bn_eval=True)
