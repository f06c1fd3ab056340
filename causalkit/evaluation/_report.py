"""Everything about one representation on one card: scores with free factors first, their ceilings and chance, and what looks like a leak.

A high score can have bad reasons: instances of the training rows among those that are scored, rows in an order that gives factors away, codes that *are* a factor because labels
were fed in. The card looks for these before it is believed.
"""

from __future__ import annotations

import base64
import html
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalkit._random import Seed
from causalkit._validation import Floats, check_count, check_same_index, read_table
from causalkit._version import __version__
from causalkit.evaluation._assess import FEWEST_DRAWS, RepresentationScore, read_codes, revision_of
from causalkit.evaluation._association import unit_columns
from causalkit.evaluation._component_r2 import component_r2
from causalkit.evaluation._copies import Others
from causalkit.evaluation._disentanglement import dci, mig
from causalkit.evaluation._leaks import on_both_sides, search_leaks, sides_looked_at
from causalkit.evaluation._mcc import mcc
from causalkit.evaluation._published_protocol import Protocol, PublishedScore, causalverse_scores
from causalkit.exceptions import DataError, ParameterError

if TYPE_CHECKING:
    import pandas as pd

    from causalkit.datasets import SceneData

__all__ = ["RepresentationReport", "representation_report"]

Rows: TypeAlias = NDArray[np.intp]
Encode: TypeAlias = Callable[[NDArray[np.uint8]], Any]
FREE, ALL = "MCC, free factors", "MCC, all factors"
HELD = "kernel regression, free factors"
SAME = 1 - 1e-9
FEWEST_GROUPS = 4
# Rows that are not scored help to tell a copy from an honest code.
MOST_OTHERS = 600
# With 19 exchanges a p-value can be .05.
FEWEST_EXCHANGES = 19
NOTHING = "No leak was found of those that were looked for, which is no proof that there is none:"


