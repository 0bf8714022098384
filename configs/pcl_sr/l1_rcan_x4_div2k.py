# the control: as many iterations more, without the contrastive loss
_base_ = 'rcan_x4_div2k.py'
model = dict(parts=None)
train_cfg = dict(phases=[dict(name='restore', update='restorer', losses=dict(pixel=1.0))])
optim_wrapper = dict(embedding=None)
