"""CUBE: texts that cluster apart from the others of their label are thrown out.

Cui et al., "A Unified Evaluation of Textual Backdoor Learning: Frameworks and Benchmarks", NeurIPS 2022. A
model is fine-tuned on the suspect data (10 epochs, step size 2e-5); its [CLS] states of the texts are
brought to few dimensions (20 principal components, then UMAP to two) and clustered by HDBSCAN (100 neighbors
decide what is dense; a cluster has at least 5 texts). Of each label the largest cluster is kept, and so is
every other that holds half of its texts; the rest is removed and the model trained anew. Texts that HDBSCAN
puts into no cluster count as one, as in the authors' code.

Two differences. Unless UMAP is asked for, which needs a package that this one does not, the clusters are
found among principal components. And the authors always fine-tune RoBERTa-base for the states; here it is
the model that is protected.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import numpy.typing as npt

from fuzzsmooth.common.errors import MissingExtraError
from fuzzsmooth.common.options import Between, Options, require
from fuzzsmooth.data.dataset import Dataset
from fuzzsmooth.defenses.cleaning import CleaningDefense, without
from fuzzsmooth.defenses.defense import DEFENSES
from fuzzsmooth.defenses.material import Material
from fuzzsmooth.training.progress import Progress

if TYPE_CHECKING:
    from fuzzsmooth.models.states import States

_UMAP = {"n_neighbors": 100, "min_dist": 0.0, "n_components": 2}  # the authors' settings
_SMALLEST = 5  # texts of a cluster, HDBSCAN's usual


@dataclass(frozen=True, kw_only=True)
class CubeOptions(Options):
    """How texts are clustered."""

    encoder_epochs: Annotated[
        int, Between(1, 10_000), "Epochs of the model whose states are clustered (paper: 10)."
    ] = 10
    encoder_learning_rate: Annotated[float, Between(0, 100, above=True), "Its step size (paper: 2e-5)."] = (
        2e-5
    )
    reduction: Annotated[
        Literal["pca", "umap"],
        "What is clustered: principal components, or UMAP's two dimensions of them (paper), which needs the "
        "extra 'cube'.",
    ] = "pca"
    components: Annotated[int, Between(1, 10_000), "Principal components (paper: 20, before UMAP)."] = 20
    min_samples: Annotated[
        int, Between(1, 1_000_000), "Neighbors that make a text's surroundings dense (paper: 100)."
    ] = 100


@DEFENSES.register("cube")
class Cube(CleaningDefense):
    """Training texts without those that cluster apart from their label (CUBE)."""

    options_type = CubeOptions
    options: CubeOptions

    @classmethod
    def cleaned(
        cls, options: Any, material: Material, parts: Path, progress: Progress
    ) -> tuple[Dataset, Mapping[str, Any]]:
        """Leave out small clusters; see :meth:`CleaningDefense.cleaned`.

        Raises:
            FuzzsmoothError: If there are too few texts for clusters.
            MissingExtraError: If scikit-learn or umap-learn is missing.
        """
        from fuzzsmooth.models.states import text_states

        data = material.data
        require(
            len(data) >= options.min_samples,
            f"{data.name}: {len(data)} texts are fewer than the {options.min_samples} neighbors that make a "
            "cluster; give more data, or lower --min-samples",
        )
        _check_installed(options)
        alone = replace(material, overrides={})  # what was asked for the model is not asked for the encoder
        classifier = alone.trained(
            parts / "encoder",
            progress,
            epochs=options.encoder_epochs,
            learning_rate=options.encoder_learning_rate,
        )
        clusters = clustered(text_states(classifier, data.texts), options, material.finetune.seed)
        left, report = without(data, outside(data.targets, clusters), cls.name)
        told = [
            {"label": data.labels[label], "cluster": cluster, "texts": count}
            for (label, cluster), count in sorted(Counter(zip(data.targets, clusters, strict=True)).items())
        ]
        return left, {"clusters": told, **report}


def clustered(states: States, options: CubeOptions, seed: int) -> list[int]:
    """The cluster of each text, -1 for those in none.

    Args:
        states: One vector per text, shape (texts, width).
        options: How.
        seed: Of UMAP.
    """
    from sklearn.cluster import HDBSCAN
    from sklearn.decomposition import PCA

    most = min(options.components, *states.shape)
    points = PCA(most, svd_solver="full").fit_transform(states.astype(np.float64))
    if options.reduction == "umap":
        points = _umap(points, seed)
    found = HDBSCAN(min_cluster_size=_SMALLEST, min_samples=options.min_samples, copy=True).fit_predict(
        points
    )
    return [int(cluster) for cluster in found]


def outside(targets: Sequence[int], clusters: Sequence[int]) -> list[bool]:
    """Whether each text is outside of its label's clusters that are kept.

    Args:
        targets: The label of each text.
        clusters: Its cluster.

    Returns:
        False for texts in the largest cluster of their label (ties to the lower number) and in every other
        that holds at least half of the label's texts.
    """
    sizes = Counter(zip(targets, clusters, strict=True))
    kept = set()
    for label, texts in Counter(targets).items():
        own = {cluster: size for (one, cluster), size in sizes.items() if one == label}
        kept.add((label, max(own, key=lambda cluster: (own[cluster], -cluster))))
        kept.update((label, cluster) for cluster, size in own.items() if 2 * size >= texts)
    return [pair not in kept for pair in zip(targets, clusters, strict=True)]


def _umap(points: npt.NDArray[np.float64], seed: int) -> npt.NDArray[np.float64]:
    from umap import UMAP

    settings = {**_UMAP, "n_neighbors": min(int(_UMAP["n_neighbors"]), len(points) - 1)}
    reduced = UMAP(**settings, random_state=seed % 2**32, n_jobs=1).fit_transform(points)
    return np.asarray(reduced, dtype=np.float64)


def _check_installed(options: CubeOptions) -> None:
    """Tell what is missing before minutes are spent on the encoder."""
    try:
        import sklearn.cluster
    except ImportError as error:
        raise MissingExtraError("scikit-learn", "cube", "defense 'cube'") from error
    require(hasattr(sklearn.cluster, "HDBSCAN"), "defense 'cube' needs scikit-learn 1.3 or newer; update it")
    if options.reduction == "umap":
        try:
            import umap  # noqa: F401
        except ImportError as error:
            raise MissingExtraError("umap-learn", "cube", "reduction 'umap' of defense 'cube'") from error
