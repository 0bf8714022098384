"""Several processes train what one process trains on the whole batch."""

import copy
import threading

import pytest
import torch
from mmengine.model import is_model_wrapper
from mmengine.optim import build_optim_wrapper

from sr4ir_mm.engine import CascadeDistributedDataParallel
from sr4ir_mm.models.phases import build_phases
from sr4ir_mm.registry import MODELS
from tests.conftest import OPTIM_WRAPPER, SR4IR_PHASES, SWINIR, cascade_cfg, edsr, seg_batch, segmentor
from tests.processes import run_processes

SR4IR = [dict(SR4IR_PHASES[0], losses=dict(pixel=1.0, tdp=1.0)), SR4IR_PHASES[1]]
JOINT = [dict(name='joint', update=['restorer', 'recognizer'], losses=dict(pixel=1.0, task_sr=0.5))]
T2S = [dict(name='restore', update='restorer', losses=dict(pixel=1.0, task_sr=1.0))]
GLOBAL_BATCH, ITERATIONS = 4, 3


def build(phases, accumulate=1, norm='GN', restorer=None, **optimizer):
    torch.manual_seed(1)
    model = MODELS.build(cascade_cfg(recognizer=segmentor(norm), restorer=restorer or edsr()))
    model.init_weights()
    model.phases = [phase.at(0) for phase in build_phases(phases, model)]
    cfg = copy.deepcopy(OPTIM_WRAPPER)
    # plain SGD: Adam would turn rounding errors of tiny gradients into steps of full size
    cfg['restorer'] = dict(optimizer=dict(type='SGD', lr=1e-2, momentum=0.9), clip_grad=dict(max_norm=0.5))
    cfg = {
        key: value for key, value in cfg.items() if key == 'constructor' or any(key in p.update for p in model.phases)
    }
    for part in ('restorer', 'recognizer'):
        if part in cfg and optimizer:
            cfg[part] = dict(cfg[part], optimizer=optimizer)
    wrapper = build_optim_wrapper(model, dict(cfg, accumulative_counts=accumulate))
    wrapper.initialize_count_status(model, 0, ITERATIONS)
    return model.train(), wrapper


def global_batches():
    return [seg_batch(batch=GLOBAL_BATCH, seed=index) for index in range(ITERATIONS)]


def share(batch, rank, size):
    return {name: value[rank::size] for name, value in batch.items()}


def train_one(*args, **kwargs):
    model, wrapper = build(*args, **kwargs)
    before = copy.deepcopy(model.state_dict())
    for batch in global_batches():
        model.train_step(batch, wrapper)
    return before, model.state_dict()


def train_process(*args):
    """One of several processes; also counts what is all-reduced in each iteration."""
    rank, size = torch.distributed.get_rank(), torch.distributed.get_world_size()
    model, wrapper = build(*args)
    if rank > 0:  # the wrapper makes them the same
        for parameter in model.parameters():
            parameter.data.zero_()
    model = CascadeDistributedDataParallel(model)
    assert is_model_wrapper(model)
    reduced, all_reduce = [], torch.distributed.all_reduce

    def counted(tensor, *args, **kwargs):
        reduced[-1][tensor.dtype] = reduced[-1].get(tensor.dtype, 0) + tensor.numel() * tensor.element_size()
        return all_reduce(tensor, *args, **kwargs)

    torch.distributed.all_reduce = counted
    for batch in global_batches():
        reduced.append({})
        model.train_step(share(batch, rank, size), wrapper)
    return model.module.state_dict(), reduced


def relative(found, expected, part):
    """The difference of all parameters of a part, relative to them."""
    names = [name for name, value in expected.items() if name.startswith(part) and value.is_floating_point()]
    both = [torch.cat([state[name].flatten() for name in names]) for state in (found, expected)]
    return ((both[0] - both[1]).norm() / both[1].norm()).item()


def difference(found, expected, before):
    """The largest difference of a tensor, relative to how far training moved it."""
    return max(
        ((found[name] - value).norm() / (value - before[name]).norm()).item()
        for name, value in expected.items()
        if value.is_floating_point() and not torch.equal(value, before[name])
    )


@pytest.mark.parametrize('accumulate', [1, 2])
@pytest.mark.parametrize('phases', [SR4IR, JOINT, T2S], ids=['sr4ir', 's+t', 't2s'])
@pytest.mark.parametrize('size', [2, 4])
def test_processes_equal_one(size, phases, accumulate, float64):
    before, expected = train_one(phases, accumulate)
    results = run_processes(size, train_process, phases, accumulate)
    model, _ = build(phases)
    updated = {
        part
        for phase in phases
        for part in ([phase['update']] if isinstance(phase['update'], str) else phase['update'])
    }
    trained = [p for part in updated for p in model.parts[part].parameters() if p.requires_grad]
    for state, reduced in results:
        for part in ('restorer', 'recognizer'):
            assert relative(state, expected, part) < 1e-12
        assert difference(state, expected, before) < 1e-9
        # each trained tensor goes once, in the iterations that step, and a byte to say whether it has a gradient
        counts = {torch.float64: sum(8 * p.numel() for p in trained), torch.uint8: len(trained)}
        assert reduced == ([counts] * 3 if accumulate == 1 else [{}, counts, counts])
        assert state.keys() == results[0][0].keys()
        assert all(torch.equal(value, results[0][0][name]) for name, value in state.items())


