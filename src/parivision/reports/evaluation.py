"""An evaluation as one HTML page: all models on the same later games, one of them in detail."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from parivision.errors import DataError
from parivision.reports import html, numbers, plots
from parivision.reports.html import Block, KeyFigures, Picture, Row, Section, Table, Text
from parivision.scoring import scores
from parivision.scoring.bootstrap import RESAMPLES, Paired
from parivision.scoring.labels import LABELS, SHOWN

_INTERVAL: Final = ("log_loss", "log_loss_low", "log_loss_high")
_COLUMNS: Final = {name: LABELS[name] for name in (*_INTERVAL, *SHOWN[1:])}
_FORMATS: Final = {
    **dict.fromkeys(("log_loss", "log_loss_low", "log_loss_high", "brier", "ece"), ".4f"),
    **dict.fromkeys(("ece_noise", "roc_auc"), ".4f"),
    **dict.fromkeys(("accuracy", "precision", "recall", "f1", "made_rate"), ".3f"),
    **dict.fromkeys(("n_shots", "n_games"), ","),
}


def write(
    path: Path,
    made: ArrayLike,
    p_made: Mapping[str, ArrayLike],
    games: ArrayLike,
    *,
    shown: str,
    tiles: Mapping[str, str] | None = None,
    segments: Mapping[str, ArrayLike | pl.Series] | None = None,
    importances: Mapping[str, float] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    title: str = "Evaluation on later games",
) -> Path:
    """Write the report to `path` and return the path.

    `p_made` maps each model's name to its probabilities, one for each shot of `made`; `games` has
    the game of each shot. `shown` is the model shown in detail, with its scores by `segments` (see
    `scores.segments_of`) and its feature `importances` when they are given. `tiles` are the first
    tiles, label to value: they say what the model is, since only the caller knows whether it is the
    champion. DataError if the model is not among `p_made` or a model's probabilities are missing or
    impossible.
    """
    if shown not in p_made:
        raise DataError(f"expected the model to show among {sorted(p_made)}, got {shown!r}.")
    table = scores.compare(made, p_made, games, resamples=resamples, seed=seed)
    row = table.filter(pl.col("model") == shown).row(0, named=True)
    sections = [
        _models(table, shown, _rivals(made, p_made, games, shown)),
        _calibration(made, p_made[shown], shown, row),
        _ranking(made, p_made, shown, table),
    ]
    if importances:
        sections.append(_importances(importances))
    if segments:
        by = scores.by_segment(
            made, p_made[shown], segments, games=games, resamples=resamples, seed=seed
        )
        sections.append(_segments(by, shown))
    lead = _key_figures(tiles or {"model": shown}, row)
    return html.write_page(path, title, [lead], sections)


def _key_figures(tiles: Mapping[str, str], row: Mapping[str, float | None]) -> KeyFigures:
    formats = {"log_loss": ".4f", "ece": ".4f", "roc_auc": ".4f", "n_shots": ",", "n_games": ","}
    values = {LABELS[name]: numbers.number(row[name], spec) for name, spec in formats.items()}
    return KeyFigures({**tiles, **values})


def _rivals(
    made: ArrayLike, p_made: Mapping[str, ArrayLike], games: ArrayLike, shown: str
) -> dict[str, Paired]:
    """The shown model against each other one: gains are positive where the shown one is better."""
    return {
        name: scores.paired_by_game(made, p, p_made[shown], games)
        for name, p in p_made.items()
        if name != shown
    }


def _models(table: pl.DataFrame, shown: str, rivals: Mapping[str, Paired]) -> Section:
    row = table["model"].to_list().index(shown)
    pairs = pl.DataFrame(
        {
            "model": list(rivals),
            "gain": [pair.gain for pair in rivals.values()],
            "gain_low": [pair.low for pair in rivals.values()],
            "gain_high": [pair.high for pair in rivals.values()],
            "p_value": [_p_words(pair.p_value) for pair in rivals.values()],
        },
        schema_overrides=dict.fromkeys(("model", "p_value"), pl.String()),
    )
    # In the order of the first table, the best log loss first.
    pairs = table.select("model").join(pairs, on="model", how="inner", maintain_order="left")
    blocks: list[Block] = [
        Text(_models_reading(table, shown, rivals), is_reading=True),
        Table(table, {"model": "model", **_COLUMNS}, _FORMATS, marked=frozenset({row})),
    ]
    figure = plots.comparison_plot(table, "log_loss", "log loss, with 95% interval", shown)
    picture = Picture(plots.figure_svg(figure), "Log loss of all models with their intervals")
    if pairs.height == 0:
        return Section("Models", [*blocks, picture])
    names = {"model": "against", "gain": "gain in log loss", "gain_low": "from",
             "gain_high": "to", "p_value": "p"}  # fmt: skip
    formats = dict.fromkeys(("gain", "gain_low", "gain_high"), "+.4f")
    caption = (
        f"{shown} against each other model on the same shots, paired by game, with 95% interval: "
        f"a gain above 0 means that {shown} is better. A dash: the two cannot be told apart."
    )
    return Section("Models", [*blocks, Row([picture, Table(pairs, names, formats, caption)])])


def _p_words(p_value: float) -> str:
    if np.isnan(p_value):
        return numbers.NO_VALUE
    return "< 0.0001" if p_value < 1e-4 else f"{p_value:.4f}"


def _models_reading(table: pl.DataFrame, shown: str, rivals: Mapping[str, Paired]) -> str:
    ranked = table["model"].to_list()
    others = [name for name in ranked if name != shown]
    if not others:
        return f"{shown} was evaluated alone."
    rival = others[0]
    pair = rivals[rival]
    if pair.no_evidence is not None:
        return f"{shown} and {rival} cannot be compared: {pair.no_evidence}"
    word = "ahead of" if pair.gain > 0 else "behind"
    sure = (
        "the interval of the paired difference leaves no doubt"
        if pair.low > 0 or pair.high < 0
        else "which chance could explain"
    )
    return (
        f"{shown} has place {ranked.index(shown) + 1} of {len(ranked)} by log loss, "
        f"{word} {rival} by {abs(pair.gain):.4f} ({pair.low:+.4f} to {pair.high:+.4f}); {sure}."
    )


def _calibration(made: ArrayLike, p: ArrayLike, shown: str, row: Mapping[str, float]) -> Section:
    table = scores.reliability(made, p)
    gap = (pl.col("made_rate") - pl.col("mean_p_made")).abs()
    worst = table.sort(gap).row(-1, named=True)
    reading = (
        f"The mean distance of predicted and seen make rate (ECE) is {row['ece']:.4f}; a perfectly "
        f"calibrated model would show {row['ece_noise']:.4f} on as many shots. The bins differ "
        f"most where {worst['mean_p_made']:.1%} was predicted and {worst['made_rate']:.1%} went in."
    )
    columns = {"mean_p_made": "predicted", "made_rate": "made", "low": "from", "high": "to",
               "n_shots": "shots"}  # fmt: skip
    formats = {**dict.fromkeys(("mean_p_made", "made_rate", "low", "high"), ".1%"), "n_shots": ","}
    picture = Picture(
        plots.figure_svg(plots.reliability_plot({shown: table})),
        "Predicted probability against the seen make rate",
        "15 bins of equal mass; bars are 95% intervals; on the dashed line predictions are true.",
    )
    blocks: list[Block] = [
        Text(reading, is_reading=True),
        Row([picture, Table(table, columns, formats)]),
    ]
    return Section("Calibration", blocks)


def _ranking(
    made: ArrayLike, p_made: Mapping[str, ArrayLike], shown: str, table: pl.DataFrame
) -> Section:
    counts = scores.confusion(made, p_made[shown])
    reading = (
        f"At a probability of one half {counts.accuracy:.1%} of the shots are called right, "
        f"{counts.precision:.1%} of those called makes go in and {counts.recall:.1%} of the makes "
        "are called."
    )
    pictures: list[Block] = [
        Picture(
            plots.figure_svg(plots.confusion_plot(counts)),
            "Confusion matrix",
            f"Confusion matrix of {shown}.",
        )
    ]
    if np.unique(np.asarray(made)).size == 2:
        order = [shown, *(name for name in table["model"] if name != shown)]
        areas = dict(table.select("model", "roc_auc").iter_rows())
        curves = {
            f"{name} ({areas[name]:.3f})": scores.roc_curve(made, p_made[name]) for name in order
        }
        picture = Picture(
            plots.figure_svg(plots.roc_plot(curves)),
            "ROC curves of all models",
            "ROC curves; the area under each in brackets.",
        )
        pictures.insert(0, picture)
    return Section("Ranking and decisions", [Text(reading, is_reading=True), Row(pictures)])


def _importances(importances: Mapping[str, float]) -> Section:
    ranked = sorted(importances.items(), key=lambda item: item[1], reverse=True)
    total = sum(importances.values()) or 1.0
    top = ", ".join(f"{name} ({value / total:.0%})" for name, value in ranked[:3])
    reading = (
        f"The most important of {len(ranked)} features: {top}. An importance says what the model "
        "uses, not what makes a shot go in."
    )
    picture = Picture(
        plots.figure_svg(plots.importance_plot(importances)), "Importances of the features"
    )
    return Section("Importances", [Text(reading, is_reading=True), picture])


def _segments(table: pl.DataFrame, shown: str) -> Section:
    names = ("n_shots", "n_games", "made_rate", *_INTERVAL, "brier", "ece", "ece_noise", "roc_auc",
             "accuracy")  # fmt: skip
    columns = {"label": "", **{name: LABELS[name] for name in names}}
    # A small segment has a large ECE by chance alone: its interval must leave out 0, and it must be
    # well above what a calibrated model would show on as few shots.
    suspect = table.filter((pl.col("ece_low") > 0) & (pl.col("ece") > 2 * pl.col("ece_noise")))
    worst = suspect.sort("ece", descending=True).head(3)
    named = [f"{row['segment']} '{row['label']}' ({row['ece']:.3f})" for row in worst.to_dicts()]
    reading = (
        f"Calibration errors beyond twice what chance shows: {', '.join(named)}"
        f"{' and others' if suspect.height > 3 else ''}."
        if named
        else f"In no segment is {shown}'s calibration error beyond twice what chance shows."
    )
    blocks: list[Block] = [Text(reading, is_reading=True)]
    for name in table["segment"].unique(maintain_order=True):
        part = table.filter(pl.col("segment") == name)
        blocks.append(Table(part, columns | {"label": str(name)}, _FORMATS))
    return Section("Segments", blocks)
