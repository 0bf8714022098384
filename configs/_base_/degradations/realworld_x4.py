# Blur, resizing, noise and JPEG in random order, with mmagic's transforms, then ×4; values for images of 0 to 255.
# Behind the packing transform; with a seed for evaluation.
realworld = dict(
    type='sr4ir_mm.DegradeToLR',
    scale=4,
    transforms=[
        dict(
            type='mmagic.DegradationsWithShuffle',
            keys=['img'],
            degradations=[
                dict(
                    type='RandomBlur',
                    params=dict(
                        kernel_size=[7, 9, 11, 13],
                        kernel_list=['iso', 'aniso'],
                        kernel_prob=[0.6, 0.4],
                        sigma_x=[0.2, 2.0],
                        sigma_y=[0.2, 2.0],
                    ),
                ),
                dict(
                    type='RandomResize',
                    params=dict(
                        resize_mode_prob=[0.1, 0.8, 0.1],  # up, down, keep
                        resize_scale=[0.25, 1.2],
                        resize_opt=['bilinear', 'area', 'bicubic'],
                        resize_prob=[0.4, 0.3, 0.3],
                    ),
                ),
                dict(
                    type='RandomNoise',
                    params=dict(
                        noise_type=['gaussian', 'poisson'],
                        noise_prob=[0.5, 0.5],
                        gaussian_sigma=[1, 15],
                        gaussian_gray_noise_prob=0.4,
                        poisson_scale=[0.05, 1.5],
                        poisson_gray_noise_prob=0.4,
                    ),
                ),
                dict(type='RandomJPEGCompression', params=dict(quality=[40, 95])),
            ],
        )
    ],
)
