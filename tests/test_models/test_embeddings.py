"""The embedding network of PCL-SR, its Haar transform, and what makes its positives and negatives."""

import pytest
import torch
import torch.nn.functional as F
from torchvision.transforms import functional as TF

from sr4ir_mm.errors import ConfigError
from sr4ir_mm.models import FrequencyEmbedding, HaarTransform, HardSamples
from sr4ir_mm.models.embeddings.hard_samples import gaussian_blur, sharpen


def test_haar_bands_are_sums_and_differences_of_2x2_patches():
    image = torch.rand(2, 3, 6, 8, dtype=torch.float64)
    a, b, c, d = image[..., ::2, ::2], image[..., ::2, 1::2], image[..., 1::2, ::2], image[..., 1::2, 1::2]
    expected = torch.stack([a + b + c + d, a + b - c - d, a - b + c - d, a - b - c + d], 1) / 2
    assert torch.allclose(HaarTransform()(image), expected, atol=1e-12)


def test_haar_keeps_the_energy_and_can_be_inverted():
    haar, image = HaarTransform(), torch.rand(2, 3, 16, 12, dtype=torch.float64)
    bands = haar(image)
    assert torch.allclose((bands**2).sum(), (image**2).sum())
    # the transposed filters undo it
    filters = haar.matrix.double().view(4, 1, 2, 2)
    back = F.conv_transpose2d(bands.transpose(1, 2).flatten(0, 1), filters, stride=2).view_as(image)
    assert torch.allclose(back, image, atol=1e-12)


def test_a_constant_image_has_no_high_frequencies():
    bands = HaarTransform()(torch.full((1, 3, 8, 8), 0.3))
    assert torch.equal(bands[:, 1:], torch.zeros(1, 3, 3, 4, 4))
    assert torch.allclose(bands[:, 0], torch.tensor(0.6))


def test_the_network_is_the_published_one():
    net = FrequencyEmbedding()
    assert sum(parameter.numel() for parameter in net.parameters()) == 4_691_265
    features = net.extract_feat(torch.rand(2, 3, 64, 64), range(8))
    shapes = [(64, 32), (64, 16), (128, 16), (128, 8), (256, 8), (256, 4), (512, 4), (512, 2)]
    assert [tuple(feature.shape[1:]) for feature in features] == [(c, s, s) for c, s in shapes]
    assert any((feature < 0).any() for feature in features)  # leaky, not cut off
    assert net(torch.rand(2, 3, 33, 50)).shape == (2, 16)


def test_the_network_does_not_see_low_frequencies():
    net = FrequencyEmbedding(base_channels=4).eval()
    image = torch.rand(1, 3, 32, 32)
    assert torch.allclose(net(image), net(image + 0.3), atol=1e-5)


def test_layers_behind_the_last_one_wanted_do_not_run():
    net = FrequencyEmbedding(base_channels=4)
    net.blocks[5].register_forward_hook(lambda *_: pytest.fail('block 5 ran'))
    image = torch.rand(1, 3, 32, 32)
    last, first = net.eval().extract_feat(image, [-4, 0])
    assert last.shape[1] == 16 and first.shape[1] == 4
    with pytest.raises(
        ConfigError, match='layers names the layer 8, but model.parts.embedding has 8; allowed: -8 to 7'
    ):
        net.extract_feat(image, [8])


def test_sharpening_equals_torchvision_image_by_image():
    images, factors = torch.rand(3, 3, 12, 10), torch.tensor([1.0, 1.7, 3.0])
    expected = torch.stack([TF.adjust_sharpness(image, factor) for image, factor in zip(images, factors.tolist())])
    assert torch.allclose(sharpen(images, factors), expected, atol=1e-6)


def test_blur_equals_torchvision_image_by_image():
    images, sizes = torch.rand(4, 3, 16, 12), torch.tensor([3, 11, 5, 7])
    sigmas = torch.tensor([[0.1, 2.0], [1.5, 0.4], [0.7, 0.7], [2.0, 0.1]])
    expected = torch.stack(
        [
            # torchvision names the width first
            TF.gaussian_blur(image, [size, size], [across, down])
            for image, size, (down, across) in zip(images, sizes.tolist(), sigmas.tolist())
        ]
    )
    assert torch.allclose(gaussian_blur(images, sizes, sigmas, 11), expected, atol=1e-6)


def test_samples_follow_the_seed_and_differ():
    samples, hr, lr = HardSamples(), torch.rand(2, 3, 32, 24), torch.rand(2, 3, 8, 6)
    torch.manual_seed(3)
    first = samples.positives(hr), samples.negatives(hr, lr, 4)
    torch.manual_seed(3)
    second = samples.positives(hr), samples.negatives(hr, lr, 4)
    for one, other in zip(first, second):
        assert one.shape == (4, 2, 3, 32, 24) and torch.equal(one, other)
    positives, negatives = first
    assert torch.equal(positives[0], hr)
    assert torch.equal(negatives[0], F.interpolate(lr, size=(32, 24), mode='bicubic', align_corners=False))
    made = torch.cat([positives[1:], negatives[1:]]).flatten(0, 1)
    assert len({image.sum().item() for image in made}) == len(made)


def test_positives_are_sharper_and_negatives_smoother():
    hr = 0.25 + 0.5 * torch.rand(2, 3, 32, 32)

    def detail(images):
        return HaarTransform()(images)[:, 1:].square().sum((1, 2, 3, 4))

    samples = HardSamples(sharpness=(1.2, 1.5), sigma=(0.8, 2.0))
    assert (detail(samples.sharpened(hr).flatten(0, 1)) > detail(hr).repeat(3)).all()
    assert (detail(samples.blurred(hr).flatten(0, 1)) < 0.7 * detail(hr).repeat(3)).all()


def test_mixed_precision_leaves_the_samples_as_they_are(bfloat16):
    samples, hr = HardSamples(), torch.rand(2, 3, 16, 16)
    torch.manual_seed(0)
    expected = samples.positives(hr), samples.blurred(hr)
    torch.manual_seed(0)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        made = samples.positives(hr), samples.blurred(hr)
    assert all(map(torch.equal, made, expected))


def test_no_extra_samples():
    samples, hr = HardSamples(num_sharpened=0, num_blurred=0), torch.rand(2, 3, 16, 16)
    assert torch.equal(samples.positives(hr), hr[None])
    assert len(samples.negatives(hr, torch.rand(2, 3, 4, 4), 4)) == 1


@pytest.mark.parametrize(
    'kwargs, message',
    [
        (dict(sharpness=(0.5, 3.0)), r'samples.sharpness is \(0.5, 3.0\); allowed: \(low, high\) with 1 <= low'),
        (dict(sigma=(2.0, 0.1)), 'samples.sigma'),
        (dict(kernel_sizes=(3, 4)), r'samples.kernel_sizes is \(3, 4\); allowed: odd numbers'),
        (dict(num_blurred=-1), 'samples.num_blurred is -1; allowed: a whole number from 0'),
    ],
)
def test_samples_that_cannot_be_made_are_refused(kwargs, message):
    with pytest.raises(ConfigError, match=message):
        HardSamples(**kwargs)
