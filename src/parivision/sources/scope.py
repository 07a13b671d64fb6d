"""Which seasons a source reads, as a part of its name."""

from collections.abc import Sequence


def season_scope(seasons: Sequence[int]) -> str:
    """Words for ascending seasons such that equal words share cursors.

    A cursor says up to where seasons were read in order. It stays right when later seasons are
    added to a row of seasons without gap; any other set of seasons needs another name, or seasons
    ahead of the cursor would be passed over.
    """
    if list(seasons) == list(range(seasons[0], seasons[-1] + 1)):
        return f"{seasons[0]} on"
    return ", ".join(str(season) for season in seasons)
