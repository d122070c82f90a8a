# `make demo` and `make test` need Python 3.11, git and make; everything else they install here.
PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test gpu-check docs web check format bench clean

demo: .venv/demo
	$(BIN)/python examples/demo.py --out demo-output

test: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses 2 --dist loadfile

# LiveKit's and Pipecat's clients, for tests: what they depend on is not what we do.
clients: .venv-clients/done

# With the Python at hand, which has a PyTorch that knows the GPU, and pytest, soundfile and soxr.
gpu-check:
	PYTHONPATH=src:. $(PYTHON) -m pytest tests/gpu

docs: .venv/docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

# The page that tokenizes in a browser, as a folder for any web server; needs npm.
web: .venv/dev web/tokenizer/node_modules
	$(BIN)/python web/tokenizer/build.py

web/tokenizer/node_modules: web/tokenizer/package-lock.json
	npm ci --ignore-scripts --no-audit --no-fund --prefix web/tokenizer
	touch $@

format: .venv/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/demo
	$(BIN)/python benchmarks/length.py

.venv/demo: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(INSTALL) torch==2.13.0
	$(INSTALL) --editable . matplotlib pesq pystoi
	touch $@

.venv/dev: .venv/demo
	$(INSTALL) --editable ".[bulk,dev,eval,export,offline,serve,train,tts]"
	$(INSTALL) --no-deps Resemblyzer axe-playwright-python
	touch $@

.venv-clients/done: tests/serving/voice-agents.txt
	$(PYTHON) -m venv .venv-clients
	.venv-clients/bin/pip install --quiet --disable-pip-version-check --no-deps --requirement $<
	touch $@

.venv/docs: .venv/dev
	$(INSTALL) --editable ".[docs]"
	touch $@

clean:
	rm -rf .venv .venv-clients demo-output web/tokenizer/node_modules web/tokenizer/dist
