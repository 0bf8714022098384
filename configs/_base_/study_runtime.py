_base_ = 'default_runtime.py'
custom_hooks = [*_base_.custom_hooks, dict(type='sr4ir_mm.ChannelsLastHook')]
default_hooks = dict(checkpoint=dict(max_keep_ckpts=1))
