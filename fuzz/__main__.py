"""`python -m fuzz [SECONDS]`: ten minutes of atheris over `authenticate`, unless told otherwise. Ends with 1 at the first finding.

Inputs that found new ways stay in `fuzz/corpus` (not under version control) and are the start of the next run.
"""

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["m2mguard", "json"]):
    from fuzz.seeds import write_seeds
    from fuzz.target import run

MAX_INPUT_BYTES = 20_000
CORPUS = Path(__file__).parent / "corpus"


def main() -> None:
    seconds = sys.argv[1] if len(sys.argv) > 1 else "600"
    CORPUS.mkdir(exist_ok=True)
    write_seeds(CORPUS)
    options = [f"-max_total_time={seconds}", f"-max_len={MAX_INPUT_BYTES}", "-timeout=10", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *options, f"-artifact_prefix={CORPUS.parent}/", str(CORPUS)], run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
