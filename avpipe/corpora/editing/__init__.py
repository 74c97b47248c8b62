"""Films that code cuts together from recorded and drawn shots, and the transitions in them."""

from avpipe.corpora.editing.coding import coded
from avpipe.corpora.editing.film import MadeFilm, Material, Style, make_film

__all__ = ["MadeFilm", "Material", "Style", "coded", "make_film"]
