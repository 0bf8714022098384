# CUB-200-2011: 5,994 images for training, 5,794 for testing, 200 species.
_base_ = 'fine_grained.py'
num_classes = 200
dataset = dict(type='CUB', data_root='data/CUB_200_2011')
train_dataloader = dict(dataset=dataset)
val_dataloader = dict(dataset=dataset)
test_dataloader = val_dataloader
