"""Random components of Qwen-Image-Edit's and SDXL's kinds, as tiny.py has klein's.

torch and its friends are imported inside: only those who call pay for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from tests.figurine import tiny

RANK: Final = 2
"""Of FaceID's LoRA."""
_LATENTS: Final = 4
_WIDTH: Final = 16
_LOUD: Final = 4.0
"""By how much Qwen's random weights are enlarged: else what it is shown would hardly be seen."""
_PICTURES: Final = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
_SPECIAL: Final = ("<|im_start|>", "<|im_end|>", *_PICTURES)


def qwen_tokenizer() -> Any:
    """One that reads single bytes."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import Qwen2Tokenizer

    letters = {letter: number for number, letter in enumerate(sorted(ByteLevel.alphabet()))}
    return Qwen2Tokenizer(vocab=letters, merges=[], additional_special_tokens=list(_SPECIAL))


def image_processor() -> Any:
    """Pictures of 56² in four tokens."""
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    return Qwen2VLImageProcessorPil(min_pixels=56 * 56, max_pixels=56 * 56)


def qwen_encoder(tokenizer: Any, seed: int = 0) -> Any:
    import torch
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    torch.manual_seed(seed)
    start, end, image, video = (tokenizer.convert_tokens_to_ids(name) for name in _PICTURES)
    shape = {"hidden_size": _WIDTH, "intermediate_size": _WIDTH}
    return Qwen2_5_VLForConditionalGeneration(
        Qwen2_5_VLConfig(
            text_config={
                **shape,
                "vocab_size": len(tokenizer),
                "num_hidden_layers": 2,
                "num_attention_heads": 2,
                "num_key_value_heads": 2,
                "rope_parameters": {
                    "rope_type": "default",
                    "rope_theta": 1e4,
                    "mrope_section": [2, 1, 1],
                },
                "bos_token_id": None,
                "eos_token_id": None,
            },
            vision_config={
                **shape,
                "depth": 2,
                "num_heads": 2,
                "out_hidden_size": _WIDTH,
                "fullatt_block_indexes": [1],
            },
            image_token_id=image,
            video_token_id=video,
            vision_start_token_id=start,
            vision_end_token_id=end,
        )
    ).eval()


def qwen_components(seed: int = 0) -> dict[str, Any]:
    """What QwenImageEditPlusPipeline is made of, but for its processor."""
    import torch
    from diffusers import (
        AutoencoderKLQwenImage,
        FlowMatchEulerDiscreteScheduler,
        QwenImageTransformer2DModel,
    )

    torch.manual_seed(seed)
    tokenizer = qwen_tokenizer()
    transformer = QwenImageTransformer2DModel(
        patch_size=2,
        in_channels=_LATENTS * 4,
        out_channels=_LATENTS,
        num_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=_WIDTH,
        axes_dims_rope=(8, 4, 4),
    ).eval()
    with torch.no_grad():
        for weight in transformer.parameters():
            weight *= _LOUD
    return {
        "scheduler": FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        "vae": AutoencoderKLQwenImage(
            base_dim=4,
            z_dim=_LATENTS,
            dim_mult=[1, 2, 4, 4],
            num_res_blocks=1,
            temperal_downsample=[False, True, True],
            latents_mean=[0.0] * _LATENTS,
            latents_std=[1.0] * _LATENTS,
        ).eval(),
        "text_encoder": qwen_encoder(tokenizer, seed),
        "tokenizer": tokenizer,
        "transformer": transformer,
    }


def qwen(seed: int = 0) -> Any:
    """A pipeline whose processor is the project's own."""
    from diffusers import QwenImageEditPlusPipeline

    from figurine.engines.klein.qwen import Reader

    parts = qwen_components(seed)
    return QwenImageEditPlusPipeline(
        **parts, processor=Reader(parts["tokenizer"], image_processor())
    )


def save_qwen(folder: Path, seed: int = 0) -> Path:
    """A whole model as diffusers keeps it."""
    parts = qwen_components(seed)
    for name, part in parts.items():
        part.save_pretrained(folder / name)
    parts["tokenizer"].save_pretrained(folder / "processor")
    image_processor().save_pretrained(folder / "processor")
    return folder


