"""The losses of PCL-SR."""

from contextlib import contextmanager
from typing import Iterator, List, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from sr4ir_mm.errors import ConfigError, check_choice
from sr4ir_mm.models.batch import Batch
from sr4ir_mm.models.phases import only_training
from sr4ir_mm.registry import MODELS

from .base import LossTerm


def _full(value: Tensor) -> Tensor:
    """Leave mixed precision: at least float32."""
    return value.to(torch.promote_types(value.dtype, torch.float32))


def similarity(image: Tensor, others: Tensor) -> Tensor:
    """Cosine of the channels of two feature maps, mean over the positions.

    Args:
        image: Shape (N, C, h, w).
        others: Shape (K, N, C, h, w).

    Returns:
        Shape (K, N), in [-1, 1].
    """
    return F.cosine_similarity(_full(image), _full(others), dim=-3).mean((-2, -1))


def info_nce(positive: Tensor, negative: Tensor, temperature: float = 1.0) -> Tensor:
    r"""InfoNCE as in PCL-SR (arXiv 2111.13924), mean over images and positives:

    .. math:: -\log \frac{e^{s_p/\tau}}{e^{s_p/\tau} + \sum_n e^{s_n/\tau}}

    Args:
        positive: Similarities :math:`s_p`, shape (P, N).
        negative: Similarities :math:`s_n`, shape (K, N).
        temperature: :math:`\tau`.
    """
    return F.softplus(torch.logsumexp(negative / temperature, 0) - positive / temperature).mean()


def dual_contrastive_loss(real: Tensor, fake: Tensor) -> Tensor:
    r"""What the embedding network of PCL-SR (arXiv 2111.13924) learns from:

    .. math::
        \mathrm{mean}_i -\log \frac{e^{r_i}}{e^{r_i} + \sum_j e^{f_j}} +
        \mathrm{mean}_j -\log \frac{e^{-f_j}}{e^{-f_j} + \sum_i e^{-r_i}}

    Args:
        real: Logits :math:`r` of clean images, any shape.
        fake: Logits :math:`f` of degraded ones, any shape.
    """
    real, fake = _full(real).flatten(), _full(fake).flatten()
    return F.softplus(fake.logsumexp(0) - real).mean() + F.softplus((-real).logsumexp(0) + fake).mean()


@contextmanager
def batch_statistics(network: nn.Module) -> Iterator[None]:
    """Let the batch norms normalize by the statistics of what they see, and keep the running ones as they are."""
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    before = [(norm.training, norm.track_running_stats) for norm in norms]
    try:
        for norm in norms:
            norm.training, norm.track_running_stats = True, False
        yield
    finally:
        for norm, (training, tracking) in zip(norms, before):
            norm.training, norm.track_running_stats = training, tracking


