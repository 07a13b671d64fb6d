"""Compile the pipelines to the YAML that runs here and on a cluster.

python -m pipelines.compile                       the committed files
python -m pipelines.compile --image REPO@DIGEST --to DIR   for another image
"""

import argparse
from pathlib import Path
from typing import Final

from components.image import IMAGE
from kfp.compiler import Compiler
from pipelines.etl import etl
from pipelines.monitoring import monitoring
from pipelines.training import training

COMPILED: Final = Path(__file__).with_name("compiled")
PIPELINES: Final = {"etl": etl, "training": training, "monitoring": monitoring}


def compile_all(folder: Path = COMPILED, image: str = IMAGE) -> list[Path]:
    """Write every pipeline's YAML to `folder`, with components on `image`; returns the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, pipeline in PIPELINES.items():
        path = folder / f"{name}.yaml"
        Compiler().compile(pipeline, str(path), type_check=True)
        path.write_text(path.read_text().replace(f"image: {IMAGE}\n", f"image: {image}\n"))
        paths.append(path)
    return paths


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--to", type=Path, default=COMPILED, help="folder for the files")
    parser.add_argument("--image", default=IMAGE, help="image of the components")
    options = parser.parse_args()
    compile_all(options.to, options.image)
