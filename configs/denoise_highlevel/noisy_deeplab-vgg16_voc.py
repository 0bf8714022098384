_base_ = 'joint_deeplab-vgg16_sigma15_voc.py'
model = dict(restorer=dict(_delete_=True, type='torch.nn.Identity'))
train_cfg = train_dataloader = optim_wrapper = param_scheduler = None  # a test only
