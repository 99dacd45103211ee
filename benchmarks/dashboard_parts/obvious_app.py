"""The obvious Dash app: maps in one figure, a colour per point, built anew on the server at each step of a slider.

    python benchmarks/dashboard_parts/obvious_app.py RUN

It is written with care: arrays in float32 and bytes, which plotly sends as base64, WebGL, artifacts that are read once.
"""

import functools
import sys

import plotly.graph_objects as go
from dash import Dash, Input, Output, dcc, html
from plotly.subplots import make_subplots
from waitress import create_server

import repviz
from repviz.theme import class_colors

METHOD = "umap"


def make_app(run: repviz.Run) -> Dash:
    """A slider over the epochs and a graph."""
    epochs = run.epochs("projection")
    labels = run.sample()["label"].values.astype("int8")
    colors = class_colors(int(labels.max()) + 1)
    scale = [(k / (len(colors) - 1), color) for k, color in enumerate(colors)]
    read = functools.lru_cache(maxsize=None)(
        lambda epoch: run.read("projection", epoch)["coordinates"].sel({"method": METHOD})
    )
    app = Dash("obvious", serve_locally=True)
    app.layout = html.Div(
        [
            dcc.Slider(min(epochs), max(epochs), 1, value=min(epochs), id="epoch"),
            dcc.Graph(id="maps", style={"height": 760}),
        ]
    )

    @app.callback(Output("maps", "figure"), Input("epoch", "value"))
    def draw(epoch: int) -> go.Figure:
        coordinates = read(epoch)
        layers = [str(name) for name in coordinates["layer"].values]
        figure = make_subplots(2, 3, subplot_titles=layers)
        for number, points in enumerate(coordinates.values):
            marker = {"color": labels, "colorscale": scale, "size": 4}
            trace = go.Scattergl(x=points[:, 0], y=points[:, 1], mode="markers", marker=marker, showlegend=False)
            figure.add_trace(trace, row=number // 3 + 1, col=number % 3 + 1)
        return figure.update_layout(title_text=f"epoch {epoch}")

    return app


if __name__ == "__main__":
    server = create_server(make_app(repviz.open_run(sys.argv[1])).server, host="127.0.0.1", port=0, threads=8)
    print(f"http://127.0.0.1:{server.effective_port}", flush=True)
    server.run()