@MODELS.register_module()
class ContrastiveLoss(LossTerm):
    r"""The contrastive loss of PCL-SR (arXiv 2111.13924), in the features of ``model.parts.embedding``.

    Images are RGB in [0, 1], (N, 3, H, W).

    Args:
        layers: Which maps of the embedding network are compared; the mean of their losses is taken.
        form: ``info_nce``, or ``cosine``: mean similarity to the negatives minus mean similarity to the positives.
        temperature: Of InfoNCE.
        samples: Config of what makes the positives and negatives, by default
            :class:`~sr4ir_mm.models.embeddings.HardSamples`.
        statistics: What the batch norms of the embedding network normalize by. ``running``: it learns from all images
            together, and serves the restorer in eval mode. ``per_set``, as published: each set of samples (``sr``,
            ``hr``, each sharpened or blurred version, the upsampled ``lr``) passes it alone, in both losses, and is
            normalized by its own statistics.
    """

    needs = ('embedding',)

    def __init__(
        self,
        layers: Sequence[int] = (4,),
        form: str = 'info_nce',
        temperature: float = 1.0,
        samples: dict = dict(),
        statistics: str = 'running',
    ) -> None:
        super().__init__()
        if not layers:
            raise ConfigError('model.losses.contrastive.layers is empty; it needs at least one layer, for example [4].')
        if temperature <= 0:
            raise ConfigError(f'model.losses.contrastive.temperature is {temperature}; allowed: a number above 0.')
        self.layers = tuple(layers)
        self.form = check_choice(form, ('info_nce', 'cosine'), 'model.losses.contrastive.form')
        self.temperature = temperature
        self.statistics = check_choice(statistics, ('running', 'per_set'), 'model.losses.contrastive.statistics')
        self.samples = MODELS.build(dict(dict(type='sr4ir_mm.HardSamples'), **samples))

    def forward(self, cascade: nn.Module, batch: Batch) -> Tensor:
        embedding = cascade.parts['embedding']
        # in a joint phase too: the embedding network shall not learn to please the restorer
        with only_training(dict(embedding=embedding), ()):
            return self.contrast(embedding, batch.sr, batch.hr, batch.lr, cascade.scale)

    def contrast(self, embedding: nn.Module, sr: Tensor, hr: Tensor, lr: Tensor, scale: int) -> Tensor:
        """Compute how much nearer ``sr`` is to the negatives than to the positives; its gradient goes to ``sr``.

        Args:
            embedding: The embedding network.
            sr: The restored images.
            hr: The clean images.
            lr: What was restored, (N, 3, h, w).
            scale: Factor from ``lr`` to ``sr``.
        """
        with torch.no_grad():
            positives, negatives = self.samples.positives(hr), self.samples.negatives(hr, lr, scale)
            other_features = self._extract(embedding, torch.cat([positives, negatives]))
        losses = []
        for image, others in zip(self._extract(embedding, sr[None]), other_features):
            similarities = similarity(image[0], others)
            losses.append(self.compare(*similarities.split([len(positives), len(negatives)])))
        return sum(losses) / len(losses)

    def _extract(self, embedding: nn.Module, sets: Tensor) -> List[Tensor]:
        """The features of sets of images, (K, N, 3, H, W): for each layer one tensor, (K, N, C, h, w)."""
        if self.statistics == 'running':
            layers = embedding.extract_feat(sets.flatten(0, 1), self.layers)
            return [layer.unflatten(0, sets.shape[:2]) for layer in layers]
        with batch_statistics(embedding):
            maps = [embedding.extract_feat(images, self.layers) for images in sets]
        return [torch.stack(layer) for layer in zip(*maps)]

    def compare(self, positive: Tensor, negative: Tensor) -> Tensor:
        """The loss of one layer, from the similarities to the positives, (P, N), and the negatives, (K, N)."""
        if self.form == 'cosine':
            return negative.mean() - positive.mean()
        return info_nce(positive, negative, self.temperature)

    def embedding_loss(self, embedding: nn.Module, sr: Tensor, hr: Tensor) -> Tensor:
        """Teach the embedding network to tell clean and sharpened images from restored and blurred ones."""
        real = self.samples.positives(hr)
        fake = torch.cat([sr.detach()[None], self.samples.blurred(hr)])
        if self.statistics == 'per_set':
            return dual_contrastive_loss(*(torch.cat([embedding(images) for images in sets]) for sets in (real, fake)))
        # together, so that the batch norms learn the statistics that they use when the restorer is trained
        logits = embedding(torch.cat([real, fake]).flatten(0, 1))
        return dual_contrastive_loss(*logits.split([real.shape[:2].numel(), fake.shape[:2].numel()]))


@MODELS.register_module()
class EmbeddingLoss(LossTerm):
    """The loss from which PCL-SR's embedding network learns to tell clean images from restored ones.

    Its samples and statistics are those of the loss ``contrastive``.
    """

    teaches = ('embedding',)
    needs = ('embedding',)

    def check(self, cascade: nn.Module) -> None:
        embedding = cascade.parts['embedding']
        if getattr(embedding, 'frozen', False):
            raise ConfigError(
                f'A phase has the loss `embedding`, but model.parts.embedding ({type(embedding).__name__}) '
                'does not learn; leave the loss and its phase out.'
            )

    def forward(self, cascade: nn.Module, batch: Batch) -> Tensor:
        return cascade.losses['contrastive'].embedding_loss(cascade.parts['embedding'], batch.sr, batch.hr)
