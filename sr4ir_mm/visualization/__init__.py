from .panel import PanelDrawer, Tile, compose

__all__ = ['PanelDrawer', 'Tile', 'compose']
