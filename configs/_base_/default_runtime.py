default_hooks = dict(
    runtime_info=dict(type='sr4ir_mm.DeferredLossHook'),
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='sr4ir_mm.ResumableCheckpointHook', interval=1, max_keep_ckpts=3),
    efficiency=dict(type='sr4ir_mm.EfficiencyHook'),
    sampler_seed=dict(type='DistSamplerSeedHook'),
)
env_cfg = dict(
    cudnn_benchmark=True,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    # without a GPU the backend is gloo; timeout in seconds: how long a process waits for one that does not answer
    dist_cfg=dict(backend='nccl', timeout=1800),
)
model_wrapper_cfg = dict(type='sr4ir_mm.CascadeDistributedDataParallel')
log_level = 'INFO'
load_from = None
resume = False
