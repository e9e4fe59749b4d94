"""Weights from elsewhere -> a checkpoint that `finetune --from` begins with: `python -m train convert`."""
