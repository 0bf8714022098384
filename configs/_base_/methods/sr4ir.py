# SR4IR: what happens in an iteration. Each phase is an optimizer step of the part that it updates, by its losses with
# these weights; another method is another table (docs/phases.md). A schedule of SR4IR takes the table and sets `begin`,
# the number of epochs (ade20k: iterations) without the TDP loss.
phases = [
    dict(name='restore', update='restorer', losses=dict(pixel=1.0, tdp=dict(weight=1.0, begin=0))),
    # As published, the restorer draws its stochastic depth (SwinIR's drop_path) in this phase too; without train_mode a
    # part that is not updated is in eval mode. EDSR has none.
    dict(
        name='recognize',
        update='recognizer',
        losses=dict(task_sr=0.34, task_hr=0.34, task_cqmix=0.34),
        train_mode=['restorer'],
    ),
]
