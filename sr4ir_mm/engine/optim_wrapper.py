"""One optimizer for each part, with mixed precision and accumulation for all of them."""

from contextlib import contextmanager, nullcontext
from typing import Callable, Dict, Iterator, List, Optional, Sequence

import torch
from mmengine.optim import OptimWrapper, OptimWrapperDict, build_optim_wrapper
from mmengine.runner.amp import autocast
from torch import Tensor, nn

from sr4ir_mm.errors import ConfigError, check_choice
from sr4ir_mm.registry import OPTIM_WRAPPER_CONSTRUCTORS
from sr4ir_mm.utils.runner import unwrap


class CascadeOptimWrapper(OptimWrapperDict):
    """The optimizers of a cascade's parts, and what they share: mixed precision and accumulation.

    A phase goes backward several times and then steps once, and an iteration has several phases. So gradients are
    accumulated over *iterations*, and one gradient scaler serves all parts, as PyTorch advises for several optimizers.

    Args:
        amp: ``float16`` or ``bfloat16`` for automatic mixed precision, None for none. Only float16 scales its losses.
        accumulative_counts: Iterations of which the gradients are averaged for one step.
        **parts: One wrapper for each part that learns.
    """

    def __init__(self, amp: Optional[str] = None, accumulative_counts: int = 1, **parts: OptimWrapper) -> None:
        super().__init__(**parts)
        self.amp = check_choice(amp, (None, 'float16', 'bfloat16'), 'optim_wrapper.amp')
        if amp == 'float16' and not torch.cuda.is_available():
            raise ConfigError("optim_wrapper.amp is 'float16', which needs a GPU; allowed on a CPU: 'bfloat16'.")
        self.scaler = torch.cuda.amp.GradScaler(enabled=amp == 'float16')
        if not isinstance(accumulative_counts, int) or accumulative_counts < 1:
            raise ConfigError(
                f'optim_wrapper.accumulative_counts is {accumulative_counts!r}; ' 'allowed: a whole number from 1.'
            )
        self.accumulative_counts = accumulative_counts
        self._iter = 0
        self._max_iters: Optional[int] = None

    def initialize_count_status(self, model: nn.Module, cur_iter: int, max_iters: int) -> None:
        self._iter = cur_iter
        self._max_iters = max_iters

    @contextmanager
    def iteration(self) -> Iterator[None]:
        """Everything that one batch is used for."""
        yield
        if self._should_step() and self.scaler.is_enabled():
            self.scaler.update()
        self._iter += 1

    def autocast(self):
        """The context in which the networks run."""
        return autocast(dtype=getattr(torch, self.amp)) if self.amp else nullcontext()

    def _should_step(self) -> bool:
        done = self._iter + 1
        return done % self.accumulative_counts == 0 or done == self._max_iters

    def _accumulated(self) -> int:
        """Iterations that the next step averages: fewer where the training ends within a group."""
        start = self._iter - self._iter % self.accumulative_counts
        left = self.accumulative_counts if self._max_iters is None else self._max_iters - start
        return min(self.accumulative_counts, left)

    def scale_loss(self, loss: Tensor) -> Tensor:
        """The loss to go backward from."""
        return self.scaler.scale(loss / self._accumulated())

    def step(self, parts: Sequence[str], reduce_gradients: Optional[Callable] = None) -> None:
        """Step the optimizers of these parts and clear their gradients, if the accumulation is complete.

        Args:
            parts: Names of parts.
            reduce_gradients: Called with their trainable parameters before anything reads the gradients.
        """
        if not self._should_step():
            return
        if reduce_gradients is not None:
            reduce_gradients([p for part in parts for p in _parameters(self[part]) if p.requires_grad])
        for part in parts:
            wrapper = self[part]
            if self.scaler.is_enabled():
                self.scaler.unscale_(wrapper.optimizer)
                if wrapper.clip_grad_kwargs:
                    wrapper._clip_grad()
                self.scaler.step(wrapper.optimizer)
            else:
                wrapper.step()
            wrapper.zero_grad()

    def gradients(self) -> Optional[Dict[str, List[Optional[Tensor]]]]:
        """Return what waits for the rest of an accumulation, for each part on the CPU; None where nothing does."""
        gradients = {
            part: [None if p.grad is None else p.grad.cpu() for p in _parameters(wrapper)]
            for part, wrapper in self.items()
        }
        return gradients if any(g is not None for part in gradients.values() for g in part) else None

    def load_gradients(self, gradients: Dict[str, List[Optional[Tensor]]]) -> None:
        """Take up an accumulation where :meth:`gradients` left it."""
        for part, saved in gradients.items():
            for parameter, gradient in zip(_parameters(self[part]), saved):
                parameter.grad = None if gradient is None else gradient.to(parameter.device)

    def state_dict(self) -> dict:
        state = super().state_dict()
        if self.scaler.is_enabled():
            state['scaler'] = self.scaler.state_dict()
        return state

    def load_state_dict(self, state_dict: dict) -> None:
        state_dict = dict(state_dict)
        scaler = state_dict.pop('scaler', None)
        if scaler is not None and self.scaler.is_enabled():
            self.scaler.load_state_dict(scaler)
        super().load_state_dict(state_dict)


def _parameters(wrapper: OptimWrapper) -> List[Tensor]:
    return [parameter for group in wrapper.param_groups for parameter in group['params']]


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class CascadeOptimWrapperConstructor:
    """Build one optimizer for each part of a cascade that learns.

    Args:
        optim_wrapper_cfg: For each part, by its name, an optimizer wrapper as any OpenMMLab config has it (with its own
            ``paramwise_cfg``, ``clip_grad`` or ``constructor``; names in ``custom_keys`` are relative to the part).
            Besides, the arguments ``amp`` and ``accumulative_counts`` of :class:`CascadeOptimWrapper`.
        paramwise_cfg: Not used here; it belongs into a part.
    """

    shared_keys = ('amp', 'accumulative_counts')

    def __init__(self, optim_wrapper_cfg: dict, paramwise_cfg: Optional[dict] = None) -> None:
        if paramwise_cfg is not None:
            raise ConfigError(
                'optim_wrapper.paramwise_cfg has no part to apply to; ' 'write optim_wrapper.<part>.paramwise_cfg.'
            )
        self.cfg = dict(optim_wrapper_cfg)

    @classmethod
    def parts(cls, optim_wrapper_cfg: dict) -> List[str]:
        """The parts that a config gives an optimizer to."""
        other = (*cls.shared_keys, 'constructor', 'paramwise_cfg', 'type')
        return [key for key, value in optim_wrapper_cfg.items() if key not in other and value is not None]

    def __call__(self, model: nn.Module) -> CascadeOptimWrapper:
        cascade = unwrap(model)
        shared = {key: self.cfg[key] for key in self.shared_keys if key in self.cfg}
        wrappers = {}
        for name in self.parts(self.cfg):
            key = f'optim_wrapper.{name}'
            check_choice(name, cascade.trainable_parts, 'a part in optim_wrapper')
            cfg = self.cfg[name]
            if cfg.get('type', 'OptimWrapper') != 'OptimWrapper' or cfg.get('accumulative_counts', 1) != 1:
                raise ConfigError(
                    f"{key} has type {cfg.get('type')!r} and accumulative_counts "
                    f"{cfg.get('accumulative_counts', 1)}; mixed precision and accumulation are shared "
                    'by all parts: write optim_wrapper.amp and optim_wrapper.accumulative_counts.'
                )
            wrappers[name] = build_optim_wrapper(cascade.trainable_parts[name], cfg)
        return CascadeOptimWrapper(**shared, **wrappers)
