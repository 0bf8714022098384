# CIFAR-10, or a part of it, as folders of 32×32 images.
_base_ = 'image_folder.py'
data_root = '{{$CIFAR10:data/cifar10}}'
train_pipeline = _base_.train_pipeline
test_pipeline = _base_.test_pipeline
train_pipeline[1].update(crop_size=32, padding=4)
test_pipeline[1].crop_size = 32
train_dataloader = dict(dataset=dict(dataset=dict(data_root=data_root, pipeline=train_pipeline)))
val_dataloader = dict(dataset=dict(dataset=dict(data_root=data_root, pipeline=test_pipeline)))
test_dataloader = dict(dataset=dict(data_root=data_root, pipeline=test_pipeline))
