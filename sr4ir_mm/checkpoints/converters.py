"""Rename the weights of other codebases to those of OpenMMLab's networks: a table of names for each layout."""

import re
from collections import OrderedDict
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from torch import Tensor

from sr4ir_mm.errors import CheckpointError, ConfigError, quote, some

from .loader import load_checkpoint
from .parts import weights_of

Weights = Dict[str, Tensor]
Rules = List[Tuple[str, str]]

_SWINIR = [
    (
        r'(conv_first|patch_embed|layers|norm|conv_after_body|conv_before_upsample|upsample|conv_last|conv_up\d|conv_hr'
        r'|absolute_pos_embed)(.*)',
        r'\1\2',
    )
]
_RESNET = [(r'((?:conv1|bn1|layer\d)\..*)', r'backbone.\1'), (r'fc\.(.*)', r'head.fc.\1')]
_DEEPLABV3 = [
    (r'backbone\.(\d+\..*)', r'backbone.features.\1'),  # MobileNetV3
    (r'(backbone\.(?:conv1|bn1|layer\d)\..*)', r'\1'),  # ResNet
    (r'classifier\.0\.convs\.([0-3])\.0\.(.*)', r'decode_head.aspp_modules.\1.conv.\2'),
    (r'classifier\.0\.convs\.([0-3])\.1\.(.*)', r'decode_head.aspp_modules.\1.bn.\2'),
    (r'classifier\.0\.convs\.4\.1\.(.*)', r'decode_head.image_pool.1.conv.\1'),
    (r'classifier\.0\.convs\.4\.2\.(.*)', r'decode_head.image_pool.1.bn.\1'),
    (r'classifier\.0\.project\.0\.(.*)', r'decode_head.bottleneck.0.conv.\1'),
    (r'classifier\.0\.project\.1\.(.*)', r'decode_head.bottleneck.0.bn.\1'),
    (r'classifier\.1\.(.*)', r'decode_head.bottleneck.2.conv.\1'),
    (r'classifier\.2\.(.*)', r'decode_head.bottleneck.2.bn.\1'),
    (r'classifier\.4\.(.*)', r'decode_head.conv_seg.\1'),
    (r'aux_classifier\.0\.(.*)', r'auxiliary_head.convs.0.conv.\1'),
    (r'aux_classifier\.1\.(.*)', r'auxiliary_head.convs.0.bn.\1'),
    (r'aux_classifier\.4\.(.*)', r'auxiliary_head.conv_seg.\1'),
]
_FASTER_RCNN = [
    (r'backbone\.body\.(\d+\..*)', r'backbone.features.\1'),  # MobileNetV3
    (r'backbone\.body\.((?:conv1|bn1|layer\d)\..*)', r'backbone.\1'),  # ResNet
    # newer torchvisions have a Sequential around these convolutions
    (r'backbone\.fpn\.inner_blocks\.(\d+)\.(?:0\.)?(weight|bias)', r'neck.lateral_convs.\1.conv.\2'),
    (r'backbone\.fpn\.layer_blocks\.(\d+)\.(?:0\.)?(weight|bias)', r'neck.fpn_convs.\1.conv.\2'),
    (r'rpn\.head\.conv\.(?:0\.0\.)?(weight|bias)', r'rpn_head.rpn_conv.\1'),
    (r'rpn\.head\.cls_logits\.(.*)', r'rpn_head.rpn_cls.\1'),
    (r'rpn\.head\.bbox_pred\.(.*)', r'rpn_head.rpn_reg.\1'),
    (r'roi_heads\.box_head\.fc6\.(.*)', r'roi_head.bbox_head.shared_fcs.0.\1'),
    (r'roi_heads\.box_head\.fc7\.(.*)', r'roi_head.bbox_head.shared_fcs.1.\1'),
    (r'roi_heads\.box_predictor\.cls_score\.(.*)', r'roi_head.bbox_head.fc_cls.\1'),
    (r'roi_heads\.box_predictor\.bbox_pred\.(.*)', r'roi_head.bbox_head.fc_reg.\1'),
]


