# A SwinIR of 50,000 parameters: 2 × 2 layers, 24 channels, and the stochastic depth of the published one.
_base_ = 'swinir_x4.py'
restoration = dict(
    restorer=dict(
        img_size=24,
        depths=[2, 2],
        embed_dim=24,
        num_heads=[4, 4],
        drop_path_rate=0.1,
        upsampler='pixelshuffledirect',
        init_cfg=None,
    )
)
