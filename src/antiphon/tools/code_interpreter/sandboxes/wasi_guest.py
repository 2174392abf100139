"""Modules that the guest of `wasi_process.py` imports, as texts.

The value of the last expression, and charts that the code shows, go to files that the process reads.
"""

MODULES = {
    "antiphon_guest.py": """
import os, sys

def _display(value):
    if value is not None:
        import builtins
        builtins._ = value
        with open("/tmp/.result", "w") as file:
            file.write(repr(value))

def finish():
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None and pyplot.get_fignums():
        import antiphon_charts
        antiphon_charts.show()

sys.displayhook = _display
os.chdir("/mnt/data")
""",
    "antiphon_charts.py": """
import os
from matplotlib._pylab_helpers import Gcf
from matplotlib.backends.backend_agg import FigureCanvasAgg as FigureCanvas

def show(*args, **kwargs):
    os.makedirs("/tmp/.charts", exist_ok=True)
    for manager in Gcf.get_all_fig_managers():
        name = f"/tmp/.charts/{len(os.listdir('/tmp/.charts')):04}.png"
        manager.canvas.figure.savefig(name, bbox_inches="tight")
    Gcf.destroy_all()
""",
}