def test_plain_batch_norm_sees_its_own_part(float64):
    """Against one process with a copy of the model for each part of the batch, and the mean of their gradients."""
    size = 2
    results = run_processes(size, train_process, SR4IR, 1, 'BN')  # before the threads: a fork shall not meet them
    replicas = [build(SR4IR, norm='BN') for _ in range(size)]
    barrier, gradients = threading.Barrier(size), [None] * size

    def reducer(rank):
        def reduce(parameters):
            gradients[rank] = [parameter.grad for parameter in parameters]
            barrier.wait()
            means = [sum(column) / size for column in zip(*gradients)]
            barrier.wait()
            for parameter, mean in zip(parameters, means):
                parameter.grad = mean.clone()

        return reduce

    def train(rank):
        for batch in global_batches():
            replicas[rank][0].train_step(share(batch, rank, size), replicas[rank][1], reducer(rank))

    threads = [threading.Thread(target=train, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(100)
    for (replica, _), (state, _) in zip(replicas, results):
        for name, value in replica.state_dict().items():
            assert torch.allclose(state[name], value, rtol=1e-9, atol=1e-9), name
    running = 'recognizer.backbone.layer1.0.bn1.running_mean'
    assert not torch.equal(results[0][0][running], results[1][0][running])


def train_with_stochastic_depth():
    phases = [SR4IR[0], dict(SR4IR[1], train_mode=['restorer'])]
    model, wrapper = build(phases, restorer=dict(SWINIR, drop_path_rate=0.5))
    torch.manual_seed(torch.distributed.get_rank())  # each process draws for its own images
    model = CascadeDistributedDataParallel(model)
    draws = []
    model.module.restorer.layers[1].register_forward_hook(lambda *args: draws.append(args[0].training))
    for batch in global_batches():
        model.train_step(share(batch, torch.distributed.get_rank(), 2), wrapper)
    return model.module.state_dict(), draws


def test_processes_stay_one_model_when_each_draws_its_own_stochastic_depth():
    (first, draws), (second, _) = run_processes(2, train_with_stochastic_depth)
    assert draws == [True] * 2 * ITERATIONS  # in both phases
    assert all(torch.equal(value, second[name]) for name, value in first.items())


def reduce_some():
    rank = torch.distributed.get_rank()
    model = CascadeDistributedDataParallel(MODELS.build(cascade_cfg()))
    both, here, nowhere = (torch.nn.Parameter(torch.zeros(2)) for _ in range(3))
    both.grad = torch.full((2,), float(rank))
    here.grad = torch.ones(2) if rank == 0 else None
    model.reduce_gradients([both, here, nowhere])
    step = []
    model.module.train_step = lambda data, optim_wrapper, reduce: step.append(reduce)
    with model.no_sync():
        model.train_step(None, None)
    model.train_step(None, None)
    return both.grad, here.grad, nowhere.grad, step[0] is None, step[1] is not None


def test_a_gradient_that_some_processes_lack():
    for both, here, nowhere, unsynced, synced in run_processes(2, reduce_some):
        assert both.tolist() == [0.5, 0.5] and here.tolist() == [0.5, 0.5]
        assert nowhere is None
        assert unsynced and synced


def zero(*args):
    model, wrapper = build(
        SR4IR, 1, 'GN', **dict(type='ZeroRedundancyOptimizer', optimizer_type='SGD', lr=1e-2, momentum=0.9)
    )
    model = CascadeDistributedDataParallel(model)
    for batch in global_batches():
        model.train_step(share(batch, torch.distributed.get_rank(), 2), wrapper)
    held = sum(len(wrapper[part].optimizer.optim.state) for part in ('restorer', 'recognizer'))
    return model.module.state_dict(), held, wrapper.state_dict()


def test_zero_spreads_the_optimizers():
    before, expected = train_one(SR4IR, 1, 'GN', type='SGD', lr=1e-2, momentum=0.9)
    results = run_processes(2, zero)
    for state, *_ in results:
        assert relative(state, expected, 'restorer') < 1e-6 and relative(state, expected, 'recognizer') < 1e-6
        assert difference(state, expected, before) < 1e-3
    model, _ = build(SR4IR)
    total = sum(1 for p in model.parameters() if p.requires_grad)
    held = [result[1] for result in results]
    assert sum(held) == total and min(held) > 0
    # the first process can save all of it
    assert sum(len(part['state']) for part in results[0][2].values()) == total


def test_sync_bn_is_for_trained_parts():
    from torch.nn import BatchNorm2d, SyncBatchNorm

    def converted():
        model = MODELS.build(cascade_cfg(recognizer=segmentor(norm_eval=True, frozen_stages=1)))
        model.restorer.bn = BatchNorm2d(8)
        model.train()
        wrapped = CascadeDistributedDataParallel(model, sync_bn='torch')
        modes = {name: module.training for name, module in model.named_modules()}
        keys = list(model.state_dict())
        wrapped.convert_sync_bn(['recognizer'])
        kinds = {
            part: {type(m) for m in net.modules() if 'BatchNorm' in type(m).__name__}
            for part, net in model.parts.items()
        }
        same = modes == {name: module.training for name, module in model.named_modules()}
        return kinds, same and keys == list(model.state_dict())

    for kinds, same in run_processes(1, converted):
        assert kinds == dict(restorer={BatchNorm2d}, recognizer={SyncBatchNorm})
        assert same
