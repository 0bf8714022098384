# What tools/compare.py --study runs: SR4IR, what it is compared with and what it is made of, on small images and with
# several seeds. Every stage is as long as any other: the two that all start from, then each protocol, so that each
# network that is trained has had two stages in the end.
_base_ = 'protocols.py'
# by their paths from here, and what tables call them; each has all losses, and its protocols leave some of them out
configs = {
    '../study/sr4ir-pcl_fpn_edsr_x4_scenes.py': 'segmentation',
    '../study/sr4ir-pcl_fcos_edsr_x4_scenes.py': 'detection',
    '../study/sr4ir-pcl_resnet_edsr_x8_sign-digits.py': 'sign digits',
    '../study/sr4ir-pcl_resnet_edsr_x4_cifar10.py': 'CIFAR-10',
}
compare = [
    'h2t',
    'l2t',
    'sr',
    's2t',
    't2s',
    's+t',
    'sr4ir',
    'sr4ir-no-tdp',
    'sr4ir-no-cqmix',
    'sr4ir-no-alternation',
    'sr4ir-pcl',
]
seeds = [0, 1, 2]
baseline = 's2t'  # what the paired differences are differences to
# tables over all tasks of how much better the second of two is, seed by seed: what the study asks, by the test images,
# and by what its settings were chosen, by images of the training folder
differences = dict(
    claims=dict(
        title='Differences on test images [95 %]',
        metrics='metrics',
        pairs=[
            ('l2t', 's2t'),
            ('s2t', 'sr4ir'),
            ('s2t', 's2t-diet'),
            ('s2t-diet', 'sr4ir-no-tdp'),
            ('s2t-diet', 'sr4ir-tdp-1'),
            ('sr4ir', 'h2t'),
            ('s+t', 'sr4ir'),
            ('sr4ir-no-tdp', 'sr4ir'),
            ('sr4ir-no-cqmix', 'sr4ir'),
            ('sr4ir-no-alternation', 'sr4ir'),
            ('sr4ir', 'sr4ir-pcl'),
            ('s2t', 'sr4ir-tdp-0.3'),
            ('s2t', 'sr4ir-tdp-1'),
            ('s+t', 'sr4ir-tdp-1'),
            ('sr4ir-tdp-1', 'h2t'),
            ('sr4ir-no-tdp', 'sr4ir-tdp-1'),
            ('sr4ir', 'sr4ir-tdp-1'),
        ],
    ),
    choices=dict(
        title='Differences on validation images [95 %]',
        metrics='val_metrics',
        pairs=[('sr4ir', 'sr4ir-no-tdp'), ('sr4ir', 'sr4ir-tdp-0.3'), ('sr4ir', 'sr4ir-tdp-1')],
    ),
)
both = dict(restorer='start-s', recognizer='start-t')
pcl = ['embedding', 'contrastive']
protocols = {
    'h2t': dict(start=dict(recognizer='start-t')),
    'l2t': dict(start=dict(recognizer='start-t')),
    'sr': dict(start=dict(restorer='start-s')),
    's2t': dict(start=dict(recognizer='start-t')),
    's2t-diet': dict(start=dict(recognizer='start-t')),
    't2s': dict(start=dict(restorer='start-s')),
    's+t': dict(start=both),
    'sr4ir': dict(start=both, without=pcl),
    'sr4ir-no-tdp': dict(title='SR4IR without TDP', start=both, without=[*pcl, 'tdp']),
    'sr4ir-no-cqmix': dict(title='SR4IR without CQMix', start=both, without=[*pcl, 'task_cqmix']),
    'sr4ir-no-alternation': dict(title='SR4IR without alternation', start=both, without=pcl, joint=True),
    'sr4ir-pcl': dict(title='SR4IR + PCL', start=both),
    # the config's weight of TDP is 0.05; 1 is the paper's, and what validation images prefer
    'sr4ir-tdp-0.3': dict(title='SR4IR, TDP 0.3', start=both, without=pcl, weights=dict(tdp=0.3)),
    'sr4ir-tdp-1': dict(title='SR4IR, TDP 1', start=both, without=pcl, weights=dict(tdp=1.0)),
    # what the others start from
    'start-t': dict(title='start of T', phases=[dict(name='recognize', update='recognizer', losses=dict(task_hr=1.0))]),
    'start-s': dict(title='start of S', phases=[dict(name='restore', update='restorer', losses=dict(pixel=1.0))]),
}