def clip_tokenizer() -> Any:
    """One that knows tiny.WORDS and reads windows as small as CLIP's."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import PreTrainedTokenizerFast

    special = {"pad_token": "<pad>", "unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}
    names = [*special.values(), *tiny.WORDS]
    words = Tokenizer(WordLevel({name: n for n, name in enumerate(names)}, unk_token="<unk>"))
    words.pre_tokenizer = Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=words, model_max_length=77, **special)


def sdxl_components(seed: int = 0) -> dict[str, Any]:
    """What StableDiffusionXLPipeline and its kin are made of."""
    import torch
    from diffusers import AutoencoderKL, EulerDiscreteScheduler, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    torch.manual_seed(seed)
    clip = CLIPTextConfig(
        vocab_size=len(tiny.WORDS) + 4,
        hidden_size=_WIDTH,
        intermediate_size=_WIDTH,
        projection_dim=_WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        bos_token_id=2,
        eos_token_id=3,
        pad_token_id=0,
    )
    return {
        "vae": AutoencoderKL(
            block_out_channels=(8, 8, 8, 8),
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            latent_channels=_LATENTS,
            norm_num_groups=4,
        ).eval(),
        "text_encoder": CLIPTextModel(clip).eval(),
        "text_encoder_2": CLIPTextModelWithProjection(clip).eval(),
        "tokenizer": clip_tokenizer(),
        "tokenizer_2": clip_tokenizer(),
        "unet": UNet2DConditionModel(
            block_out_channels=(8, 16),
            layers_per_block=1,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            attention_head_dim=(2, 2),
            use_linear_projection=True,
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=_WIDTH + 6 * 8,
            cross_attention_dim=2 * _WIDTH,
            norm_num_groups=2,
        ).eval(),
        "scheduler": EulerDiscreteScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1
        ),
    }


def faceid(unet: Any, seed: int = 0) -> dict[str, dict[str, Any]]:
    """FaceID's state for a UNet, its LoRA too, named as in the real file."""
    import torch

    chance = torch.Generator().manual_seed(seed)

    def some(*shape: int) -> Any:
        return torch.randn(*shape, generator=chance) * 0.3

    wide = 2 * _WIDTH
    projection = {
        "proj.0.weight": some(1024, 512),
        "proj.0.bias": some(1024),
        "proj.2.weight": some(4 * wide, 1024),
        "proj.2.bias": some(4 * wide),
        "norm.weight": some(wide) + 1,
        "norm.bias": some(wide),
    }
    adapter = {}
    for number, name in enumerate(unet.attn_processors):
        attention = unet.get_submodule(name.removesuffix(".processor"))
        for short in ("q", "k", "v", "out"):
            linear = attention.to_out[0] if short == "out" else getattr(attention, f"to_{short}")
            high, across = linear.weight.shape
            adapter[f"{number}.to_{short}_lora.down.weight"] = some(RANK, across)
            adapter[f"{number}.to_{short}_lora.up.weight"] = some(high, RANK)
        if name.endswith("attn2.processor"):
            high = attention.to_k.weight.shape[0]
            adapter[f"{number}.to_k_ip.weight"] = some(high, wide)
            adapter[f"{number}.to_v_ip.weight"] = some(high, wide)
    return {"image_proj": projection, "ip_adapter": adapter}


def sdxl(seed: int = 0) -> Any:
    """A pipeline without FaceID."""
    from figurine.engines.klein.sdxl import RepaintPipeline

    return RepaintPipeline(**sdxl_components(seed), add_watermarker=False)


def save_sdxl(folder: Path, seed: int = 0) -> tuple[Path, Path]:
    """SDXL's folder, in fp16 files alone, and FaceID's."""
    import torch

    from figurine.engines.klein.sdxl import FILE

    base, own = folder / "base", folder / "faceid"
    own.mkdir()
    pipeline = sdxl(seed)
    torch.save(faceid(pipeline.unet, seed), own / FILE)
    pipeline.save_pretrained(base, variant="fp16")
    return base, own
