_base_ = 'joint_vgg16_sigma15_imagenet.py'
model = dict(restorer=None, degradation=None)
train_cfg = train_dataloader = optim_wrapper = param_scheduler = None  # a test only