@dataclass(frozen=True)
class RepresentationReport:
    """Scores of a representation on one data set, with what looks like a leak.

    Parameters
    ----------
    scores : dict of str to RepresentationScore
        Free factors first.
    leaks : tuple of str
        What may make scores too good; empty if nothing was found.
    notes : tuple of str
        What was left out, and why.
    about : dict of str to str
        Data, revision, rows, seed and versions.
    associations : numpy.ndarray of float, shape (d, k)
        Association of every factor with every code.
    factors : tuple of str
        Factors of its rows.
    published : tuple of PublishedScore
        Scores by the definitions of the authors' code, beside corrected ones; empty unless asked for.
    looked_for : tuple of str
        Leaks that were looked for, each with what would have been found, or why it was not looked for.
    """

    scores: dict[str, RepresentationScore]
    leaks: tuple[str, ...]
    notes: tuple[str, ...]
    about: dict[str, str]
    associations: Floats = field(repr=False)
    factors: tuple[str, ...] = field(repr=False)
    published: tuple[PublishedScore, ...] = ()
    looked_for: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.to_markdown()

    def to_pandas(self) -> pd.DataFrame:
        """Return the scores as a table.

        Returns
        -------
        pandas.DataFrame
            One row per score: value, interval, chance, p-value, ceiling, and the value between chance and ceiling.
        """
        import pandas as pd

        columns = ("value", "ci_low", "ci_high", "chance", "p_value", "ceiling", "corrected")
        rows = {name: [getattr(score, c) for c in columns] for name, score in self.scores.items()}
        return pd.DataFrame.from_dict(rows, orient="index", columns=list(columns))

    def to_markdown(self) -> str:
        """Return the card as text.

        Returns
        -------
        str
            Markdown.
        """
        lines = [f"# Representation of {self.about['data']}", ""]
        lines += [f"- **Possible leak.** {leak}" for leak in self.leaks] or [f"- {NOTHING}"]
        lines += [f"  - {what}" for what in self.looked_for]
        lines += [f"- {note}" for note in self.notes]
        lines += [
            "",
            "| score | value | interval | chance | ceiling | chance to ceiling |",
            "|---|---|---|---|---|---|",
        ]
        lines += [f"| {' | '.join(cells)} |" for cells in self._cells()]
        lines += ["", *(f"- {score}" for score in self.published)] if self.published else []
        lines += ["", "; ".join(f"{key}: {value}" for key, value in self.about.items())]
        return "\n".join(lines)

    def _cells(self) -> Iterator[list[str]]:
        for name, s in self.scores.items():
            interval = "–" if np.isnan(s.ci_low) else f"{s.ci_low:.3f} to {s.ci_high:.3f}"
            chance = "–" if np.isnan(s.chance) else f"{s.chance:.3f} (p = {s.p_value:.2g})"
            corrected = "–" if np.isnan(s.corrected) else f"{s.corrected:.2f}"
            yield [name, f"{s.value:.3f}", interval, chance, f"{s.ceiling:.3f}", corrected]

    def to_html(self) -> str:
        """Return the card as one page, with a figure inside.

        Returns
        -------
        str
            HTML; it loads nothing from elsewhere.
        """
        safe = html.escape
        head = ["score", "value", "interval", "chance", "ceiling", "chance to ceiling"]
        rows = "".join(
            "<tr>" + "".join(f"<td>{safe(c)}</td>" for c in cells) + "</tr>" for cells in self._cells()
        )
        leaks = "".join(f"<li class=leak>Possible leak. {safe(leak)}</li>" for leak in self.leaks)
        looked = "".join(f"<li>{safe(what)}</li>" for what in self.looked_for)
        notes = "".join(f"<li>{safe(str(note))}</li>" for note in (*self.notes, *self.published))
        about = "".join(f"<dt>{safe(k)}</dt><dd>{safe(v)}</dd>" for k, v in self.about.items())
        return (
            f"<!DOCTYPE html><html lang=en><meta charset=utf-8><title>Representation of {safe(self.about['data'])}</title>{STYLE}"
            f"<h1>Representation of {safe(self.about['data'])}</h1><ul>{leaks or f'<li>{NOTHING}</li>'}<ul>{looked}</ul>{notes}</ul>"
            f"<table><tr>{''.join(f'<th>{h}</th>' for h in head)}</tr>{rows}</table>"
            f"<img alt='scores, and association of factors with codes' src='data:image/png;base64,{self._figure()}'><dl>{about}</dl></html>"
        )

    def save(self, path: str | Path) -> Path:
        """Write the card to a file.

        Parameters
        ----------
        path : str or pathlib.Path
            Ends in ``.html`` or ``.md``.

        Returns
        -------
        pathlib.Path
            The file.
        """
        target = Path(path)
        writers = {".html": self.to_html, ".md": self.to_markdown}
        if target.suffix not in writers:
            raise ParameterError(f"{target.name} must end in .html or .md")
        target.write_text(writers[target.suffix](), encoding="utf-8")
        return target

    def plot(self) -> Any:
        """Draw scores between chance and ceiling, and the association of every factor with every code.

        Returns
        -------
        matplotlib.figure.Figure
            Two panels.
        """
        from matplotlib.figure import Figure

        figure = Figure(figsize=(11, 4.5), layout="constrained")
        left, right = figure.subplots(1, 2)
        for y, score in enumerate(self.scores.values()):
            left.barh(y, score.value, color="#4878a8")
            if not np.isnan(score.ci_low):
                left.hlines(y, score.ci_low, score.ci_high, color="black", lw=1)
            left.vlines(
                score.ceiling, y - 0.4, y + 0.4, color="black", lw=2, label="ceiling" if y == 0 else None
            )
            left.vlines(
                score.chance, y - 0.4, y + 0.4, color="black", ls=":", label="chance" if y == 0 else None
            )
        left.set_yticks(range(len(self.scores)), list(self.scores), fontsize=8)
        left.invert_yaxis()
        left.set_xlim(min(0, *(s.value for s in self.scores.values())), 1.02)
        left.legend(loc="lower right", fontsize=8)
        shown = right.imshow(self.associations, vmin=0, vmax=1, cmap="magma", aspect="auto")
        right.set_yticks(range(len(self.factors)), list(self.factors), fontsize=8)
        right.set_xlabel("code")
        right.set_title("association", fontsize=10)
        figure.colorbar(shown, ax=right)
        return figure

    def _figure(self) -> str:
        out = BytesIO()
        self.plot().savefig(out, format="png", dpi=90)
        return base64.b64encode(out.getvalue()).decode()


