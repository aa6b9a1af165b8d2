"""The moving parts of a run, and one step of it."""

import logging
import math
from collections.abc import Callable, Generator
from contextlib import nullcontext

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import AutocastKwargs, GradientAccumulationPlugin, broadcast, gather_object
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, Dataset

from ..data import Sequence
from ..data.sources import physical_scaler
from ..runtime.graph import Graphed, obstacle
from ..runtime.nan_guard import first_non_finite
from ..runtime.processes import process_state, refuse_divided_models
from ..runtime.signals import leave_signals_to_the_parent
from ..weights.layout import lay_channels_last
from ..weights.state import check_weights, load_weights, weights
from .checkpoint import State, require_like
from .config import TrainConfig
from .objective import Losses
from .optimizer_state import check_optimizer, check_schedule
from .order import DataOrder, Drawn, Share
from .schedule import learning_rate, sampling
from .seeding import derive_seed, seed_everything


class Run:
    """A run between two steps; `state()` is its checkpoint.

    Random numbers are drawn from the seed and the step alone, so that no generator's state is part of it.

    Args:
        model: A forecaster; it is moved to the device of the process.
        data: What to train on.
        config: Settings, checked.
        objective: Makes the objective from the options that the settings give it.
    """

    def __init__(
        self, model: nn.Module, data: Dataset[Sequence], config: TrainConfig, objective: Callable[..., nn.Module]
    ) -> None:
        refuse_divided_models()
        process = process_state()
        AcceleratorState._reset_state()  # an earlier run of this process may have had another precision
        reason = obstacle(process.device, process.num_processes)
        self.graph = config.graph is not False and reason is None
        if config.graph is not False and reason and process.device.type == "cuda" and process.is_main_process:
            logging.getLogger("stblocks").warning("Not run as a CUDA graph, which %s.", reason)
        # What autocast remembers of a weight must not outlive the recording of a graph.
        handlers = [AutocastKwargs(cache_enabled=False)] if self.graph else []
        self.accelerator = Accelerator(
            mixed_precision=config.precision,
            kwargs_handlers=handlers,
            # parts of a batch are summed here: one of Accelerate's environment would divide the gradient once more
            gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=1),
        )
        self.model, self.data, self.config, self.step = model, data, config, 0
        self.blank = 0  # steps in a row, up to the last one, whose future frames were missing as a whole
        self.order = DataOrder(len(data), config.batch_size, config.seed)  # type: ignore[arg-type]
        self.total_steps = config.epochs * self.order.steps_per_epoch
        if config.channels_last:
            lay_channels_last(model)
        scaler = physical_scaler(data, "loss_thresholds") if config.loss_thresholds else None
        self.objective = objective(**config.objective_options(scaler))
        losses = Losses(model, self.objective)
        optimizer = torch.optim.AdamW(losses.parameters(), lr=config.lr, weight_decay=config.weight_decay)
        self.schedule = learning_rate(config.schedule, optimizer, self.total_steps, warmup=config.warmup)
        self.losses, self.optimizer = self.accelerator.prepare(losses, optimizer)
        self.compute: Callable[..., dict[str, Tensor]] = self._compute
        if self.graph:
            self.compute = Graphed(self._compute, self.losses, gradients=True, fall_back=config.graph == "auto")
        self.ema: AveragedModel | None = None
        if config.ema_decay is not None:
            self.ema = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(config.ema_decay))

    @property
    def forecaster(self) -> nn.Module:
        """The model that the run is judged by: the average, if there is one."""
        return self.model if self.ema is None else self.ema.module

    def state(self) -> State:
        """What it takes to go on from here."""
        scaler = self.accelerator.scaler
        return {
            "step": self.step,
            "model": weights(self.model),
            "objective": weights(self.objective),
            "ema": None if self.ema is None else weights(self.ema),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "scaler": None if scaler is None else scaler.state_dict(),
        }

    def restore(self, state: State) -> None:
        """Go on from a state.

        Raises:
            ValueError: If it is that of another model, or not what `state` returned.
        """
        expected = self.state()
        if not isinstance(state, dict) or state.keys() != expected.keys():
            raise ValueError(f"training must hold {', '.join(expected)}, got {state!r:.80}.")
        if type(state["step"]) is not int or not 0 <= state["step"] <= self.total_steps:
            raise ValueError(f"training.step must be an integer up to {self.total_steps}, got {state['step']!r:.80}.")
        modules = {"model": self.model, "objective": self.objective}
        if self.ema is not None:
            modules["ema"] = self.ema
        for name, module in modules.items():
            check_weights(module, state[name], f"training.{name}")
        check_optimizer(state["optimizer"], self.optimizer, state["step"], may_skip=self.accelerator.scaler is not None)
        check_schedule(state["schedule"], expected["schedule"], state["step"])
        require_like(state["scaler"], expected["scaler"], "training.scaler")
        for name, module in modules.items():
            load_weights(module, state[name], f"training.{name}")
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        if self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(state["scaler"])
        self.step = state["step"]

    def share_buffers(self) -> None:
        """Give all processes the main one's buffers, such as statistics of batch norm, as it saves them."""
        if self.accelerator.num_processes > 1:
            for buffer in self.forecaster.buffers():
                buffer.copy_(broadcast(buffer.contiguous()))

    def batches(self) -> Generator[list[Sequence], None, None]:
        """This process's share of each batch from here to the end, in the parts it is computed in."""
        config, device = self.config, self.accelerator.device
        share = self._share()
        parts = iter(
            DataLoader(
                Drawn(self.data, config.augment, config.seed, config.jitter),
                batch_sampler=share,
                num_workers=config.num_workers,
                worker_init_fn=leave_signals_to_the_parent,
                pin_memory=device.type == "cuda",
                generator=torch.Generator().manual_seed(derive_seed(config.seed, "workers", self.step)),
            )
        )
        for _ in share.steps:
            samples = [next(parts) for _ in range(config.accumulate)]
            yield [Sequence(*(frames.to(device, non_blocking=True) for frames in sample)) for sample in samples]

    def train(self, batch: list[Sequence], stop: bool = False) -> tuple[dict[str, float], bool]:
        """One step.

        Args:
            batch: The next of `batches`.
            stop: Was this process told to stop?

        Returns:
            Losses, learning rate and norm of the gradient; and whether any process was told to stop.

        Raises:
            FloatingPointError: If the loss or its gradient is not finite. Parameters are as before this step; buffers,
                such as statistics of batch norm, have seen it.
            ValueError: If a parameter got no gradient, among several processes.
        """
        masks = self._teacher_masks(batch)
        self._seed()
        self.losses.train()
        totals = self.compute(batch, masks)
        self._require_gradients()
        told = torch.tensor(float(stop), device=self.accelerator.device)
        known = torch.stack([~sample.future.isnan().all() for sample in batch]).any().to(told)
        largest = math.inf if self.config.grad_clip is None else self.config.grad_clip
        norm = self.accelerator.clip_grad_norm_(self.losses.parameters(), largest)
        shared = self.accelerator.reduce(torch.stack([*totals.values(), told, known]), "mean")
        *means, told, known, norm = torch.cat([shared, norm.to(shared)[None]]).tolist()  # waits for the device once
        record = dict(zip(totals, means, strict=True)) | {"lr": self.schedule.get_last_lr()[0], "grad_norm": norm}
        # float16 may overflow in a gradient: the scaler then leaves out this step and scales the next loss less.
        overflow = math.isinf(norm) or math.isnan(norm)
        if not math.isfinite(sum(means)) or (overflow and self.accelerator.scaler is None):
            raise FloatingPointError(self._explain(batch, masks, record))
        self.optimizer.step()
        self.schedule.step()
        if self.ema is not None:
            self.ema.update_parameters(self.model)
        self.step += 1
        self.blank = 0 if known else self.blank + 1
        return record, told > 0

    def _compute(self, batch: list[Sequence], masks: list[Tensor | None]) -> dict[str, Tensor]:
        """Losses, averaged over the parts, and their gradient; one graph, where there is one."""
        self.optimizer.zero_grad(set_to_none=not self.graph)  # a graph adds to gradients that stay
        totals: dict[str, Tensor] = {}
        for part, (sample, mask) in enumerate(zip(batch, masks, strict=True), start=1):
            with nullcontext() if part == len(batch) else self.accelerator.no_sync(self.losses):
                losses = self.losses(*sample, mask)
                self.accelerator.backward(losses["loss"] / len(batch))
            for name, value in losses.items():
                totals[name] = totals.get(name, 0) + value.detach() / len(batch)
        return totals

    def _require_gradients(self) -> None:
        """Processes wait for each other's gradient of every parameter: without one, the next step cannot begin."""
        if self.accelerator.num_processes == 1:
            return
        parameters = self.accelerator.unwrap_model(self.losses).named_parameters()
        without = [name.removeprefix("model.") for name, each in parameters if each.requires_grad and each.grad is None]
        if without:
            raise ValueError(
                f"model must use every weight in each step of several processes, but the loss does not depend on "
                f"{', '.join(without)}: train in one process, or freeze these by .requires_grad_(False)."
            )

    def _share(self) -> Share:
        process = self.accelerator
        steps = range(self.step, self.total_steps)
        return Share(self.order, steps, self.config.accumulate, process.process_index, process.num_processes)

    def _seed(self) -> None:
        seed_everything(derive_seed(self.config.seed, "step", self.step, self.accelerator.process_index))

    def _teacher_masks(self, batch: list[Sequence]) -> list[Tensor | None]:
        """One for each part, cut from what is drawn for the whole batch; none for models that take none."""
        if self.config.sampling == "none":
            return [None] * len(batch)
        draw = sampling(self.config.sampling, self.total_steps, self.config.sampling_steps)
        generator = torch.Generator().manual_seed(derive_seed(self.config.seed, "sampling", self.step))
        lengths = batch[0].past.shape[1], batch[0].future.shape[1]
        mask = draw(self.step, self.config.batch_size, *lengths, generator)
        if self.graph:
            mask = mask.to(self.accelerator.device)  # where the graph follows it; on the CPU the model plans with it
        return [mask[part] for part in self._share().slices()]

    def _explain(self, batch: list[Sequence], masks: list[Tensor | None], record: dict[str, float]) -> str:
        """What is known about a loss or gradient that is not finite: where, on what, and from which module on."""
        draws = self.order.batch(self.step)
        found: list[str | None] = []
        self._seed()
        for part, sample, mask in zip(self._share().slices(), batch, masks, strict=True):
            broken = ~sample.past.flatten(1).isfinite().all(dim=1)
            found += [f"the past of sequence {draws[part][i][1]}" for i in broken.nonzero().flatten().tolist()]
            found.append(first_non_finite(self.accelerator.unwrap_model(self.losses), *sample, mask))
        first = next(filter(None, gather_object(found)), "a gradient")
        return (
            f"Step {self.step + 1} has loss {record['loss']} and a gradient of norm {record['grad_norm']}; first to be "
            f"not finite: {first}. Its batch: sequences {[index for _, index in draws]} of epoch {draws[0][0] + 1}. "
            f"The checkpoint is as before it: look at these sequences, or start anew with a lower lr."
        )
