_base_ = ['deeplabv3_edsr_x4_voc.py', '../_base_/degradations/realworld_x4.py']
model = dict(degradation=None)  # lr comes from the pipeline
train_dataloader = dict(dataset=dict(pipeline=[*_base_.train_pipeline, _base_.realworld]))
val_dataloader = dict(dataset=dict(pipeline=[*_base_.test_pipeline, dict(_base_.realworld, seed=0)]))
test_dataloader = val_dataloader
