# SPDX-License-Identifier: MIT
from dash import Dash, Input, Output, dcc, html

dash = Dash(__name__)
dash.layout = html.Div([dcc.Input(id="name", value="nobody"), html.Div(id="greeting")])


@dash.callback(Output("greeting", "children"), Input("name", "value"))
def greet(name):
    return f"hello {name}"


app = dash.server
