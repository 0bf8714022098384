# What tools/compare.py --study runs for `Denoising meets high-level vision` on the demo's images: what λ does to each
# task. `lambda0` and each `joint-λ` start from the same denoiser (`sr`), see the same images and noise, and train as
# long. What is asked, of each task and seed by seed: is joint training above as long a training without the task (λ =
# 0)? Is cross-task, a denoiser of the other task, above that too? λ is not chosen by these images: each is reported.
_base_ = 'protocols.py'
configs = {
    '../denoise_highlevel/joint_fpn_demo.py': 'segmentation',
    '../denoise_highlevel/joint_resnet_demo.py': 'classification',
}
seeds = [0, 1, 2]
compare = [
    'clean',
    'noisy',
    'nlm',
    'separate',
    'lambda0',
    'joint-0.004',
    'joint-0.02',
    'joint-0.1',
    'joint-0.5',
    'cross-0.004',
    'cross-0.02',
    'cross-0.1',
    'cross-0.5',
]
baseline = 'lambda0'
differences = dict(
    claims=dict(
        title='Differences of the same seed',
        metrics='metrics',
        pairs=[
            ('noisy', 'separate'),
            ('separate', 'lambda0'),
            ('lambda0', 'joint-0.004'),
            ('lambda0', 'joint-0.02'),
            ('lambda0', 'joint-0.1'),
            ('lambda0', 'joint-0.5'),
            ('lambda0', 'cross-0.004'),
            ('lambda0', 'cross-0.02'),
            ('lambda0', 'cross-0.1'),
            ('lambda0', 'cross-0.5'),
        ],
    )
)
# λ is relative to the mean squared error on [0, 1], of which the pixel loss is so many times
scale_255 = 0.5 * 255**2
protocols = {
    'joint-0.004': dict(title='joint, λ = 0.004', start=dict(restorer='sr'), weights=dict(task_sr=0.004 * scale_255)),
    'joint-0.02': dict(title='joint, λ = 0.02', start=dict(restorer='sr'), weights=dict(task_sr=0.02 * scale_255)),
    'joint-0.1': dict(title='joint, λ = 0.1', start=dict(restorer='sr'), weights=dict(task_sr=0.1 * scale_255)),
    'joint-0.5': dict(title='joint, λ = 0.5', start=dict(restorer='sr'), weights=dict(task_sr=0.5 * scale_255)),
    'cross-0.004': dict(title='cross-task, λ = 0.004', phases=[], start=dict(restorer='joint-0.004'), of_other=True),
    'cross-0.02': dict(title='cross-task, λ = 0.02', phases=[], start=dict(restorer='joint-0.02'), of_other=True),
    'cross-0.1': dict(title='cross-task, λ = 0.1', phases=[], start=dict(restorer='joint-0.1'), of_other=True),
    'cross-0.5': dict(title='cross-task, λ = 0.5', phases=[], start=dict(restorer='joint-0.5'), of_other=True),
}
