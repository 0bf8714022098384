# The protocols that a method is compared with, each a table of phases. A protocol is a row here and no config of its
# own: `tools/train.py CONFIG --protocol s2t` makes it of the config of a method, and tools/compare.py several of them.
# Besides `phases` a row may have
#   title     what tables and plots call it
#   restorer  a network of its own in place of the config's, None for clean images; what is None in it comes from the
#             model: its scale and the arguments of its degradation
#   start     the part whose weights come from a run of another protocol
#   of_other  True: of that protocol's run for the other one of two configs
#   without   losses that the config has and this protocol does not; a phase with no other is left out
#   weights   of losses, where they are others than the config's
#   joint     True: all losses in one phase that updates all parts
#   schedule  'baseline': the config's `baseline_param_scheduler` instead of its `param_scheduler`, where it has both
#   cfg_options  other settings of the config, written as for --cfg-options; a transform of a pipeline is named by its
#             type, as in 'train_dataloader.dataset.pipeline.CQMix.prob'
#   reestimate_bn  True: the recognizer's batch norm gets the statistics of restored images; without phases only
# No `phases`: those of the config itself. Empty `phases`: nothing learns, the parts are tested as they start, and those
# that `start` does not name come from the config's own init_cfg.
protocols = {
    'h2t': dict(
        title='H→T', schedule='baseline', phases=[dict(name='recognize', update='recognizer', losses=dict(task_hr=1.0))]
    ),
    'l2t': dict(
        title='L→T',
        schedule='baseline',
        phases=[dict(name='recognize', update='recognizer', losses=dict(task_sr=1.0))],
        restorer=dict(type='sr4ir_mm.Interpolation', scale=None, mode='bilinear', align_corners=True),
    ),
    'sr': dict(
        title='SR', schedule='baseline', phases=[dict(name='restore', update='restorer', losses=dict(pixel=1.0))]
    ),
    's2t': dict(
        title='S→T',
        schedule='baseline',
        phases=[dict(name='recognize', update='recognizer', losses=dict(task_sr=1.0))],
        start=dict(restorer='sr'),
    ),
    # what SR4IR's recognizer learns from, behind a restorer that stays as it is: S→T differs from SR4IR in this too
    's2t-diet': dict(
        title='S→T on SR + HR + CQMix',
        schedule='baseline',
        phases=[dict(name='recognize', update='recognizer', losses=dict(task_sr=0.34, task_hr=0.34, task_cqmix=0.34))],
        start=dict(restorer='sr'),
    ),
    't2s': dict(
        title='T→S',
        schedule='baseline',
        phases=[dict(name='restore', update='restorer', losses=dict(pixel=1.0, task_sr=1.0))],
        start=dict(recognizer='h2t'),
    ),
    's+t': dict(
        title='S+T',
        schedule='baseline',
        phases=[dict(name='joint', update=['restorer', 'recognizer'], losses=dict(pixel=1.0, task_sr=1.0))],
    ),
    'sr4ir': dict(title='SR4IR'),
    # in training the statistics mix restored, clean and mixed images; a test shows restored ones
    'sr4ir-bn': dict(
        title='SR4IR, BN of SR', phases=[], start=dict(restorer='sr4ir', recognizer='sr4ir'), reestimate_bn=True
    ),
    # Denoising meets high-level vision: in front of a frozen recognizer that comes with the config
    'clean': dict(title='clean', phases=[], restorer=None),
    'noisy': dict(title='noisy', phases=[], restorer=dict(type='torch.nn.Identity')),
    'nlm': dict(title='non-local means', phases=[], restorer=dict(type='sr4ir_mm.NonLocalMeans', sigma=None)),
    'separate': dict(title='separate', phases=[], start=dict(restorer='sr')),
    # what joint training has to beat: as long a training from the same start
    'lambda0': dict(
        title='λ = 0',
        phases=[dict(name='restore', update='restorer', losses=dict(pixel=1.0, task_sr=0.0))],
        start=dict(restorer='sr'),
    ),
    'joint': dict(title='joint', start=dict(restorer='sr')),
    'cross': dict(title='cross-task', phases=[], start=dict(restorer='joint'), of_other=True),
}
# what is compared by default
compare = ['h2t', 'l2t', 'sr', 's2t', 't2s', 's+t', 'sr4ir']
# axes: what an experiment can vary by `values` of a study, or by --vary sigma=15,30; the key of the config, or several
vary = dict(sigma='model.degradation.sigma')