def layout_of(weights: Weights) -> Optional[str]:
    """Return the layout that the names of the weights belong to, a key of ``LAYOUTS``; None if it is another one."""
    names = [name.removeprefix('module.') for name in weights]
    for key, layout in LAYOUTS.items():
        if any(re.match(layout.mark, name) for name in names):
            return key
    return None


def _rename(weights: Weights, rules: Rules, key: str, ignored: str = '$.') -> Weights:
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
        found = layout_of(weights)
        advice = ''
        if found is not None and found != key:
            advice = f' They are those of {LAYOUTS[found].title}; convert them with `{found}`.'
        raise CheckpointError(
            f'The weights are not in the layout of {LAYOUTS[key].title}: {len(unknown)} of {len(weights)} '
            f'are unknown there, for example {some(unknown)}.{advice}'
        )
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
        int(match[1])
        for match in (re.fullmatch(r'(?:module\.)?body\.(\d+)\.weight', name) for name in weights)
        if match
    ]
    end = blocks[0] if blocks else 'without end'  # the convolution after the blocks
    renamed = _rename(weights, [
        (r'head\.0\.(.*)', r'conv_first.\1'),
        (r'body\.(\d+)\.body\.0\.(.*)', r'body.\1.conv1.\2'),
        (r'body\.(\d+)\.body\.2\.(.*)', r'body.\1.conv2.\2'),
        (rf'body\.{end}\.(.*)', r'conv_after_body.\1'),
        (r'tail\.0\.(\d+)\.(.*)', r'upsample.\1.upsample_conv.\2'),
        (r'tail\.1\.(.*)', r'conv_last.\1'),
    ], 'edsr', ignored=r'(sub_mean|add_mean)\..*')  # yapf: disable
    result = OrderedDict()
    for name, value in renamed.items():
        # there, each convolution of the upsampling is followed by a shuffle with a number of its own
        name = re.sub(r'^upsample\.(\d+)', lambda match: f'upsample.{int(match[1]) // 2}', name)
        result[name] = value / 255 if rescale_biases and name.endswith('.bias') else value
    return result


def from_swinir(weights: Weights) -> Weights:
    """The authors' SwinIR to mmagic's ``SwinIRNet``: the same names, without what both compute from their sizes."""
    return _rename(
        {name: value for name, value in weights.items() if not name.endswith(('attn_mask', 'relative_position_index'))},
        _SWINIR,
        'swinir',
        ignored='mean',
    )


def from_resnet(weights: Weights) -> Weights:
    """torchvision's ResNet to mmpretrain's classifier; ``prefix='backbone'`` takes the backbone alone."""
    return _rename(weights, _RESNET, 'resnet')


def from_mobilenetv3(weights: Weights) -> Weights:
    """torchvision's MobileNetV3 to mmpretrain's classifier; ``prefix='backbone'`` takes the backbone alone."""
    blocks: Dict[str, Dict[int, bool]] = {}  # of each block, which of its members are convolutions with batch norm
    for name in weights:
        match = re.match(r'(?:module\.)?features\.(\d+)\.block\.(\d+)\.(0|fc1)', name)
        if match:
            blocks.setdefault(match[1], {})[int(match[2])] = match[3] == '0'
    rules = [
        (r'features\.(\d+)\.0\.(.*)', r'backbone.layer\1.conv.\2'),
        (r'features\.(\d+)\.1\.(.*)', r'backbone.layer\1.bn.\2'),
        (r'classifier\.0\.(.*)', r'head.layers.0.fc.\1'),
        (r'classifier\.3\.(.*)', r'head.layers.1.fc.\1'),
    ]
    for block, members in blocks.items():
        convolutions = [member for member in sorted(members) if members[member]]
        for member, layer in zip(convolutions[::-1], ('linear_conv', 'depthwise_conv', 'expand_conv')):
            rules += [
                (rf'features\.{block}\.block\.{member}\.0\.(.*)', rf'backbone.layer{block}.{layer}.conv.\1'),
                (rf'features\.{block}\.block\.{member}\.1\.(.*)', rf'backbone.layer{block}.{layer}.bn.\1'),
            ]
    rules += [(r'features\.(\d+)\.block\.\d+\.fc([12])\.(.*)', r'backbone.layer\1.se.conv\2.conv.\3')]
    return _rename(weights, rules, 'mobilenetv3')


