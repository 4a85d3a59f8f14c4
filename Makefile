# The GAN lab. `make` alone lists the targets; PYTHON=/path/to/python uses an interpreter that has the packages.

PROFILE ?= auto
DEVICE ?= auto
SET ?=
DATASET ?=
EDITION ?=
NAME ?=
RETRAIN ?=
FEATURES ?= classifier
TORCH ?=
TORCH_INDEX ?=
SUBMISSION ?=
SENTENCES ?=
MODEL ?= dcgan
HANDIN ?= build/handin
CODE ?=
ARGS ?=
# Who hands in what is typed; some systems have variables of these names that mean something else.
TYPED = $(if $(filter command line,$(origin $(1))),$(value $(1)))
# What is given reaches the shell as the value of a variable, never as a part of a command: nothing in it is run.
override PROFILE := $(value PROFILE)
override DEVICE := $(value DEVICE)
override SET := $(value SET)
override DATASET := $(value DATASET)
override EDITION := $(value EDITION)
override NAME := $(call TYPED,NAME)
override STUDENT := $(call TYPED,STUDENT)
override COURSE := $(call TYPED,COURSE)
override GROUP := $(call TYPED,GROUP)
override SENTENCES := $(value SENTENCES)
override MODEL := $(value MODEL)
override HANDIN := $(value HANDIN)
override RETRAIN := $(value RETRAIN)
override FEATURES := $(value FEATURES)
override TORCH := $(value TORCH)
override TORCH_INDEX := $(value TORCH_INDEX)
override SUBMISSION := $(value SUBMISSION)
override ARGS := $(value ARGS)
PYTHON ?= .venv/bin/python
override PYTHON := $(value PYTHON)
export PROFILE DEVICE SET DATASET EDITION NAME FEATURES TORCH TORCH_INDEX SUBMISSION ARGS PYTHON
export STUDENT COURSE GROUP SENTENCES MODEL HANDIN
export PYTHONPATH := $(CURDIR)
unexport PYTHONHOME

ifeq ($(PYTHON),.venv/bin/python)
READY := environment
else
READY := packages
endif

# A Python with the arguments that follow, and those in ARGS.
RUN = "$$PYTHON" -I labkit/base/arguments.py

.PHONY: help packages environment setup data doctor lab explore report smoke site study score examine classifier pdf predict handin verify check test test-quick test-all docs soak bench bench-explorer bench-page bench-quality lock clean distclean

help:
	@echo "The GAN lab on Fashion-MNIST. Every target sets up what it needs."
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' Makefile
	@echo "  PROFILE=smoke|quick|full   DEVICE=cpu|cuda   SET=\"epochs=3 seed=1\"   PYTHON=/path/to/python"
	@echo "  DATASET=mnist|kmnist|emnist-letters, or the path of your own pictures   EDITION=en|zh: the language"

setup: $(READY) ## a .venv with the locked packages: once, about 2 minutes and 6 GB; with TORCH=cpu TORCH_INDEX=address 2 GB

data: $(READY) ## Fashion-MNIST, or DATASET=mnist|kmnist|emnist-letters|path/to/your/pictures NAME=...: seconds
	@"$$PYTHON" -m labkit data --name="$$NAME" -- "$$DATASET"

doctor: ## what is wrong here, if anything, and what mends it; installs and changes nothing: seconds
	@if [ -x .venv/bin/python ] || [ $(READY) = packages ]; then "$$PYTHON" -B -m labkit doctor; else python3 -B -m labkit doctor; fi

lab: $(READY) ## JupyterLab on the notebooks, for this machine only: seconds
	@LABKIT_EDITION="$${EDITION:-$$LABKIT_EDITION}" $(RUN) -m labkit.editor.start notebooks/01_vanilla_gan.ipynb

explore: $(READY) ## JupyterLab on the latent editor: sliders, and garments that follow (after a report): seconds
	@LABKIT_EDITION="$${EDITION:-$$LABKIT_EDITION}" $(RUN) -m labkit.editor.start notebooks/latent_editor.ipynb

report: $(READY) ## load or train, run all notebooks, draw every figure, write build/<profile>/report.html: minutes
	@"$$PYTHON" -m labkit report --profile="$$PROFILE" --device="$$DEVICE" $(if $(filter-out 0 no false,$(RETRAIN)),--retrain) --dataset="$$DATASET" --edition="$$EDITION" -- "$$SET"

smoke: $(READY) ## the whole report on a few training steps, to see that all of it runs: 1 minute
	@"$$PYTHON" -m labkit report --profile smoke --device="$$DEVICE" --dataset="$$DATASET" --edition="$$EDITION" -- "$$SET"

site: $(READY) ## the report as a folder for any static host, with the sliders of both networks, in every language, in build/site/: minutes
	@"$$PYTHON" -m labkit report --site --profile="$$PROFILE" --device="$$DEVICE" --dataset="$$DATASET" --edition="$$EDITION" -- "$$SET"

study: $(READY) ## many runs, on every core or a cluster, and a record of each (docs/cluster.md): hours; ARGS="--seeds 8"
	@$(RUN) -m labkit study --device "$$DEVICE" --dataset="$$DATASET"

score: $(READY) ## scores of every finished run, as a table and in build/scores.json: two minutes for each
	@$(RUN) -m labkit score --device "$$DEVICE" --features "$$FEATURES" --dataset="$$DATASET"

examine: $(READY) ## a GAN that somebody wrote, or a class of them: SUBMISSION=my_gan.py:Generator ARGS="--weights g.pt"; a minute each
	@$(RUN) -m labkit examine "$$SUBMISSION"

