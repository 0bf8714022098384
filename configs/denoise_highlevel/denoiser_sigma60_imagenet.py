_base_ = 'denoiser_sigma25_imagenet.py'
model = dict(degradation=dict(sigma=60))
