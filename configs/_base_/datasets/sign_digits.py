# Sign Language Digits: 2,062 photographs, 100×100, of hands that show 0 to 9.
_base_ = 'image_folder.py'
data_root = '{{$SIGN_DIGITS:data/sign_digits}}'
train_pipeline = _base_.train_pipeline
test_pipeline = _base_.test_pipeline
train_pipeline[1].crop_size = test_pipeline[1].crop_size = 96
train_dataloader = dict(dataset=dict(dataset=dict(data_root=data_root, pipeline=train_pipeline)))
val_dataloader = dict(dataset=dict(dataset=dict(data_root=data_root, pipeline=test_pipeline)))
test_dataloader = dict(dataset=dict(data_root=data_root, pipeline=test_pipeline))
