# SwinIR-M at ×8. Its trunk starts from the weights for ×4, its upsampler, which has another shape, and its last
# convolution anew. With weights for ×8, set model.restorer.init_cfg.checkpoint and model.restorer.init_cfg.reinit=[].
_base_ = 'swinir_x4.py'
restoration = dict(
    scale=8, degradation=dict(scale=8), restorer=dict(upscale=8, init_cfg=dict(reinit=['upsample', 'conv_last']))
)
