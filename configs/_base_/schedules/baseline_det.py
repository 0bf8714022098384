# The baselines of detection: as SR4IR, but the learning rates do not restart.
_base_ = 'sr4ir_det.py'
param_scheduler = _base_.baseline_param_scheduler