STYLE = (
    "<style>body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}table{border-collapse:collapse}"
    "td,th{border-bottom:1px solid #ccc;padding:.2rem .8rem;text-align:left}.leak{color:#a00;font-weight:600}img{max-width:100%}"
    "dt{font-weight:600}</style>"
)


def representation_report(
    data: SceneData,
    encode: Encode | Any,
    *,
    rows: Sequence[int] | Rows | None = None,
    trained_on: Sequence[int] | Rows | None = None,
    protocol: Protocol | None = None,
    batch_size: int = 256,
    n_bootstrap: int = 50,
    n_permutations: int = 50,
    rng: Seed = 0,
) -> RepresentationReport:
    """Score a representation on a data set, and look for leaks.

    Parameters
    ----------
    data : SceneData
        Factors, groups and pictures, of `make_scene` or `load_causalverse`.
    encode : callable or array_like, shape (len(data), k)
        Function from pictures, uint8 of shape (n, height, width, 3), to codes of shape (n, k); or the codes of all rows.
    rows : sequence of int, optional
        Rows that are scored; by default the test part of ``data.splits()``.
    trained_on : sequence of int, optional
        Rows that the representation was trained on, to see whether an instance is on both sides.
    protocol : {"image", "video"}, optional
        Add the scores of CausalVerse as its authors' code defines them, beside corrected ones; see :func:`causalverse_scores`.
    batch_size : int, default=256
        Pictures encoded at a time.
    n_bootstrap, n_permutations : int, default=50
        Number of resamplings for intervals and chance (a tenth of it for the slow scores).
    rng : int, numpy.random.Generator or None, default=0
        Seed.

    Returns
    -------
    RepresentationReport
        Printable; ``save("card.html")`` writes it with a figure.

    Raises
    ------
    DataError
        If codes have the wrong length, are not finite, or there are no pictures to encode.

    Notes
    -----
    Rows with the same free factors are one observation, since they may show the same: halves, resampling and chance keep them together.

    *Leaks* that are looked for: instances, or settings of all free factors, in both `rows` and `trained_on`; codes, alone or in pairs, that follow a factor or the number of the row
    more closely than an honest code would, unless the pictures show it as plainly; the instance number, the row number or the view, where it tells free factors more than when factors are
    exchanged between settings, and the codes predict them no better. Up to 600 rows that are not scored are encoded too: they tell a copy from an honest code where few rows are scored. Factors
    that are copies of each other are noted (no fault of the codes, but a find counts twice).

    Examples
    --------
    >>> from causalkit.datasets import make_scene
    >>> from causalkit.evaluation import representation_report
    >>> scene = make_scene("fall", n=200, size=16)
    >>> card = representation_report(scene, lambda pictures: pictures[:, ::4, ::4].reshape(len(pictures), -1), n_bootstrap=0, n_permutations=0)
    >>> card.leaks, list(card.scores)[0]
    ((), 'MCC, free factors')
    """
    check_count("batch_size", batch_size)
    if not hasattr(data, "latents") or not hasattr(data, "groups"):
        raise ParameterError(
            f"data must be a SceneData, of make_scene or load_causalverse; got {type(data).__name__}. For plain arrays there are the scores themselves, such as mcc"
        )
    chosen = data.splits()["test"] if rows is None else data.positions(rows)
    part = data.take(chosen)
    settings = _units(part)
    if (number := len(np.unique(settings))) < FEWEST_GROUPS:
        raise DataError(
            f"{number} settings of the free factors are scored; at least {FEWEST_GROUPS} are needed. By default it is the test part of splits(); give rows="
        )
    codes = _encode(data, part, chosen, encode, batch_size)
    z, notes = _complete_factors(part)
    free = [name for name in part.info.names("exogenous") if name in z.columns]
    if not free and part.info.names("exogenous"):
        raise DataError(
            "no free factor of these rows varies and is known everywhere; there is nothing to recover"
        )
    if not free:
        notes.append("Which factors are free is not known; where scores say free, they are of all factors.")
        free = list(z.columns)
    types = _among(part.factor_types, z.columns)
    around = {"groups": settings, "n_bootstrap": n_bootstrap, "n_permutations": n_permutations, "rng": rng}
    scores = _scores(z, free, types, codes, around)
    passing = [
        f"{name} passes its ceiling: the codes hold more than the free factors, such as functions of them."
        for name, score in scores.items()
        if score.value > score.ceiling + 0.02
    ]
    others = _others(data, chosen, encode, z, codes, batch_size)
    searched = search_leaks(part, z, free, types, codes, settings, others, rng)
    leaks = (*on_both_sides(data, chosen, trained_on), *searched.found)
    looked_for = (sides_looked_at(trained_on), *searched.looked_for)
    notes += searched.notes
    about = {
        "data": f"{part.info.title} ({part.info.name})",
        "revision": revision_of(part),
        "rows": f"{len(part)} in {len(np.unique(part.groups))} instances, {number} settings of the free factors",
        "codes": str(codes.shape[1]),
        "seed": str(rng),
        "versions": f"causalkit {__version__}, NumPy {np.__version__}, Python {platform.python_version()}",
    }
    matrix = scores[ALL].parts["matrix"]
    published = () if protocol is None else _published(z, codes, types, settings, protocol, rng)
    return RepresentationReport(
        scores, leaks, (*notes, *_copies(z), *passing), about, matrix, tuple(z.columns), published, looked_for
    )


