"""The graphs of a folder in onnxruntime, each loaded when it is first used."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from catok.export.description import GraphFile
from catok.extras import imported

Arrays = Mapping[str, np.ndarray]


class GraphSessions:
    """Base of what runs a folder of graphs on the CPU.

    `threads`: of one operation, by default as many as there are cores. It can be pickled. Raises
    ValueError where onnxruntime is not installed.
    """

    def __init__(
        self, folder: str | Path, graphs: Mapping[str, GraphFile], threads: int | None
    ) -> None:
        self.folder = Path(folder)
        self.threads = threads
        self._graphs = graphs
        self._onnxruntime: Any = imported("onnxruntime", "export")
        self._sessions: dict[str, Any] = {}

    def has(self, graph: str) -> bool:
        """Whether the folder holds a graph of that name."""
        return graph in self._graphs

    def run(self, graph: str, inputs: Arrays) -> dict[str, np.ndarray]:
        """Run a graph; all its outputs by name."""
        session = self.session(graph)
        names = [output.name for output in session.get_outputs()]
        arrays = {name: np.ascontiguousarray(value) for name, value in inputs.items()}
        return dict(zip(names, session.run(names, arrays), strict=True))

    def session(self, graph: str) -> Any:
        """onnxruntime's session of a graph."""
        if graph not in self._sessions:
            options = self._onnxruntime.SessionOptions()
            options.intra_op_num_threads = self.threads or 0
            options.inter_op_num_threads = 1
            path = self.folder / self._graph(graph).file
            try:
                self._sessions[graph] = self._onnxruntime.InferenceSession(
                    str(path), options, providers=["CPUExecutionProvider"]
                )
            except Exception as error:  # its own classes, which derive from no common one
                raise ValueError(f"onnxruntime cannot load {path}: {error}") from error
        return self._sessions[graph]

    def __getstate__(self) -> dict[str, Any]:
        return {"folder": self.folder, "threads": self.threads}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["folder"], threads=state["threads"])  # type: ignore[call-arg]

    def _graph(self, name: str) -> GraphFile:
        if name not in self._graphs:
            raise ValueError(
                f"{self.folder} holds the graphs {sorted(self._graphs)}, not {name}: export it "
                "with that part of the model"
            )
        return self._graphs[name]