def from_deeplabv3(weights: Weights) -> Weights:
    """torchvision's DeepLabV3 to mmseg's ``EncoderDecoder`` with the heads of :mod:`sr4ir_mm.models.heads`.

    Args:
        weights: With MobileNetV3, for :class:`~sr4ir_mm.models.TorchvisionBackbone`, or with ResNet, for mmseg's
            ``ResNet`` with ``contract_dilation=True``.
    """
    renamed = _rename(weights, _DEEPLABV3, 'deeplabv3')
    fusion = 'decode_head.bottleneck.0.conv.weight'
    if fusion in renamed:  # the pooled image is the last of the branches there, and the first in mmseg
        renamed[fusion] = renamed[fusion].roll(len(renamed[fusion]), dims=1)
    return renamed


def from_faster_rcnn(weights: Weights) -> Weights:
    """torchvision's Faster R-CNN with FPN to mmdet's ``FasterRCNN``.

    The background is class 0 there and the last one in mmdet, where it has no box of its own: class k becomes k − 1.

    Args:
        weights: With MobileNetV3, for :class:`~sr4ir_mm.models.TorchvisionBackbone`, or with ResNet, for mmdet's
            ``ResNet``.
    """
    renamed = _rename(weights, _FASTER_RCNN, 'faster-rcnn')
    for kind in ('weight', 'bias'):
        scores, boxes = (f'roi_head.bbox_head.{layer}.{kind}' for layer in ('fc_cls', 'fc_reg'))
        if scores in renamed:
            renamed[scores] = renamed[scores].roll(-1, dims=0)
        if boxes in renamed:
            renamed[boxes] = renamed[boxes][4:].clone()
    return renamed


def from_sr4ir(*networks: Weights, rescale_biases: bool = False) -> Weights:
    """The two networks of SR4IR's reference, of any task, to a cascade.

    Args:
        *networks: ``net_sr``, EDSR or SwinIR, and ``net_seg``, ``net_det`` or ``net_cls``, in any order.
        rescale_biases: See :func:`from_edsr`.

    Raises:
        CheckpointError: They are not one restorer and one recognizer.
    """
    parts: Dict[str, List[Tuple[str, Weights]]] = {}
    for weights in networks:
        key = layout_of(weights)
        if key is None:
            raise CheckpointError(
                f'One of the networks has an unknown layout, with for example ' f'{some(weights)}. Known: {_titles()}.'
            )
        parts.setdefault('restorer' if LAYOUTS[key].of_mmagic else 'recognizer', []).append((key, weights))
    if len(parts) != 2 or any(len(part) > 1 for part in parts.values()):
        found = ', '.join(LAYOUTS[key].title for part in parts.values() for key, _ in part)
        raise CheckpointError(f'A cascade is made of one restorer and one recognizer; given are: {found}.')
    renamed: Weights = OrderedDict()
    for part, [(key, weights)] in parts.items():
        options = dict(rescale_biases=True) if rescale_biases and key == 'edsr' else {}
        renamed.update((f'{part}.{name}', value) for name, value in LAYOUTS[key].convert(weights, **options).items())
    return renamed


def for_mmagic(weights: Weights) -> Weights:
    """As mmagic's models save their network."""
    return OrderedDict((f'generator.{name}', value) for name, value in weights.items())


