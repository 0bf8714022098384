# ImageNet-1k in batches of 32, the quality of the images as for denoisers.
_base_ = 'imagenet.py'
train_dataloader = dict(batch_size=32)
val_dataloader = dict(batch_size=32)
test_dataloader = dict(batch_size=32)
val_evaluator = [dict(type='Accuracy', topk=(1, 5)), dict(type='sr4ir_mm.PSNR', border=3)]
test_evaluator = val_evaluator
