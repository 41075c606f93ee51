"""Small tables of measured training steps, made up for tests."""

DEFAULTS = {
    "row_id": "a", "accelerator": "h100-sxm", "num_accelerators": 64, "accelerators_per_node": 8, "scale_up_domain": 8,
    "nic_gbps_per_accelerator": 400, "fabric": "InfiniBand NDR", "model": "llama3-8b", "layers": 32, "hidden": 4096,
    "ffn_hidden": 14336, "heads": 32, "kv_heads": 8, "head_dim": 128, "vocab": 128256, "gated_mlp": 1,
    "attention": "gqa", "experts": "", "experts_per_token": "", "shared_experts": "", "moe_ffn_hidden": "",
    "num_dense_layers": "", "seq_len": 8192, "precision": "bf16", "tp": 2, "sp": 1, "cp": 1, "pp": 4, "vpp": 1, "ep": 1,
    "dp": 8, "sharding": "zero1", "global_batch_sequences": 128, "micro_batch_sequences": 1, "recompute": "none",
    "step_time_s": 2.0, "step_time_is": "measured", "tokens_per_s_per_accelerator": "",
    "model_tflops_per_accelerator": "", "flop_convention": "", "source_family": "nemo", "split": "test", "notes": "",
    "source": "here",
}  # fmt: skip
MIXTURE = {
    "model": "mixtral-8x7b", "kv_heads": 8, "vocab": 32000, "experts": 8, "experts_per_token": 2,
    "moe_ffn_hidden": 14336, "shared_experts": 0, "num_dense_layers": 0,
}  # fmt: skip
LATENT = {
    "model": "deepseek-v3", "layers": 61, "hidden": 7168, "ffn_hidden": 18432, "heads": 128, "kv_heads": 128,
    "vocab": 129280, "attention": "mla", "experts": 256, "experts_per_token": 8, "shared_experts": 1,
    "moe_ffn_hidden": 2048, "num_dense_layers": 3, "seq_len": 4096,
}  # fmt: skip


def table(folder, *rows, columns=tuple(DEFAULTS), name="steps.csv"):
    """A table with a line for each row, given as what differs from DEFAULTS."""
    path = folder / name
    lines = [",".join(columns), *(",".join(_cell({**DEFAULTS, **row}[key]) for key in columns) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _cell(value):
    return f'"{value}"' if "," in str(value) else str(value)
