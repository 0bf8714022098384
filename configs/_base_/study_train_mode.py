# What tools/compare.py --study runs: two settings of SR4IR that papers do not discuss, on the demo's scenes with a
# small SwinIR. Does it matter whether the frozen restorer draws its stochastic depth while the recognizer learns
# (published: yes), and whether the recognizer's batch norm gets the statistics of restored images after training?
#
# Planned before the first run: these rows, seeds from 0 to 5 in this order, the demo's 4 epochs. Where the time does
# not suffice for all, the last seeds are left out, whatever the others show; a seed counts when it has all four rows.
# The result is the mean of the paired differences in mIoU with its 95 % interval (t distribution). PSNR is the control
# of train_mode: nothing of the second phase reaches the restorer but through TDP's features.
_base_ = 'protocols.py'
configs = {'../demo/sr4ir_fpn_swinir_x4_demo.py': 'segmentation'}
compare = ['sr4ir', 'sr4ir-train-mode', 'sr4ir-bn', 'sr4ir-train-mode-bn']
seeds = list(range(6))
baseline = 'sr4ir'
differences = dict(
    train_mode=dict(
        title='Differences on test images [95 %]',
        metrics='metrics',
        pairs=[('sr4ir', 'sr4ir-train-mode'), ('sr4ir', 'sr4ir-bn'), ('sr4ir-train-mode', 'sr4ir-train-mode-bn')],
    )
)
trained = 'sr4ir-train-mode'
protocols = {
    'sr4ir-train-mode': dict(
        title='SR4IR, stochastic depth on',
        phases=[
            dict(name='restore', update='restorer', losses=dict(pixel=1.0, tdp=dict(weight=0.05, begin=1))),
            dict(
                name='recognize',
                update='recognizer',
                losses=dict(task_sr=0.34, task_hr=0.34, task_cqmix=0.34),
                train_mode=['restorer'],
            ),
        ],
    ),
    'sr4ir-train-mode-bn': dict(
        title='SR4IR, stochastic depth on, BN of SR',
        phases=[],
        start=dict(restorer=trained, recognizer=trained),
        reestimate_bn=True,
    ),
}
