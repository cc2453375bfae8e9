"""Models at full size without their weights, as published configurations have them.

Built on whatever device torch is set to: on "meta" they cost nothing, on a card their weights are
random. Sources: the config.json of black-forest-labs/FLUX.2-klein-4B, Qwen/Qwen-Image-Edit-2509 and
stabilityai/stable-diffusion-xl-base-1.0; test_flops.py holds them against the sizes of the
published files.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

TEXT_TOKENS: Final = 512
"""What klein's prompts are padded to."""
KLEIN_EMBED: Final = 3 * 2560
"""Width of klein's prompt embeddings: three layers of Qwen3-4B beside each other."""
Build = Callable[[], Any]


@dataclass(frozen=True)
class Klein:
    """What a klein is built of; klein-4B, or the tests' tiny one."""

    transformer: Build
    vae: Build
    text_encoder: Build
    embed_width: int


def klein_transformer() -> Any:
    from diffusers import Flux2Transformer2DModel

    return Flux2Transformer2DModel(
        in_channels=128,
        num_layers=5,
        num_single_layers=20,
        attention_head_dim=128,
        num_attention_heads=24,
        joint_attention_dim=KLEIN_EMBED,
        guidance_embeds=False,
    ).eval()


def klein_vae() -> Any:
    from diffusers import AutoencoderKLFlux2

    return AutoencoderKLFlux2().eval()


def tiny_vae() -> Any:
    """TAESD's shape for 32 channels of latents. TAEF2, which was trained for them, adds a few
    layers in the middle that diffusers' class lacks, and so cannot be loaded into it."""
    from diffusers import AutoencoderTiny

    return AutoencoderTiny(latent_channels=32).eval()


def qwen3_4b() -> Any:
    """klein's text encoder."""
    from transformers import Qwen3Config, Qwen3ForCausalLM

    return Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=151936,
            hidden_size=2560,
            intermediate_size=9728,
            num_hidden_layers=36,
            num_attention_heads=32,
            num_key_value_heads=8,
            head_dim=128,
            tie_word_embeddings=True,
        )
    ).eval()


def qwen_transformer() -> Any:
    from diffusers import QwenImageTransformer2DModel

    return QwenImageTransformer2DModel().eval()


def qwen_vae() -> Any:
    from diffusers import AutoencoderKLQwenImage

    return AutoencoderKLQwenImage().eval()


def qwen_language() -> Any:
    """The language model of Qwen2.5-VL-7B, which reads Qwen-Image-Edit's prompt and pictures."""
    from transformers import Qwen2Config, Qwen2Model

    return Qwen2Model(
        Qwen2Config(
            vocab_size=152064,
            hidden_size=3584,
            intermediate_size=18944,
            num_hidden_layers=28,
            num_attention_heads=28,
            num_key_value_heads=4,
        )
    ).eval()


def sdxl_unet() -> Any:
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        sample_size=128,
        block_out_channels=(320, 640, 1280),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        transformer_layers_per_block=(1, 2, 10),
        attention_head_dim=(5, 10, 20),
        cross_attention_dim=2048,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=256,
        projection_class_embeddings_input_dim=2816,
    ).eval()


def sdxl_vae() -> Any:
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(128, 256, 512, 512),
        layers_per_block=2,
        sample_size=1024,
    ).eval()


KLEIN_4B: Final = Klein(klein_transformer, klein_vae, qwen3_4b, KLEIN_EMBED)
