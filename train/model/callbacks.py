"""What happens between training steps: the moving average of weights, and a stop from outside."""

import signal
from collections.abc import Generator, Sized
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from timm.utils import ModelEmaV3
from transformers import Trainer, TrainerCallback

from train.data.seeded import SeededItems

EMA_FOLDER = "ema"


class EmaTrainer(Trainer):
    """A Trainer that validates the moving average instead of the weights being trained."""

    def __init__(self, *, ema: ModelEmaV3, **kwargs):
        super().__init__(**kwargs)
        self._ema = ema

    def get_train_dataloader(self):
        """As in Trainer; a last batch of one, on which batch norm fails, is left out, another row in each epoch.

        Of several processes, each gets full batches anyway.
        """
        rows, batch = len(cast(Sized, self.train_dataset)), self.args.train_batch_size
        before = self.args.dataloader_drop_last
        self.args.dataloader_drop_last = before or (self.args.world_size == 1 and rows % batch == 1)
        try:
            return super().get_train_dataloader()
        finally:
            self.args.dataloader_drop_last = before

    def prediction_step(self, model, *args, **kwargs):
        """As in Trainer, with the averaged network."""
        return super().prediction_step(self._ema.module, *args, **kwargs)


class EmaCallback(TrainerCallback):
    """Updates the moving average after each step and keeps it beside each checkpoint."""

    def __init__(self, ema: ModelEmaV3):
        self._ema = ema

    def on_step_end(self, args, state, control, **kwargs):
        """Move the average towards the weights of this step."""
        self._ema.update(kwargs["model"], step=state.global_step)

    def on_save(self, args, state, control, **kwargs):
        """Write the average into the checkpoint that was just written."""
        if not state.is_world_process_zero:
            return
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        self._ema.module.save_pretrained(folder / EMA_FOLDER)


class EpochCallback(TrainerCallback):
    """Tells a training set which epoch begins; accelerate's loaders do so in one process only."""

    def __init__(self, items: SeededItems):
        self._items = items

    def on_epoch_begin(self, args, state, control, **kwargs):
        """Also within an epoch that is resumed."""
        self._items.set_epoch(int((state.epoch or 0) + 1e-6))


class StopCallback(TrainerCallback):
    """Ends training after the present step, with a checkpoint, once Ctrl-C was pressed; a second press ends at once."""

    def __init__(self):
        self.stopped = False

    @contextmanager
    def listening(self) -> Generator[None]:
        """Catch Ctrl-C inside."""

        def stop(number, frame):
            signal.signal(signal.SIGINT, signal.default_int_handler)
            self.stopped = True

        before = signal.signal(signal.SIGINT, stop)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def on_step_end(self, args, state, control, **kwargs):
        """Ask the Trainer to save and to stop."""
        if self.stopped:
            control.should_save = control.should_training_stop = True

    def on_epoch_end(self, args, state, control, **kwargs):
        """Spare a stopped run the validation, and a second saving, of an epoch that is not done."""
        if self.stopped and not state.epoch.is_integer():
            control.should_evaluate = control.should_save = False
