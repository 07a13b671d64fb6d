"""A stand-in for the league's statistics: it replays an archive of shots as a feed."""
