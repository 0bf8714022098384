# Each stage of the study: SR4IR + PCL, from which the protocols leave out what they do not have. One cosine for each
# part; the TDP loss begins after the first epoch.
_base_ = ['demo.py', '../pcl.py']
pcl = dict(
    model=dict(
        parts=dict(embedding=dict(base_channels=8)),
        losses=dict(contrastive=dict(samples=dict(num_sharpened=1, num_blurred=1))),
    )
)
train_cfg = dict(
    max_epochs=4,
    val_interval=4,
    phases=[
        _base_.pcl.embed,
        dict(
            name='restore',
            update='restorer',
            losses=dict(pixel=1.0, tdp=dict(weight=0.05, begin=1), **_base_.pcl.losses),
        ),
        dict(name='recognize', update='recognizer', losses=dict(task_sr=0.34, task_hr=0.34, task_cqmix=0.34)),
    ],
)
optim_wrapper = dict(
    restorer=dict(optimizer=dict(lr=1e-3)), recognizer=dict(optimizer=dict(lr=2e-3)), embedding=_base_.pcl.optim_wrapper
)
cosine = dict(type='CosineAnnealingLR', T_max='max_epochs', eta_min=1e-5, convert_to_iter_based=True)
param_scheduler = dict(_delete_=True, restorer=[cosine], recognizer=[cosine], embedding=[cosine])