def _units(part: SceneData) -> Rows:
    """Return what is one observation: an instance, or all instances with the same free factors."""
    if not len(part):
        return part.groups
    settings = part.setting_of_rows()
    return settings if len(np.unique(settings)) < len(np.unique(part.groups)) else part.groups


def _published(
    z: pd.DataFrame, codes: Floats, types: Mapping[str, Any], groups: Rows, protocol: Protocol, rng: Seed
) -> tuple[PublishedScore, ...]:
    """Return the published scores over the factors that are numbers."""
    numbers = [name for name in z.columns if z[name].dtype.kind in "iuf"]
    return causalverse_scores(
        z[numbers], codes, protocol=protocol, factor_types=_among(types, numbers), groups=groups, rng=rng
    )


def _encode(data: SceneData, part: SceneData, rows: Rows, encode: Encode | Any, batch_size: int) -> Floats:
    """Return the codes of the rows that are scored."""
    if not callable(encode):
        check_same_index(data.latents, encode)
        codes = read_codes(encode)
        if len(codes) != len(data):
            raise DataError(
                f"there are {len(codes)} rows of codes for {len(data)} rows of data; give those of all rows, in order"
            )
        return codes[rows]
    if part.images is None:
        raise DataError("these data have no pictures to encode; load them with what='images', or give codes")
    found: list[Floats] = []
    for first in range(0, len(part), batch_size):
        batch = np.arange(first, min(first + batch_size, len(part)))
        codes = read_codes(encode(part.images.read(batch)))
        if len(codes) != len(batch):
            raise DataError(f"encode gave {len(codes)} rows of codes for {len(batch)} pictures")
        if found and codes.shape[1] != found[0].shape[1]:
            raise DataError(
                f"encode gave {found[0].shape[1]} codes for the first pictures and {codes.shape[1]} from picture {first} on"
            )
        found.append(codes)
    return np.vstack(found)


