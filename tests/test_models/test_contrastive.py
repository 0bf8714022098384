"""Contrastive learning: the values of the losses, and what each of them teaches."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import ConfigDict
from mmengine.runner import Runner
from torch.autograd import gradcheck

from sr4ir_mm.checkpoints import load_checkpoint
from sr4ir_mm.engine import CascadeOptimWrapperConstructor
from sr4ir_mm.errors import ConfigError
from sr4ir_mm.models import ContrastiveLoss, FrequencyEmbedding
from sr4ir_mm.models.losses import check_needs
from sr4ir_mm.models.losses.contrastive_loss import dual_contrastive_loss, info_nce, similarity
from sr4ir_mm.models.phases import build_phases
from sr4ir_mm.registry import MODELS
from tests.conftest import OPTIM_WRAPPER, SR4IR_PHASES, cascade_cfg, seg_batch

EMBED = dict(name='embed', update='embedding', losses=dict(embedding=1.0))
RESTORE = dict(name='restore', update='restorer', losses=dict(pixel=1.0, contrastive=0.5))
OPTIM = dict(restorer=dict(optimizer=dict(type='SGD', lr=0.1)), embedding=dict(optimizer=dict(type='SGD', lr=0.1)))
TDP = dict(tdp=dict(features=[-1], weights=[1.0]))
EMBEDDING = dict(type='sr4ir_mm.FrequencyEmbedding', base_channels=4)
LEARNING = dict(parts=dict(embedding=EMBEDDING), losses=dict(TDP, contrastive=dict(layers=[4, 1])))


def build(phases, optim_wrapper=OPTIM, **kwargs):
    cfg = cascade_cfg(**LEARNING)
    cfg.update(kwargs)
    model = MODELS.build(cfg).train()
    model.init_weights()
    model.phases = build_phases([ConfigDict(phase) for phase in phases], model)
    updated = {part for phase in model.phases for part in phase.update}
    optim_wrapper = {part: optim_wrapper[part] for part in updated}
    return model, CascadeOptimWrapperConstructor(ConfigDict(copy.deepcopy(optim_wrapper)))(model)


def step(model, optim):
    """Train one iteration; the names of the parts in which anything moved, and of everything that moved."""
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.train_step(seg_batch(), optim)
    moved = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    return {name.split('.')[0] for name in moved}, moved


# ---------- values


def test_similarity_is_the_mean_cosine_of_the_channels():
    image, others = torch.randn(2, 5, 3, 4), torch.randn(3, 2, 5, 3, 4)
    for k in range(3):
        for n in range(2):
            a, b = image[n], others[k, n]
            total = 0
            for y in range(3):
                for x in range(4):
                    total += float(a[:, y, x] @ b[:, y, x] / (a[:, y, x].norm() * b[:, y, x].norm()))
            assert float(similarity(image, others)[k, n]) == pytest.approx(total / 12, abs=1e-6)


@pytest.mark.parametrize('tau', [1.0, 0.2])
def test_info_nce_equals_its_formula(tau):
    positive, negative = torch.rand(2, 3).tolist(), torch.rand(4, 3).tolist()
    terms = []
    for n in range(3):
        against = sum(math.exp(row[n] / tau) for row in negative)
        for row in positive:
            terms.append(-math.log(math.exp(row[n] / tau) / (math.exp(row[n] / tau) + against)))
    value = info_nce(torch.tensor(positive), torch.tensor(negative), tau)
    assert float(value) == pytest.approx(sum(terms) / 6, rel=1e-5)


def test_dual_contrastive_loss_equals_its_formula():
    real, fake = torch.randn(2, 3).tolist(), torch.randn(4, 3).tolist()
    r, f = sum(real, []), sum(fake, [])
    first = [-math.log(math.exp(x) / (math.exp(x) + sum(math.exp(y) for y in f))) for x in r]
    second = [-math.log(math.exp(-y) / (math.exp(-y) + sum(math.exp(-x) for x in r))) for y in f]
    value = dual_contrastive_loss(torch.tensor(real), torch.tensor(fake))
    assert float(value) == pytest.approx(sum(first) / 6 + sum(second) / 12, rel=1e-5)


def test_symmetric_cases_have_their_closed_form():
    positive, negative = torch.full((2, 3), 0.4), torch.full((5, 3), 0.4)
    assert float(info_nce(positive, negative, 0.1)) == pytest.approx(math.log(6))
    assert float(ContrastiveLoss(form='cosine').compare(positive, negative)) == pytest.approx(0, abs=1e-6)
    value = dual_contrastive_loss(torch.full((2, 16), -1.5), torch.full((3, 16), -1.5))
    assert float(value) == pytest.approx(math.log(49) + math.log(33))


def test_cosine_form_is_the_difference_of_the_means():
    loss = ContrastiveLoss(form='cosine')
    value = loss.compare(torch.tensor([[0.9], [0.7]]), torch.tensor([[0.1], [0.2], [0.6]]))
    assert float(value) == pytest.approx(0.3 - 0.8)


def test_large_logits_do_not_overflow():
    far = torch.tensor([-1e4, 1e4])
    assert torch.isfinite(dual_contrastive_loss(far, far))
    assert float(dual_contrastive_loss(torch.tensor([1e4]), torch.tensor([-1e4]))) == 0
    assert torch.isfinite(info_nce(torch.ones(1, 1), -torch.ones(1, 1), 1e-4))


# ---------- gradients


def test_gradients_of_both_losses_in_float64():
    logits = [torch.randn(3, 4, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    assert gradcheck(dual_contrastive_loss, logits)
    image = torch.randn(2, 5, 2, 2, dtype=torch.float64, requires_grad=True)
    positive, negative = torch.randn(2, 2, 5, 2, 2).double(), torch.randn(3, 2, 5, 2, 2).double()
    assert gradcheck(lambda x: info_nce(similarity(x, positive), similarity(x, negative), 0.3), [image])


@pytest.mark.parametrize('form', ['info_nce', 'cosine'])
def test_gradient_at_sr_through_the_network_in_float64(form):
    net = FrequencyEmbedding(base_channels=4).double().eval()
    loss = ContrastiveLoss(layers=[4, 0], form=form)
    hr, lr = torch.rand(1, 3, 8, 8).double(), torch.rand(1, 3, 2, 2).double()
    samples = loss.samples
    samples.kernel_sizes = (3,)  # for so small an image

    def at(sr):
        torch.manual_seed(0)
        return loss.contrast(net, sr, hr, lr, 4)

    assert gradcheck(at, [torch.rand(1, 3, 8, 8, dtype=torch.float64, requires_grad=True)])


def test_both_forms_call_the_clean_image_better_than_the_upsampled_one():
    net, hr = FrequencyEmbedding(base_channels=4).eval(), torch.rand(2, 3, 32, 32)
    lr = F.interpolate(hr, scale_factor=0.25, mode='bicubic', antialias=True)
    upsampled = F.interpolate(lr, scale_factor=4, mode='bicubic')
    for form in ('info_nce', 'cosine'):
        loss = ContrastiveLoss(form=form)
        assert loss.contrast(net, hr, hr, lr, 4) < loss.contrast(net, upsampled, hr, lr, 4)


# ---------- who learns


def test_the_contrastive_term_reaches_the_restorer_and_leaves_the_embedding_untouched():
    model, optim = build([dict(RESTORE, losses=dict(contrastive=1.0))])
    seen = []
    model.embedding.blocks[0].register_forward_hook(lambda module, *_: seen.append(module.training))
    parts, moved = step(model, optim)
    assert parts == {'restorer'}
    # all of it, but that the last bias is a constant, which high frequencies do not show: its gradient is zero, or rounding
    restorer = {name for name, _ in model.named_parameters() if name.startswith('restorer.')}
    assert moved | {'restorer.conv_last.bias'} == restorer
    assert all(parameter.grad is None for parameter in model.embedding.parameters())
    assert seen == [False, False]  # once for sr, once for all samples
    assert model.embedding.training and all(parameter.requires_grad for parameter in model.embedding.parameters())


def test_the_embedding_phase_leaves_the_restorer_untouched():
    model, optim = build([EMBED])
    restored = []
    model.restorer.register_forward_hook(lambda _, __, sr: restored.append(sr.requires_grad))
    parts, moved = step(model, optim)
    assert parts == {'embedding'} and restored == [False]
    assert moved == {name for name in model.state_dict() if name.startswith('embedding.')}


def test_a_joint_phase_does_not_mix_the_lessons(float64):
    """The restorer is not taught to deceive, the embedding network is not taught to please."""
    joint = dict(name='joint', update=['restorer', 'embedding'], losses=dict(pixel=1.0, contrastive=0.5, embedding=1.0))
    gradients = []
    for phases in (
        [joint],
        [dict(joint, losses=dict(pixel=1.0, contrastive=0.5), update='restorer')],
        [dict(joint, losses=dict(embedding=1.0), update='embedding')],
    ):
        torch.manual_seed(0)
        model, optim = build(phases, losses=dict(contrastive=dict(samples=dict(num_sharpened=0, num_blurred=0))))
        before = {name: value.clone() for name, value in model.named_parameters()}
        step(model, optim)
        gradients.append({name: value - before[name] for name, value in model.named_parameters()})
    both, restorer, embedding = gradients
    for name, change in both.items():
        alone = restorer if name.startswith('restorer') else embedding
        assert torch.allclose(change, alone[name], atol=1e-10), name


def test_equals_a_plain_loop(float64):
    """Embedding first, then the restorer with what the embedding network has become."""
    model, optim = build([EMBED, RESTORE])
    sr_net, net, samples = (
        copy.deepcopy(model.restorer),
        copy.deepcopy(model.embedding),
        model.losses.contrastive.samples,
    )
    optimizers = [torch.optim.SGD(part.parameters(), lr=0.1) for part in (sr_net, net)]
    hr = torch.stack(seg_batch()['inputs']).double()[:, [2, 1, 0]] / 255
    lr = F.interpolate(hr, scale_factor=0.25, mode='bicubic', align_corners=False)
    lr = (lr.clamp(0, 1) * 255).round() / 255
    upsampled = F.interpolate(lr, scale_factor=4, mode='bicubic', align_corners=False)
    torch.manual_seed(5)
    expected = []
    for _ in range(2):
        net.train()
        real = torch.cat([hr, *samples.sharpened(hr)])
        fake = torch.cat([sr_net(lr).detach(), *samples.blurred(hr)])
        logits = net(torch.cat([real, fake])).flatten()
        r, f = logits[: 8 * 16], logits[8 * 16 :]
        embedding = -torch.log(r.exp() / (r.exp() + f.exp().sum())).mean()
        embedding = embedding - torch.log((-f).exp() / ((-f).exp() + (-r).exp().sum())).mean()
        optimizers[1].zero_grad()
        embedding.backward()
        optimizers[1].step()
        net.eval()
        sr = sr_net(lr)
        good, bad = [hr, *samples.sharpened(hr)], [upsampled, *samples.blurred(hr)]
        terms = []
        for layer in (4, 1):

            def close(image):
                a, b = (net.extract_feat(x, [layer])[0] for x in (sr, image))
                return ((a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1))).mean((1, 2))

            against = sum(close(image).exp() for image in bad)
            terms += [-torch.log(close(image).exp() / (close(image).exp() + against)).mean() for image in good]
        contrastive, pixel = sum(terms) / len(terms), F.l1_loss(sr, hr)
        optimizers[0].zero_grad()
        (pixel + 0.5 * contrastive).backward()
        optimizers[0].step()
        expected.append([embedding.item(), pixel.item(), 0.5 * contrastive.item()])
    torch.manual_seed(5)
    for losses in expected:
        logs = model.train_step(seg_batch(), optim)
        names = ('loss_embedding', 'loss_pixel', 'loss_contrastive')
        assert [logs[name].item() for name in names] == pytest.approx(losses, rel=1e-9)
    for ours, theirs in ((model.restorer, sr_net), (model.embedding, net)):
        for (name, value), other in zip(ours.state_dict().items(), theirs.state_dict().values()):
            assert torch.allclose(value, other, rtol=1e-9, atol=1e-9), name


# ---------- in the loop


def test_the_embedding_is_a_part_like_others(voc_cfg):
    """SR4IR + PCL by the loop: its own optimizer and schedule, in the checkpoint, and resumed."""
    restore = dict(SR4IR_PHASES[0], losses=dict(pixel=1.0, tdp=1.0, contrastive=dict(weight=0.02, begin=1)))
    voc_cfg.model.update(copy.deepcopy(LEARNING))
    voc_cfg.train_cfg.phases = [EMBED, restore, SR4IR_PHASES[1]]
    voc_cfg.optim_wrapper = dict(OPTIM_WRAPPER, embedding=dict(optimizer=dict(type='Adam', lr=1e-4)))
    cosine = [dict(type='CosineAnnealingLR', T_max=2, eta_min=0)]
    voc_cfg.param_scheduler = dict(restorer=cosine, recognizer=cosine, embedding=cosine)
    runner = Runner.from_cfg(dict(voc_cfg, experiment_name='whole'))
    runner.train()
    history = {name: len(log.data[0]) for name, log in runner.message_hub.log_scalars.items()}
    assert history['train/loss_embedding'] == 4 and history['train/loss_contrastive'] == 2
    assert runner.message_hub.get_scalar('train/embedding.lr').current() == pytest.approx(5e-5)
    checkpoint = load_checkpoint(f'{voc_cfg.work_dir}/epoch_1.pth')
    assert set(checkpoint['optimizer']) == {'restorer', 'recognizer', 'embedding'}
    assert any(name.startswith('embedding.') for name in checkpoint['state_dict'])
    resumed = Runner.from_cfg(
        dict(
            voc_cfg,
            experiment_name='resumed',
            resume=True,
            load_from=f'{voc_cfg.work_dir}/epoch_1.pth',
            work_dir=f'{voc_cfg.work_dir}_resumed',
        )
    )
    resumed.train()
    steps = {int(state['step']) for state in resumed.optim_wrapper['embedding'].optimizer.state.values()}
    assert resumed.iter == 4 and steps == {4}


def test_bfloat16(voc_cfg, bfloat16):
    voc_cfg.model.update(copy.deepcopy(LEARNING))
    voc_cfg.train_cfg.update(max_epochs=1, phases=[EMBED, RESTORE])
    voc_cfg.optim_wrapper = dict(voc_cfg.optim_wrapper, recognizer=None, amp='bfloat16', embedding=OPTIM['embedding'])
    runner = Runner.from_cfg(voc_cfg)
    runner.train()
    # of 4 negatives and 1 positive, and of 8 × 16 logits on both sides, all alike
    assert runner.message_hub.get_scalar('train/loss_contrastive').data[0] == pytest.approx(0.5 * math.log(5), rel=0.3)
    assert runner.message_hub.get_scalar('train/loss_embedding').data[0] == pytest.approx(2 * math.log(129), rel=0.3)
    assert all(parameter.dtype == torch.float32 for parameter in runner.model.parameters())


def test_the_network_is_not_needed_for_testing(tmp_path):
    """Parts that were trained apart are tested together, with no weights for the embedding network."""
    done, _ = build([EMBED])
    torch.save(dict(state_dict=done.state_dict()), tmp_path / 'done.pth')
    cfg = cascade_cfg(**LEARNING)
    for part in ('restorer', 'recognizer'):
        cfg[part].init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'done.pth'), prefix=part)
    model = MODELS.build(cfg)
    model.load_pretrained()
    assert torch.equal(model.restorer.conv_first.weight, done.restorer.conv_first.weight)


@pytest.mark.parametrize('losses', [dict(contrastive=1.0), dict(pixel=1.0, embedding=1.0)])
def test_a_term_without_the_network_is_told(losses):
    model, optim = build([dict(RESTORE, losses=losses)], parts=None)
    term = 'embedding' if 'embedding' in losses else 'contrastive'
    with pytest.raises(
        ConfigError, match=f'has the loss `{term}`, which needs model.parts.embedding, but that is not set'
    ):
        check_needs(term, model.losses[term], model)


@pytest.mark.parametrize(
    'kwargs, message',
    [
        (
            dict(form='infonce'),
            "model.losses.contrastive.form is 'infonce'; allowed: .*Did you mean 'info_nce'",
        ),
        (dict(temperature=0), 'model.losses.contrastive.temperature is 0; allowed: a number above 0'),
        (dict(layers=[]), 'model.losses.contrastive.layers is empty'),
    ],
)
def test_a_mistake_is_told(kwargs, message):
    with pytest.raises(ConfigError, match=message):
        MODELS.build(cascade_cfg(losses=dict(contrastive=kwargs)))


def test_an_embedding_phase_needs_the_network():
    with pytest.raises(ConfigError, match=r"phases\[0\].update is 'embedding'; allowed: 'restorer', 'recognizer'"):
        build([EMBED], parts=None)
