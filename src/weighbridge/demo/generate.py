"""Loads a model straight from a hub, as any user of transformers would, and prints one answer of it.

    HF_ENDPOINT=http://127.0.0.1:8720 python -m weighbridge.demo.generate acme/SmolLM2-135M-Instruct "What is …?"

Runs in a process of its own: it needs the engine (requirements/engine.txt), which nothing else here does.
"""

# pyright: basic, reportMissingImports=false
# The engine is an extra that a checkout need not have.

from __future__ import annotations

import sys
import warnings
from typing import Any

MAX_NEW_TOKENS = 40


def answer(repo: str, question: str) -> str:
    """What the model of ``repo`` says to ``question``; the same each time (no sampling)."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(repo)
    # Any: what pyright thinks of the engine must not depend on whether it is installed.
    model: Any = AutoModelForCausalLM.from_pretrained(repo)
    chat = [{"role": "user", "content": question}]
    inputs = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    output = model.generate(**inputs, max_new_tokens=MAX_NEW_TOKENS, do_sample=False)
    said = output[0][inputs["input_ids"].shape[1] :]
    return str(tokenizer.decode(said, skip_special_tokens=True)).strip()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print(answer(sys.argv[1], sys.argv[2]))
