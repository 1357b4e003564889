# Two commands do everything on a fresh machine: `make demo` and `make test`. Each makes its own virtual environment.
PYTHON ?= python3

.PHONY: demo test test-browser test-batch test-ray test-lowest check clean

.venv-demo/ready: pyproject.toml
	$(PYTHON) -m venv .venv-demo
	.venv-demo/bin/python -m pip install -q --disable-pip-version-check -e '.[metrics]'
	touch $@

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

demo: .venv-demo/ready  ## enhance and separate the bundled recordings, print scores, write two reports
	.venv-demo/bin/python examples/demo.py

test: .venv/ready  ## run every test
	scripts/test -n auto --dist loadfile

test-browser: .venv/ready  ## the page of `voxfield serve` in Chromium; skipped with a reason where there is none
	scripts/test tests/browser -m browser

test-batch: .venv/ready  ## 2000 recordings, killed a hundred times
	scripts/test -m full tests/batch

test-ray: .venv/ready  ## the batch on Ray
	.venv/bin/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[ray]'
	scripts/test -m ray tests/batch

test-lowest:  ## the tests with the oldest packages that pyproject.toml allows, in an environment of their own
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/python -m pip install -q --disable-pip-version-check uv
	.venv-lowest/bin/uv pip install -q --python .venv-lowest/bin/python --resolution lowest-direct -e '.[dev]' 'setuptools<81'
	PYTHON=.venv-lowest/bin/python scripts/test -n auto --dist loadfile

check: .venv/ready  ## format, lint, types and the import contract
	scripts/check

clean:
	rm -rf .venv .venv-demo .venv-lowest build dist
