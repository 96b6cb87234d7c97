"""Executes a notebook from beginning to end and fails where a cell fails. Nothing is written.

    python tools/run_notebook.py NOTEBOOK.ipynb
"""

import sys

import nbformat
from nbclient import NotebookClient


def main():
    notebook = nbformat.read(sys.argv[1], as_version=4)
    NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    cells = sum(cell.cell_type == "code" for cell in notebook.cells)
    print(f"run_notebook: {cells} cells of {sys.argv[1]} ran")


if __name__ == "__main__":
    main()
