# What tools/compare.py --study configs/_base_/ablations.py runs: SR4IR, and SR4IR with one thing less or otherwise. Each
# row starts from the weights that the config names, and keeps SR4IR's learning rates.
_base_ = 'protocols.py'
compare = [
    'sr4ir',
    'sr4ir-no-tdp',
    'sr4ir-no-cqmix',
    'sr4ir-no-alternation',
    'sr4ir-tdp-first',
    'sr4ir-cqmix-2x2',
    'sr4ir-cqmix-16x16',
    'sr4ir-cqmix-p25',
    'sr4ir-cqmix-p75',
]
baseline = 'sr4ir'  # what the paired differences are differences to
cqmix = 'train_dataloader.dataset.pipeline.CQMix'
protocols = {
    'sr4ir-no-tdp': dict(title='SR4IR without TDP', without=['tdp']),
    'sr4ir-no-cqmix': dict(title='SR4IR without CQMix', without=['task_cqmix']),
    'sr4ir-no-alternation': dict(title='SR4IR without alternation', joint=True),
    # TDP's place: the first map alone that the recognizer offers, which for DeepLabV3 is that of its auxiliary head, for
    # Faster R-CNN the finest level of its FPN and for ResNet layer 3
    'sr4ir-tdp-first': dict(
        title='SR4IR, TDP at the first map',
        cfg_options={'model.losses.tdp.features': [0], 'model.losses.tdp.weights': [1.0]},
    ),
    # the paper has a grid of 8×8 (segmentation, detection) or 4×4 (classification), half of whose cells are from SR
    'sr4ir-cqmix-2x2': dict(title='SR4IR, CQMix 2×2', cfg_options={f'{cqmix}.grid_size': 2}),
    'sr4ir-cqmix-16x16': dict(title='SR4IR, CQMix 16×16', cfg_options={f'{cqmix}.grid_size': 16}),
    'sr4ir-cqmix-p25': dict(title='SR4IR, CQMix with p = 0.25', cfg_options={f'{cqmix}.prob': 0.25}),
    'sr4ir-cqmix-p75': dict(title='SR4IR, CQMix with p = 0.75', cfg_options={f'{cqmix}.prob': 0.75}),
}
