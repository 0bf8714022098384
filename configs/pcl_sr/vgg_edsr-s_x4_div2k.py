# the paper's contrast: features of a VGG-19 that was trained to classify, in place of an embedding network that learns
_base_ = 'edsr-s_x4_div2k.py'
vgg = dict(type='Pretrained', checkpoint='torchvision://vgg19')
# relu4_1, which has the resolution of block 4 of the learned network
model = dict(
    parts=dict(embedding=dict(_delete_=True, type='sr4ir_mm.VGGEmbedding', init_cfg=vgg)),
    losses=dict(contrastive=dict(layers=[3])),
)
train_cfg = dict(phases=[dict(name='restore', update='restorer', losses=dict(pixel=1.0, contrastive=5 / 255))])
optim_wrapper = dict(embedding=None)
