"""The nouns of Trailmate, frozen; everything else is built from them."""
