# PCL-SR's contrastive learning, for a config to take: the embedding network is taught first, then it helps to teach the
# restorer. The weight belongs to images in [0, 1]; published is 1 for L1 and 5 for the contrastive loss at [0, 255].
pcl = dict(
    model=dict(
        parts=dict(embedding=dict(type='sr4ir_mm.FrequencyEmbedding')),
        losses=dict(
            contrastive=dict(
                layers=[4],
                form='info_nce',
                temperature=1.0,
                samples=dict(num_sharpened=3, sharpness=(1.0, 3.0), num_blurred=3, sigma=(0.1, 2.0)),
            )
        ),
    ),
    embed=dict(name='embed', update='embedding', losses=dict(embedding=1.0)),
    losses=dict(contrastive=5 / 255),
    optim_wrapper=dict(optimizer=dict(type='Adam', lr=1e-4)),
)
