"""Pictures of restored images and of what the recognizer sees in them."""

from sr4ir_mm.visualization.panel import PanelDrawer, Tile, compose

__all__ = ['PanelDrawer', 'Tile', 'compose']
