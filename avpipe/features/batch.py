"""Features by sense, and batches of them."""

from collections.abc import Sequence

import torch
from torch import Tensor

Features = dict[str, Tensor]
"""What a network takes, by sense.

Shape:
    ``"audio"``: (1, n_mels, frames). ``"video"``: (3, T, H, W), or (1, T, H, W) in grey.
    ``"waveform"``: (channels, samples), for enhancement.
    ``"frame_labels"``: (kinds, T), what each frame of a film is, where that is learned.
    All without a batch axis until :func:`collate`.
"""

TIME_AXIS = {"audio": 2, "video": 1, "waveform": 1, "frame_labels": 1}
"""The axis of time in each sense's features, without a batch axis."""


def collate(items: Sequence[Features], window_steps: dict[str, int]) -> tuple[Features, dict[str, Tensor]]:
    """Stack features into one batch of fixed shape, zeros behind what is shorter, and tell the true lengths.

    A sense that an item lacks is all zeros with length 0; a sense that no item has is absent.

    Shape:
        returns features (B, ...) and, for each sense, lengths (B,) in steps of its time axis.
    """
    batch: Features = {}
    lengths: dict[str, Tensor] = {}
    for sense, steps in window_steps.items():
        example = next((item[sense] for item in items if sense in item), None)
        if example is None:
            continue
        axis = TIME_AXIS[sense]
        shape = list(example.shape)
        shape[axis] = steps
        # Written once: zeros all over first would take as long again.
        batch[sense] = example.new_empty(len(items), *shape)
        lengths[sense] = torch.zeros(len(items), dtype=torch.long, device=example.device)
        for row, item in enumerate(items):
            steps_here = min(item[sense].shape[axis], steps) if sense in item else 0
            if steps_here:
                batch[sense][row].narrow(axis, 0, steps_here).copy_(item[sense].narrow(axis, 0, steps_here))
            batch[sense][row].narrow(axis, steps_here, steps - steps_here).zero_()
            lengths[sense][row] = steps_here
    return batch, lengths
