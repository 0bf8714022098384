"""How strong each loss pulls at a part, and where to: ``python tools/analysis/loss_gradients.py CONFIG [CHECKPOINT]``.

Prints a table: each loss term with weight 1, the norm of its gradient in the part's parameters, and the cosine between
the gradients of two terms, means over some training batches. The weights are those of CHECKPOINT, or those that a
training of CONFIG starts from. So weights can be chosen that balance losses of different scales, such as TDP and
pixels.
"""

import argparse
from itertools import islice
from typing import Dict, Iterable, List, Sequence

import torch
from mmengine.config import DictAction
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from mmengine.runner import Runner, load_checkpoint, set_random_seed
from torch import Tensor

from sr4ir_mm.config import check_config, check_file, load_config
from sr4ir_mm.errors import ConfigError, check_choice, run_tool
from sr4ir_mm.models.batch import Batch
from sr4ir_mm.models.cascade import Cascade
from sr4ir_mm.models.phases import only_training
from sr4ir_mm.registry import MODELS


def parse_args(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Compare the gradients of loss terms')
    parser.add_argument('config', help='path of the config')
    parser.add_argument(
        'checkpoint', nargs='?', help='path of a checkpoint; default: the weights a training starts from'
    )
    parser.add_argument('--part', default='restorer', help='part whose gradients are compared; default: %(default)s')
    parser.add_argument('--losses', nargs='+', metavar='TERM', help='loss terms; default: all that teach the part')
    parser.add_argument('--batches', type=int, default=4, help='how many training batches; default: %(default)s')
    parser.add_argument('--seed', type=int, default=0, help='seed of weights, data order and augmentation')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, default={}, help='override settings of the config, KEY=VALUE'
    )
    args = parser.parse_args(argv)
    if args.batches < 1:
        raise ConfigError(f'--batches is {args.batches}; allowed: a whole number from 1.')
    return args


def teaching(model: Cascade, part: str) -> List[str]:
    """The loss terms that can teach a part and that the model has everything for."""
    return [
        term
        for term, loss in model.losses.items()
        if part in loss.teaches and all(needed in model.parts for needed in loss.needs)
    ]


def gradients(model: Cascade, part: str, terms: Sequence[str], data: dict) -> Dict[str, Dict[str, Tensor]]:
    """The ``value`` of each loss for a batch and its flat ``gradient`` in the part's parameters; the rest is frozen."""
    data = model.data_preprocessor(data, True)
    batch = Batch(model, data_samples=data['data_samples'], **data['inputs'])
    parameters = [parameter for parameter in model.parts[part].parameters() if parameter.requires_grad]
    found = {}
    for term in terms:
        model.zero_grad()
        batch.start_phase(part == 'restorer')
        with only_training(model.parts, [part]):
            value = model.losses[term](model, batch)
            value.backward()
            batch.backward_to_restorer()
        flat = [torch.zeros_like(parameter) if parameter.grad is None else parameter.grad for parameter in parameters]
        found[term] = dict(value=value.detach(), gradient=torch.cat([gradient.flatten() for gradient in flat]))
    return found


def table(batches: Sequence[Dict[str, Dict[str, Tensor]]]) -> str:
    """Means over batches: value, norm of the gradient, and its cosine with that of each other loss."""
    terms = list(batches[0])

    def mean(numbers: Iterable[torch.Tensor]) -> float:
        return torch.stack(list(numbers)).mean().item()

    lines = [
        '| loss | value | norm of gradient | ' + ' | '.join(f'cosine with {term}' for term in terms) + ' |',
        '|' + '---|' * (len(terms) + 3),
    ]
    for term in terms:
        gradients = [batch[term]['gradient'] for batch in batches]
        numbers = [mean(batch[term]['value'] for batch in batches), mean(map(torch.norm, gradients))]
        cosines = [
            mean(
                torch.cosine_similarity(gradient, batch[other]['gradient'], dim=0)
                for gradient, batch in zip(gradients, batches)
            )
            for other in terms
        ]
        cells = [f'{number:.3g}' for number in numbers] + [f'{cosine:.2f}' for cosine in cosines]
        lines.append('| ' + ' | '.join([term, *cells]) + ' |')
    return '\n'.join(lines)


def main(argv=None) -> None:
    args = parse_args(argv)
    cfg = load_config(args.config, args.cfg_options)
    check_config(cfg, args.cfg_options)
    if args.checkpoint:
        check_file(args.checkpoint, 'CHECKPOINT')
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    set_random_seed(args.seed)
    MMLogger.get_instance(
        'loss_gradients', log_level='WARNING'
    )  # how each layer is initialized is not of interest here
    model = MODELS.build(cfg.model)
    if args.checkpoint:
        load_checkpoint(model, args.checkpoint, map_location='cpu', strict=True)
    else:
        model.init_weights()
    model.to('cuda' if torch.cuda.is_available() else 'cpu').train()
    check_choice(args.part, model.trainable_parts, '--part')
    allowed = teaching(model, args.part)
    terms = [check_choice(term, allowed, '--losses') for term in args.losses or allowed]
    loader = Runner.build_dataloader(cfg.train_dataloader, seed=args.seed)
    print(table([gradients(model, args.part, terms, data) for data in islice(loader, args.batches)]))


if __name__ == '__main__':
    run_tool(main)