classifier: $(READY) ## train the classifier anew that scores are measured with: 5 minutes; all scores begin anew
	@"$$PYTHON" -m labkit classifier --dataset="$$DATASET"

pdf: $(READY) ## the report as build/<profile>/report.pdf, if there is a Chromium: seconds
	@"$$PYTHON" -m labkit pdf --profile "$$PROFILE" --device "$$DEVICE" --dataset="$$DATASET" --edition="$$EDITION"

predict: $(READY) ## seal SENTENCES=mine.toml before a run, MODEL=dcgan|vanilla SET="seed=1"; without SENTENCES, judge: seconds
	@"$$PYTHON" -m labkit predict --model="$$MODEL" --profile="$$PROFILE" --device="$$DEVICE" --dataset="$$DATASET" -- "$$SENTENCES" "$$SET"

handin: $(READY) ## the last report with a title page and your answers, as one zip: NAME=title STUDENT=... COURSE=... GROUP=...; CODE=no: seconds
	@"$$PYTHON" -m labkit handin --profile="$$PROFILE" --device="$$DEVICE" --dataset="$$DATASET" --edition="$$EDITION" \
		--name="$$NAME" --student="$$STUDENT" --course="$$COURSE" --group="$$GROUP" $(if $(filter 0 no false,$(CODE)),--no-code)

verify: $(READY) ## check HANDIN=handin.zip, or a folder of them; ARGS="--csv table.csv": seconds each
	@$(RUN) -m labkit verify "$$HANDIN"

check: $(READY) ## format, lint and types, as every change must pass them: seconds
	@"$$PYTHON" -m ruff format --check .
	@"$$PYTHON" -m ruff check .
	@"$$PYTHON" -m mypy
	@biome="$$("$$PYTHON" -c 'import sysconfig; print(sysconfig.get_path("scripts"))')/biome"; \
		if [ -x "$$biome" ]; then "$$biome" lint --error-on-warnings labkit; \
		else echo "check: scripts and styles are left out, Biome is not installed (it has wheels for Linux on x86_64)"; fi

test: $(READY) ## the tests, every notebook and a real browser included: a quarter of an hour or more
	@$(RUN) -m pytest --numprocesses 4 --dist loadfile --no-loadscope-reorder -m "not thorough"

test-all: $(READY) ## those that take longest, too: half an hour
	@$(RUN) -m pytest --numprocesses 4 --dist loadfile --no-loadscope-reorder

test-quick: $(READY) ## the tests of single modules, but for slow ones: a minute or two
	@$(RUN) -m pytest tests/unit -m "not slow"

docs: $(READY) ## pages of the API, from the docstrings, in build/docs/: seconds
	@"$$PYTHON" -m pdoc --output-directory build/docs --docformat google labkit
	@echo "docs: build/docs/index.html"

soak: $(READY) ## kill trainings, reports, publications and set-ups a hundred times; nothing may be lost: 10 minutes
	@$(RUN) tests/soak.py

bench: $(READY) ## speed, as ratios to a plain tutorial script, in build/bench/: 4 minutes; let the machine rest
	@$(RUN) benchmarks/training.py --device "$$DEVICE"

bench-explorer: $(READY) ## how soon the garments follow a slider, in a real browser: 2 minutes; let the machine rest
	@$(RUN) benchmarks/explorer.py

bench-page: $(READY) ## how soon the garments follow in the report's own page: a minute; let the machine rest
	@$(RUN) benchmarks/page.py

bench-quality: $(READY) ## how soon quick draws as well as a plain script after ten minutes: 20 minutes; let the machine rest
	@$(RUN) benchmarks/quality.py --device "$$DEVICE"

lock: ## compile requirements.lock and constraints.txt from pyproject.toml (needs uv): seconds
	uv pip compile pyproject.toml --extra report --extra dev --extra study --extra test --extra zh --generate-hashes --universal --python-version 3.11 --quiet \
		--no-annotate --custom-compile-command "make lock" --output-file requirements.lock
	awk '/^[a-z0-9]/ {sub(/ *\\$$/, ""); print}' requirements.lock > constraints.txt

clean: ## remove build/ and all that smoke made; trained runs (retrained ones too), figures and data stay
	@if [ -d build ]; then find -H build -mindepth 1 -maxdepth 1 ! -name retrained ! -name '.*.publishing' -exec rm -rf {} +; fi
	rm -rf data/runs/smoke build/retrained/smoke build/retrained/.unfinished/smoke figures/smoke

distclean: clean ## remove the .venv too
	rm -rf .venv .venv.old .venv.torch *.egg-info

packages: ## check that PYTHON has the packages: a second
	@"$$PYTHON" -c 'import os, sys; from importlib.util import find_spec; \
	need = "torch torchvision torchmetrics matplotlib PIL safetensors tqdm papermill nbconvert ipykernel anywidget latex2mathml".split(); \
	missing = [name for name in need if not find_spec(name)]; \
	":" in os.getcwd() and sys.exit("labkit: with PYTHON=, the name of this folder must have no colon, where Python splits paths: rename it"); \
	sys.exit("labkit: " + sys.executable + " lacks " + ", ".join(missing) + ": install requirements.lock there, or leave PYTHON out" if missing else 0)'

environment:
	@if [ -x .venv/bin/python ] && .venv/bin/python -I labkit/base/environment.py --check 2>/dev/null; then exit 0; fi; \
	for base in python3 python3.14 python3.13 python3.12 python3.11 none; do \
		if [ $$base = none ]; then echo "labkit: no Python of 3.11 or later is on the PATH: install one, or name it with PYTHON=" >&2; exit 1; fi; \
		if $$base -I -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then break; fi; \
	done; \
	exec $$base -I labkit/base/environment.py