class Layout(NamedTuple):
    """A network as another codebase names its weights.

    ``mark`` is how a name begins that no other layout has; ``of_mmagic`` says whether it becomes a network of mmagic.
    """

    title: str
    mark: str
    convert: Callable[..., Weights]
    of_mmagic: bool = False


#: the layouts by their names on the command line
LAYOUTS: Dict[str, Layout] = {
    'edsr': Layout('EDSR-PyTorch', r'body\.0\.body\.0\.', from_edsr, True),
    'swinir': Layout("the authors' SwinIR", r'layers\.0\.residual_group\.', from_swinir, True),
    'resnet': Layout("torchvision's ResNet", r'layer1\.0\.conv1\.', from_resnet),
    'mobilenetv3': Layout("torchvision's MobileNetV3", r'features\.1\.block\.0\.0\.', from_mobilenetv3),
    'deeplabv3': Layout("torchvision's DeepLabV3", r'classifier\.0\.convs\.', from_deeplabv3),
    'faster-rcnn': Layout("torchvision's Faster R-CNN", r'rpn\.head\.', from_faster_rcnn),
}


def _titles() -> str:
    return ', '.join(f'{layout.title} (`{key}`)' for key, layout in LAYOUTS.items())


def networks_in(file: str) -> Dict[str, Weights]:
    """Read the networks of a file by their names.

    Args:
        file: One network, whose name is empty then; or a training checkpoint of SR4IR's reference, which holds
            ``net_sr`` and ``net_seg``, ``net_det`` or ``net_cls`` beside the state of its schedules.
    """
    content = load_checkpoint(file)
    names = [name for name in content if str(name).startswith('net_') and isinstance(content[name], dict)]
    if not names:
        return {'': weights_of(content, file)}
    return {name: weights_of(content[name], f'{file} ({name})') for name in names}


def convert_files(layout: str, files: Sequence[str], rescale_biases: bool = False) -> Weights:
    """Read files of another codebase and rename their weights.

    Args:
        layout: A key of ``LAYOUTS``; of a training checkpoint the network of this layout is taken. Or ``sr4ir``, see
            :func:`from_sr4ir`.
        files: One file; for ``sr4ir`` also the two files of restorer and recognizer.
        rescale_biases: See :func:`from_edsr`.

    Raises:
        CheckpointError: A network is in another layout; the message names the file and the layout.
        ConfigError: The number of files or the option does not fit the layout.
    """
    if len(files) > (2 if layout == 'sr4ir' else 1):
        raise ConfigError(
            f'{layout} takes {"at most two files" if layout == "sr4ir" else "one file"}, '
            f'but {len(files)} are given.'
        )
    if rescale_biases and layout not in ('edsr', 'sr4ir'):
        raise ConfigError(f'--rescale-biases is only for EDSR; {layout} keeps its biases.')
    options = dict(rescale_biases=True) if rescale_biases else {}
    try:
        if layout == 'sr4ir':
            return from_sr4ir(*(weights for file in files for weights in networks_in(file).values()), **options)
        return LAYOUTS[layout].convert(_network_of(layout, networks_in(files[0])), **options)
    except CheckpointError as error:
        if str(error).startswith('The checkpoint'):  # of the reader, which names the file
            raise
        raise CheckpointError(f'{", ".join(files)}: {error}') from error


def _network_of(key: str, networks: Dict[str, Weights]) -> Weights:
    """Return the network of a layout, or the only one."""
    found = {name: layout_of(weights) for name, weights in networks.items()}
    fitting = [name for name in networks if len(networks) == 1 or found[name] == key]
    if not fitting:
        each = ', '.join(
            f'{quote(name)} ({LAYOUTS[layout].title}, `{layout}`)' if layout else quote(name)
            for name, layout in found.items()
        )
        raise CheckpointError(f'The file holds none in the layout of {LAYOUTS[key].title}; its networks are: {each}.')
    return networks[fitting[0]]
