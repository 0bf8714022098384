"""From the layouts of other codebases to those of OpenMMLab: a table of names each."""
import re
from collections import OrderedDict
from typing import Callable, Dict, List, Tuple

from torch import Tensor

from sr4ir_mm.utils import CheckpointError, some

Weights = Dict[str, Tensor]
Rules = List[Tuple[str, str]]

_SWINIR = [
    (r'(conv_first|patch_embed|layers|norm|conv_after_body|conv_before_upsample|upsample|conv_last|conv_up\d|conv_hr'
     r'|absolute_pos_embed)(.*)', r'\1\2')
]
_RESNET = [(r'((?:conv1|bn1|layer\d)\..*)', r'backbone.\1'), (r'fc\.(.*)', r'head.fc.\1')]


def _rename(weights: Weights, rules: Rules, what: str, ignored: str = '$.') -> Weights:
    """Rename every weight by the first rule that its name follows.

    Raises:
        CheckpointError: A weight that no rule knows, and that is not ``ignored``.
    """
    renamed, unknown = OrderedDict(), []
    for name, value in weights.items():
        name = name.removeprefix('module.')
        for pattern, new in rules:
            match = re.fullmatch(pattern, name)
            if match:
                renamed[match.expand(new)] = value
                break
        else:
            if not re.fullmatch(ignored, name):
                unknown.append(name)
    if unknown or not renamed:
        raise CheckpointError(
            f'The checkpoint is not in the layout of {what}: {len(unknown)} of its {len(weights)} weights '
            f'are unknown there, for example {some(unknown)}.')
    return renamed


def from_edsr(weights: Weights, rescale_biases: bool = False) -> Weights:
    """EDSR-PyTorch, any scale, to mmagic's ``EDSRNet``.

    Its images are in 0–255. A cascade has ``img_range=255`` and the restorer ``rgb_mean`` times 255, or the biases are
    divided by 255: the network is made of convolutions, ReLU and additions, so that its output then is too.

    Args:
        weights: By EDSR-PyTorch's names; its shifts by the mean are constants.
        rescale_biases: For ``img_range=1`` and mmagic's own ``rgb_mean``.
    """
    blocks = [
        int(match[1]) for match in (re.fullmatch(r'(?:module\.)?body\.(\d+)\.weight', name) for name in weights)
        if match
    ]
    end = blocks[0] if blocks else 'without end'  # the convolution behind the blocks
    renamed = _rename(weights, [
        (r'head\.0\.(.*)', r'conv_first.\1'),
        (r'body\.(\d+)\.body\.0\.(.*)', r'body.\1.conv1.\2'),
        (r'body\.(\d+)\.body\.2\.(.*)', r'body.\1.conv2.\2'),
        (rf'body\.{end}\.(.*)', r'conv_after_body.\1'),
        (r'tail\.0\.(\d+)\.(.*)', r'upsample.\1.upsample_conv.\2'),
        (r'tail\.1\.(.*)', r'conv_last.\1'),
    ], 'EDSR-PyTorch', ignored=r'(sub_mean|add_mean)\..*')  # yapf: disable
    result = OrderedDict()
    for name, value in renamed.items():
        # there, each convolution of the upsampling is followed by a shuffle with a number of its own
        name = re.sub(r'^upsample\.(\d+)', lambda match: f'upsample.{int(match[1]) // 2}', name)
        result[name] = value / 255 if rescale_biases and name.endswith('.bias') else value
    return result


def from_swinir(weights: Weights) -> Weights:
    """The authors' SwinIR to mmagic's ``SwinIRNet``: the same names, without what both compute from their sizes."""
    return _rename(
        {
            name: value
            for name, value in weights.items() if not name.endswith(('attn_mask', 'relative_position_index'))
        },
        _SWINIR,
        'SwinIR',
        ignored='mean')


def from_resnet(weights: Weights) -> Weights:
    """torchvision's ResNet to mmpretrain's classifier; ``prefix='backbone'`` takes the backbone alone."""
    return _rename(weights, _RESNET, "torchvision's ResNet")


def from_mobilenetv3(weights: Weights) -> Weights:
    """torchvision's MobileNetV3 to mmpretrain's classifier; ``prefix='backbone'`` takes the backbone alone."""
    blocks: Dict[str, Dict[int, bool]] = {}  # of each block, which of its members are convolutions with batch norm
    for name in weights:
        match = re.match(r'(?:module\.)?features\.(\d+)\.block\.(\d+)\.(0|fc1)', name)
        if match:
            blocks.setdefault(match[1], {})[int(match[2])] = match[3] == '0'
    rules = [(r'features\.(\d+)\.0\.(.*)', r'backbone.layer\1.conv.\2'),
             (r'features\.(\d+)\.1\.(.*)', r'backbone.layer\1.bn.\2'), (r'classifier\.0\.(.*)', r'head.layers.0.fc.\1'),
             (r'classifier\.3\.(.*)', r'head.layers.1.fc.\1')]
    for block, members in blocks.items():
        convolutions = [member for member in sorted(members) if members[member]]
        for member, layer in zip(convolutions[::-1], ('linear_conv', 'depthwise_conv', 'expand_conv')):
            rules += [(rf'features\.{block}\.block\.{member}\.0\.(.*)', rf'backbone.layer{block}.{layer}.conv.\1'),
                      (rf'features\.{block}\.block\.{member}\.1\.(.*)', rf'backbone.layer{block}.{layer}.bn.\1')]
    rules += [(r'features\.(\d+)\.block\.\d+\.fc([12])\.(.*)', r'backbone.layer\1.se.conv\2.conv.\3')]
    return _rename(weights, rules, "torchvision's MobileNetV3")


def from_sr4ir(restorer: Weights, classifier: Weights, rescale_biases: bool = False) -> Weights:
    """The two files of SR4IR's reference for classification to a cascade.

    Args:
        restorer: ``net_sr_*.pth``, EDSR or SwinIR.
        classifier: ``net_cls_*.pth``, torchvision's ResNet or MobileNetV3.
        rescale_biases: As of :func:`from_edsr`.
    """
    is_swinir = any('.residual_group.' in name for name in restorer)
    restorer = from_swinir(restorer) if is_swinir else from_edsr(restorer, rescale_biases)
    is_mobilenet = any(name.removeprefix('module.').startswith('features.') for name in classifier)
    classifier = (from_mobilenetv3 if is_mobilenet else from_resnet)(classifier)
    return OrderedDict([(f'restorer.{name}', value)
                        for name, value in restorer.items()] + [(f'recognizer.{name}', value)
                                                                for name, value in classifier.items()])


def for_mmagic(weights: Weights) -> Weights:
    """As mmagic's models save their network."""
    return OrderedDict((f'generator.{name}', value) for name, value in weights.items())


#: the layouts by name: the function, the number of files, and whether the result is a network of mmagic
CONVERTERS: Dict[str, Tuple[Callable, int, bool]] = dict(
    edsr=(from_edsr, 1, True),
    swinir=(from_swinir, 1, True),
    resnet=(from_resnet, 1, False),
    mobilenetv3=(from_mobilenetv3, 1, False),
    sr4ir=(from_sr4ir, 2, False))
