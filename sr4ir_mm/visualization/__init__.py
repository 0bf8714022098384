from sr4ir_mm.visualization.panel import PanelDrawer, Tile, compose

__all__ = ['PanelDrawer', 'Tile', 'compose']
