# the paper's contrast: the embedding network sees the images themselves, not their high frequencies
_base_ = 'edsr-s_x4_div2k.py'
model = dict(parts=dict(embedding=dict(transform='rgb')))
