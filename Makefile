ADS       ?= sample_data/ads.csv
IMAGES    ?=
BACKBONE  ?= efficientnet-lite0
WEIGHTS   ?= imagenet
WORKSPACE ?= artifacts
CAUSES    ?= sample_data/errors.csv
PYTHON    ?= python3

VENV  := .venv
BIN   := $(VENV)/bin
ADCAT := $(BIN)/adcat -w $(WORKSPACE)
# Two processes share the cores: a thread each, or they get in each other's way.
PYTEST := OMP_NUM_THREADS=1 TF_NUM_INTRAOP_THREADS=1 $(BIN)/pytest --numprocesses 2

CLOSED_FORMS := max sum-max product-max product-prior log-linear weighted-sum choice cdpf linear stack
NETWORKS := nn nn-validation image-boost image-boost-prop temperature top3 \
  image-only text-only concat pool pool-aux
FEW_ADS := nn nn-validation image-boost image-boost-prop temperature \
  image-only text-only concat pool pool-aux

.DEFAULT_GOAL := help
.PHONY: help install lock pipeline thesis attention check format test soak test-browser test-cluster bench clean

help:      ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

install: $(VENV)/installed  ## Make .venv from the locked dependencies

$(VENV)/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; (3, 11) <= sys.version_info < (3, 14) or sys.exit( \
	  "The locked dependencies need Python 3.11 to 3.13, $(PYTHON) is %d.%d; type: make PYTHON=python3.13" \
	  % sys.version_info[:2])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/cluster: requirements-cluster.lock $(VENV)/installed
	$(BIN)/pip install --quiet --require-hashes -r requirements-cluster.lock
	touch $@

lock: install  ## Resolve the dependencies again: names, versions and hashes
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --no-header --no-annotate \
	  --no-emit-index-url --extra dev --extra export --extra openvino pyproject.toml -o requirements.lock
	cp requirements.lock requirements-cluster.lock  # whose versions are kept where they can be
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate \
	  --no-emit-index-url --extra spark --extra stores --group cluster pyproject.toml \
	  -o requirements-cluster.lock

pipeline: install  ## Run every step on ADS (IMAGES, BACKBONE, WEIGHTS) into WORKSPACE
	$(ADCAT) split $(ADS) $(if $(IMAGES),--images $(IMAGES))
	$(ADCAT) train-text --augment-noise 0.2
	$(ADCAT) train-text --model tfidf --name words
	$(ADCAT) train-image --backbone $(BACKBONE) --weights $(WEIGHTS) --stage head
	$(ADCAT) extract-features
	for policy in $(CLOSED_FORMS); do $(ADCAT) fuse --policy $$policy || exit; done
	for policy in $(NETWORKS); do $(ADCAT) fuse --policy $$policy || exit; done
	$(ADCAT) attend --stage attention --optimizer adam --learning-rate 0.0001 --epochs 5
	$(ADCAT) evaluate
	$(ADCAT) error-groups

thesis: pipeline  ## Then the tables and figures of the thesis that need more: 10 % runs, a search
	for policy in $(FEW_ADS); do \
	  $(ADCAT) fuse --policy $$policy --fraction 0.1 --name $$policy-10 || exit; done
	$(ADCAT) attend --search --search-fraction 0.25 --stage attention --optimizer adam --epochs 3
	$(ADCAT) evaluate --compare thesis
	$(ADCAT) error-groups --annotate $(CAUSES)

attention: install  ## Show what attention can do that joining text and photo at the end cannot
	$(BIN)/python benchmarks/planted_task.py planted

check: install  ## Format, lint, types and import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports

format: install  ## Rewrite the code in the project's style
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test: install  ## Run the tests, on two cores
	$(PYTEST) --dist loadfile --no-loadscope-reorder

soak: $(VENV)/cluster  ## Run the long tests, on two cores: kills, interruptions, fuzzing, heavy inputs
	$(PYTEST) -m soak tests tests_cluster

test-browser: install  ## Look at the report in Chromium (chromium and chromium-driver installed)
	$(BIN)/pytest tests_browser

test-cluster: $(VENV)/cluster  ## Test work on Spark and photos in object stores (Java 17 installed)
	$(PYTEST) tests_cluster --dist loadfile

bench: install  ## Measure speed against the plain tools, as ratios
	for file in $(filter-out %/planted_task.py,$(wildcard benchmarks/*.py)); do \
	  $(BIN)/python $$file || exit 1; done

clean:     ## Remove what was made, the virtual environment included
	rm -rf $(VENV) artifacts planted
