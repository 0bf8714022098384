# Stanford Cars: 8,144 images for training, 8,041 for testing, 196 models.
_base_ = 'fine_grained.py'
num_classes = 196
dataset = dict(type='StanfordCars', data_root='data/Stanford_Cars')
train_dataloader = dict(dataset=dataset)
val_dataloader = dict(dataset=dataset)
test_dataloader = val_dataloader
