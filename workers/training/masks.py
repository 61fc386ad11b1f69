"""Attention masks and positions of padded rows; knows no model."""

import torch
from torch import Tensor


def additive_mask(mask: Tensor, new: int, dtype: torch.dtype) -> Tensor:
    """(B, 1, new, past + new), added to attention scores so that the last `new` positions see neither padding nor what
    comes after them; from a mask (B, past + new) that is 1 on tokens. Padding sees itself, because a softmax over
    nothing is NaN. Rows are aligned as attention kernels on a GPU want them, which would copy the mask in every layer.
    """
    width = mask.shape[1]
    seen = mask[:, None, None, :].bool()
    if new > 1:
        places = torch.arange(width, device=mask.device)
        rows = places[-new:, None]
        seen = (seen & (places <= rows)) | (places == rows)
    hidden = torch.zeros(len(mask), 1, new, -(-width // 16) * 16, dtype=dtype, device=mask.device)[..., :width]
    return hidden.masked_fill_(~seen, -torch.inf)


def positions_of(mask: Tensor) -> Tensor:
    """Position of each token among the tokens of its row; 0 on padding before the first."""
    return (mask.long().cumsum(-1) - 1).clamp_(min=0)


def is_right_padded(mask: Tensor) -> bool:
    """Whether in every row all tokens stand before all padding."""
    return mask.shape[1] < 2 or bool((mask[:, :-1] >= mask[:, 1:]).all())
