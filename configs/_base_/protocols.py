# The protocols that SR4IR is compared with, each a table of phases. A config takes one by `_base_.protocols[name].phases`,
# tools/compare.py reads all of them: a new protocol is a new row here. Besides `phases` a row may have
#   title     what tables and plots call it
#   restorer  a network of its own in place of the config's; it gets the scale of the model
#   start     the part whose weights come from a run of another protocol
protocols = {
    'h2t': dict(
        title='H→T', phases=[dict(name='recognize', update='recognizer', losses=dict(task_hr=1.0))]),
    'l2t': dict(
        title='L→T',
        phases=[dict(name='recognize', update='recognizer', losses=dict(task_sr=1.0))],
        restorer=dict(type='sr4ir_mm.Interpolation', mode='bilinear', align_corners=True)),
    'sr': dict(
        title='SR', phases=[dict(name='restore', update='restorer', losses=dict(pixel=1.0))]),
    's2t': dict(
        title='S→T',
        phases=[dict(name='recognize', update='recognizer', losses=dict(task_sr=1.0))],
        start=dict(restorer='sr')),
    't2s': dict(
        title='T→S',
        phases=[dict(name='restore', update='restorer', losses=dict(pixel=1.0, task_sr=1.0))],
        start=dict(recognizer='h2t')),
    's+t': dict(
        title='S+T',
        phases=[dict(name='joint', update=['restorer', 'recognizer'], losses=dict(pixel=1.0, task_sr=1.0))]),
}
