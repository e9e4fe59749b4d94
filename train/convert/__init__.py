"""Public weights, or those of a bundle -> initial weights for `finetune --from`: `python -m train convert`."""
