# ImageNet-1k: 1,281,167 images for training, 50,000 for validation.
_base_ = 'fine_grained.py'
dataset = dict(type='ImageNet', data_root='data/imagenet')
train_dataloader = dict(batch_size=32, dataset=dataset)
val_dataloader = dict(batch_size=32, dataset=dict(dataset, split='val'))
test_dataloader = val_dataloader
val_evaluator = [dict(type='Accuracy', topk=(1, 5)), dict(type='sr4ir_mm.PSNR', border=3)]
test_evaluator = val_evaluator
