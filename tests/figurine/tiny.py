"""Random components of klein's kinds, a few kilobytes each: the real classes, nothing downloaded.

torch and its friends are imported inside: only those who call pay for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

OUT_LAYERS: Final = (9, 18, 27)
"""Which of the text encoder's layers make a prompt's embedding, as in klein's own."""
_HIDDEN: Final = 16
EMBED_WIDTH: Final = _HIDDEN * len(OUT_LAYERS)
"""Width of a prompt's embedding."""
WORDS: Final = ("a", "figurine", "of", "this", "person", "as", "soldier", "painted", "plastic")


def transformer(seed: int = 0) -> Any:
    import torch
    from diffusers import Flux2Transformer2DModel

    torch.manual_seed(seed)
    return Flux2Transformer2DModel(
        patch_size=1,
        in_channels=4,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=EMBED_WIDTH,
        timestep_guidance_channels=256,
        axes_dims_rope=[4, 4, 4, 4],
        guidance_embeds=False,
    ).eval()


def vae(seed: int = 0, *, halvings: int = 3) -> Any:
    """An autoencoder whose latents are 2 ** halvings times smaller; 3 is as in klein's own."""
    import torch
    from diffusers import AutoencoderKLFlux2

    torch.manual_seed(seed)
    blocks = halvings + 1
    return AutoencoderKLFlux2(
        sample_size=32,
        block_out_channels=(4,) * blocks,
        layers_per_block=1,
        latent_channels=1,
        norm_num_groups=1,
        down_block_types=("DownEncoderBlock2D",) * blocks,
        up_block_types=("UpDecoderBlock2D",) * blocks,
        use_quant_conv=False,
        use_post_quant_conv=False,
        mid_block_add_attention=False,
    ).eval()


def scheduler() -> Any:
    from diffusers import FlowMatchEulerDiscreteScheduler

    return FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True, shift=3.0)


def tokenizer() -> Any:
    """One that knows WORDS and takes any other for <unk>."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: number for number, word in enumerate(["<pad>", "<unk>", *WORDS])}
    words = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    words.pre_tokenizer = Whitespace()
    return PreTrainedTokenizerFast(
        tokenizer_object=words,
        pad_token="<pad>",
        unk_token="<unk>",
        chat_template="{% for message in messages %}{{ message['content'] }} {% endfor %}",
    )


def text_encoder(seed: int = 0) -> Any:
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(seed)
    return Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=len(WORDS) + 2,
            hidden_size=_HIDDEN,
            intermediate_size=16,
            num_hidden_layers=28,
            num_attention_heads=2,
            num_key_value_heads=2,
            head_dim=8,
        )
    ).eval()


def components(seed: int = 0, *, halvings: int = 3, encoder: bool = True) -> dict[str, Any]:
    """What Flux2KleinPipeline and its kin are made of."""
    return {
        "scheduler": scheduler(),
        "vae": vae(seed, halvings=halvings),
        "text_encoder": text_encoder(seed) if encoder else None,
        "tokenizer": tokenizer() if encoder else None,
        "transformer": transformer(seed),
        "is_distilled": True,
    }


def embeds(seed: int = 0, *, count: int = 1, length: int = 8) -> Any:
    """Prompt embeddings out of the air, (count, length, EMBED_WIDTH) float32."""
    import torch

    chance = torch.Generator().manual_seed(seed)
    return torch.randn(count, length, EMBED_WIDTH, generator=chance)


def save(folder: Path, seed: int = 0) -> Path:
    """A whole pipeline as diffusers keeps it, to be loaded by `from_pretrained`."""
    from diffusers import Flux2KleinPipeline

    Flux2KleinPipeline(**components(seed)).save_pretrained(folder)
    return folder
