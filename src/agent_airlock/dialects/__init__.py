"""How the providers' APIs say model, input, output limit and usage. Pure: values in, values out."""
