"""Models of ``configs/models`` for tests, and models of tables of published shapes."""

from pathlib import Path

from cluster_sim.core import read_document, read_spec
from cluster_sim.workload import Experts, Latent, Model

ROOT = Path(__file__).parents[2]
MODELS = sorted((ROOT / "configs" / "models").glob("*.yaml"))
MEASURED = ROOT.parent / "shared" / "data" / "measured"


def zoo(name, **changes):
    """A model of ``configs/models``, with changes."""
    model = read_spec(Model, read_document(ROOT / "configs" / "models" / f"{name}.yaml"))
    return model.model_copy(update=changes)


def tabled(row, **changes):
    """The model of a row of ``models.csv``; what is no column there is taken from its notes."""
    cells = {key: int(float(value)) for key, value in row.items() if value.replace(".", "").isdigit()}
    shape = {name: cells[name] for name in ("layers", "hidden", "heads", "ffn_hidden", "mtp_layers")}
    shape |= {"gated_mlp": row["gated_mlp"] == "1", "tied_embeddings": row["tied_embeddings"] == "1"}
    shape |= {"vocabulary": cells["vocab"], "sequence": 4096, "experts": _experts(row, cells)}
    if row["attention"] == "mla":
        shape["latent"] = Latent(
            query_rank=cells["q_lora_rank"],
            kv_rank=cells["kv_lora_rank"],
            nope_head=cells["qk_nope_head_dim"],
            rope_head=cells["qk_rope_head_dim"],
            value_head=cells["v_head_dim"],
        )
    else:
        shape |= {"kv_heads": cells["kv_heads"], "head_dim": cells["head_dim"]}
    if "128-token attention window" in row["notes"]:
        shape |= {"window": 128, "window_every": 2}
    return Model(**shape | changes)


def _experts(row, cells):
    if not cells.get("experts"):
        return None
    in_every_second = "MoE in every second layer" in row["notes"]
    return Experts(
        count=cells["experts"],
        per_token=cells["experts_per_token"],
        width=cells["moe_ffn_hidden"],
        shared=cells["shared_experts"],
        first_dense=0 if in_every_second else cells["num_dense_layers"],
        every=2 if in_every_second else 1,
    )