def _others(
    data: SceneData, scored: Rows, encode: Encode | Any, z: pd.DataFrame, codes: Floats, batch_size: int
) -> Others:
    """Return rows spread over those that are not scored and whose factors are known."""
    rest = np.setdiff1d(np.flatnonzero(data.latents[z.columns].notna().all(axis=1)), scored)
    some = rest[np.linspace(0, len(rest) - 1, min(MOST_OTHERS, len(rest))).astype(np.intp)]
    part = data.take(some)
    theirs = _encode(data, part, some, encode, batch_size) if len(some) else codes[:0]
    types = _among(data.factor_types, z.columns)
    both = read_table(data.latents.loc[:, z.columns].iloc[[*scored, *some]].reset_index(drop=True), types)
    return Others(part, replace(both, values=both.values[len(scored) :]), theirs)


def _complete_factors(part: SceneData) -> tuple[pd.DataFrame, list[str]]:
    """Return the factors that are there in every row, and a note about the others."""
    holes = part.latents.columns[part.latents.isna().any()].tolist()
    nuisance = [name for name in part.info.names("nuisance") if name in part.latents]
    notes = [f"Left out, as values are missing: {', '.join(holes)}."] if holes else []
    still = [str(name) for name, column in part.latents.items() if (column == column.iloc[0]).all()]
    notes += [f"Left out, as they never vary: {', '.join(still)}."] if still else []
    return part.latents.drop(columns=list(dict.fromkeys([*holes, *nuisance, *still]))), notes


def _slow(n_bootstrap: int, n_permutations: int) -> dict[str, int]:
    """Return how often slow scores are evaluated again: a tenth, but as often as a statement at 5 % needs; an interval is left out before it is a false one."""
    draws = n_bootstrap // 10
    return {
        "n_bootstrap": draws if draws >= FEWEST_DRAWS else 0,
        "n_permutations": min(n_permutations, max(n_permutations // 10, FEWEST_EXCHANGES)),
    }


def _scores(
    z: pd.DataFrame, free: list[str], types: Mapping[str, Any], codes: Floats, around: Mapping[str, Any]
) -> dict[str, RepresentationScore]:
    some = _among(types, free)
    alone, rarely = {"factor_types": some, **around}, {**around, "factor_types": some}
    rarely |= _slow(around["n_bootstrap"], around["n_permutations"])
    three = dci(z[free], codes, **rarely)
    scores = {
        FREE: mcc(z[free], codes, **alone),
        "MCC, free factors, Spearman": mcc(z[free], codes, correlation="spearman", **alone),
        ALL: mcc(z, codes, exogenous=free, factor_types=types, **around),
        "linear regression, free factors": mcc(z[free], codes, variant="regression", **rarely),
        HELD: mcc(z[free], codes, variant="regression", regressor="kernel", **rarely),
        "component R2, free factors": component_r2(z[free], codes, **rarely),
        "DCI disentanglement": three.disentanglement,
        "DCI completeness": three.completeness,
        "DCI informativeness": three.informativeness,
    }
    return scores | ({"MIG": mig(z[free], codes, **alone)} if codes.shape[1] > 1 else {})


def _correlations(column: Any, others: Any) -> Floats:
    """Return the absolute correlation of a column with each of others."""
    one, rest = (unit_columns(np.asarray(v, dtype=float)) for v in (np.c_[column], others))
    return np.asarray(np.abs(one.T @ rest)[0])


def _among(types: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return the types of some of the factors."""
    return {name: types[name] for name in names if name in types}


def _copies(z: pd.DataFrame) -> Iterator[str]:
    """Find factors that are affine copies of others."""
    numbers = [name for name in z.columns if z[name].dtype.kind in "iuf"]
    for k, name in enumerate(numbers):
        others = numbers[k + 1 :]
        if others:
            same = _correlations(z[name], z[others]) > SAME
            if same.any():
                yield f"{', '.join(np.array(others)[same])} repeat{'s' if same.sum() == 1 else ''} {name}: finding one is finding all."
