"""A champion that can be run: its Bento, its image, and its service on this machine."""
