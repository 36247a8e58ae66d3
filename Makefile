# `make` alone prints the targets. Every target that needs the environment makes it first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready

DATA ?= cifar10-mini
PHOTOS := $(patsubst ~/%,$(HOME)/%,$(DATA))
# Own photos use transfer learning from ImageNet; CIFAR-10 trains from scratch.
MODEL ?= $(if $(filter cifar10 cifar10-mini,$(DATA)),resnet8,transfer)
SIZE ?=
RUN ?= runs/$(notdir $(patsubst %/,%,$(DATA)))-$(MODEL)$(if $(SIZE),-$(SIZE))
OUT ?= build/$(notdir $(RUN)).tflite
TRAIN_FLAGS ?=
CONVERT_FLAGS ?=
# `make -s` is as quiet as --quiet.
QUIET := $(if $(findstring s,$(filter-out --%,$(firstword -$(MAKEFLAGS)))),--quiet)

.DEFAULT_GOAL := help
# Every target with a line of help is a command, not a file.
.PHONY: $(shell grep -oE '^[a-z-]+:.*\#\# ' $(firstword $(MAKEFILE_LIST)) | cut -d: -f1)

help: ## print this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'
	@echo
	@echo "  DATA=$(DATA)  MODEL=$(MODEL)  SIZE=(the model's own)  RUN=$(RUN)  OUT=$(OUT)"
	@echo "  make convert DATA=~/photos SIZE=tiny OUT=build/mine.tflite"

setup: $(STAMP) ## create .venv with every package pinned

$(STAMP): requirements/host.txt requirements/pip.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 10) <= v <= (3, 13) else f"$(PYTHON) is Python {v[0]}.{v[1]}; expected 3.10 to 3.13. Try: make setup PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/pip.txt
	@echo "Installing $$(grep -c '==' requirements/host.txt) pinned packages into $(VENV); the largest, TensorFlow, takes a while." >&2
	$(BIN)/python -m pip install --require-hashes -r requirements/host.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# The two device environments: nothing but what a device has, and the test runner.
.venv-%/.ready: requirements/%.txt requirements/test.txt $(STAMP)
	$(BIN)/python -m tests.tools.device_python $* > .venv-$*.python
	"$$(cat .venv-$*.python)" -m venv .venv-$*
	rm .venv-$*.python
	.venv-$*/bin/python -m pip install --quiet --require-hashes -r requirements/pip.txt
	.venv-$*/bin/python -m pip install --quiet --require-hashes -r requirements/$*.txt
	.venv-$*/bin/python -m pip install --quiet --require-hashes -r requirements/test.txt
	@touch $@

# One more than there are processors, since many tests spend their time waiting.
WORKERS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2) + 1)
# Where compiled tests are not kept, every worker spends ten seconds on compiling them.
unexport PYTHONDONTWRITEBYTECODE

lint: $(STAMP) ## check format, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

check: lint ## check format, lint and types, and run the fast tests
	$(BIN)/python -m pytest -q -n $(WORKERS) -m "not slow and not tensorflow"

# Tests of the device package that need nothing of the workstation; there, the others also run, with both backends in one process.
DEVICE_ONLY := cameras cli installed live outputs pixels reports store system
# The device's tests mostly wait, so they run beside the workstation's, which give way to them. Slow tests whose outcome does not
# depend on the packages run only once, in the modern environment.
test: $(STAMP) .venv-litert/.ready .venv-tflite/.ready ## run all tests, the device's in both device environments
	@mkdir -p build
	@.venv-litert/bin/python -m pytest -q tests/edge_runtime > build/test-litert.log 2>&1 & litert=$$!; \
	.venv-tflite/bin/python -m pytest -q tests/edge_runtime -m "not slow or arithmetic" > build/test-tflite.log 2>&1 & tflite=$$!; \
	trap 'kill $$litert $$tflite' INT TERM; \
	nice $(BIN)/python -m pytest -q -n 2 --dist loadfile $(DEVICE_ONLY:%=--ignore=tests/edge_runtime/%); host=$$?; \
	wait $$litert; litert=$$?; wait $$tflite; tflite=$$?; \
	for name in litert tflite; do echo "== $$name: build/test-$$name.log"; tail -n 40 build/test-$$name.log; done; \
	test "$$host$$litert$$tflite" = 000

train: $(STAMP) ## train on DATA into RUN, or continue an interrupted training
	$(BIN)/python -m train --data "$(PHOTOS)" --model $(MODEL) $(if $(SIZE),--size $(SIZE)) --out "$(RUN)" $(QUIET) $(if $(filter --force,$(TRAIN_FLAGS)),,--resume) $(TRAIN_FLAGS)

# A run directory appears only when training is complete. One that exists is taken as it is, unless DATA was given and
# is not what it was trained on. OUT is made again each time, like any target; a refused model leaves the old one.
GIVEN := $(filter command,$(origin DATA))
SIZES := tiny small full
ifeq ($(SIZE),all)
# Each size is trained and converted as by itself; a refused one stands in the table as refused.
EACH := $(foreach size,$(SIZES),$(RUN:%-all=%)-$(size))
convert: $(STAMP)
	@set -e; for size in $(SIZES); do \
	run="$(RUN:%-all=%)-$$size"; \
	$(MAKE) --no-print-directory convert SIZE=$$size RUN="$$run" OUT="build/$$(basename "$$run").tflite" \
	  $(if $(GIVEN),DATA="$(DATA)") || test -e "build/$$(basename "$$run").report.json"; done
	$(BIN)/python -m convert.compare.sizes $(foreach run,$(EACH),"build/$(notdir $(run)).tflite") --out "build/$(notdir $(RUN:%-all=%))-sizes.md" $(QUIET)
else
convert: $(STAMP) ## train RUN unless it exists, then write and verify OUT; SIZE=all compares every size
	@if test ! -e "$(RUN)"; then $(MAKE) --no-print-directory train; \
	else $(if $(GIVEN),$(BIN)/python -m train --resume --data "$(PHOTOS)" --model $(MODEL) --out "$(RUN)" $(QUIET),$(if $(QUIET),:,echo "$(RUN) is already complete; it is converted again." >&2)); fi
	$(BIN)/python -m convert "$(RUN)" --out "$(OUT)" --force $(QUIET) $(CONVERT_FLAGS)
	$(if $(SIGN),$(BIN)/python -m convert.sign "$(OUT)" --key "$(SIGN)")
endif

teach-backbone: $(STAMP) ## write build/teach-backbone.tflite, which `edge-runtime teach` builds on
	@test -e runs/teach-backbone || $(BIN)/python -m train.transfer.teach_backbone --out runs/teach-backbone
	$(BIN)/python -m convert runs/teach-backbone --out build/teach-backbone.tflite --threshold 0 --field-test off --force

FROM ?= frames
INTO ?= photos
sort: $(STAMP) ## sort saved frames FROM a folder INTO class folders, on a local page: LABELS="mug pen" CAPTURE=1
	$(BIN)/python -m train.sort $(if $(or $(filter command,$(origin FROM)),$(wildcard $(FROM))),"$(FROM)") --into "$(INTO)" $(if $(LABELS),--labels $(LABELS)) $(if $(CAPTURE),--capture)

compare: $(STAMP) ## compare the variants of RUN (float, int8, pruned, ...): accuracy, bytes, time
	@test -e "$(RUN)" || test -z "$(filter command,$(origin RUN))" || { echo "There is no run $(RUN). These are there: $(wildcard runs/*)" >&2; exit 66; }
	@test -e "$(RUN)" || $(MAKE) --no-print-directory train
	$(BIN)/python -m convert.compare "$(RUN)" --force $(QUIET) $(COMPARE_FLAGS)

improve: $(STAMP) ## compare OUT with AGAINST=build/old.tflite on images new to both models: AGAINST_RUN=runs/old
	@test -n "$(AGAINST)" || { echo "Which old model? Give AGAINST=build/old.tflite" >&2; exit 2; }
	@test -e "$(OUT)" || $(MAKE) --no-print-directory convert
	$(BIN)/python -m convert.improve "$(RUN)" --model "$(OUT)" --against "$(AGAINST)" $(if $(AGAINST_RUN),--old-run "$(AGAINST_RUN)") $(QUIET)

search: $(STAMP) ## find the best network for DATA within a budget: SEARCH_FLAGS="--max-kb 100 --minutes 20"
	$(BIN)/python -m train.search --data "$(PHOTOS)" $(QUIET) $(SEARCH_FLAGS)

# The programs that the runtime is compared with have an environment of their own.
.venv-peers/.ready: requirements/peers.txt $(STAMP)
	$(BIN)/python -m tests.tools.device_python tflite > .venv-peers.python
	"$$(cat .venv-peers.python)" -m venv .venv-peers
	rm .venv-peers.python
	.venv-peers/bin/python -m pip install --quiet --require-hashes -r requirements/pip.txt
	.venv-peers/bin/python -m pip install --quiet --require-hashes -r requirements/peers.txt
	@touch $@

bench: $(STAMP) .venv-peers/.ready ## time frame to label against invoke() alone and other programs, into build/bench.md and .svg
	$(BIN)/python -m tests.tools.bench --peers .venv-peers/bin/python $(BENCH_FLAGS)

demo: $(STAMP) ## show the live page with the shipped model and a recorded camera
	$(BIN)/edge-runtime run --camera demo --web

device-check: $(STAMP) ## test the wheel on emulated ARM devices (needs Debian's qemu-user and mmdebstrap): DEVICE_FLAGS="--rows ..."
	$(BIN)/python -m tests.tools.device.check --json build/device-check.json $(DEVICE_FLAGS)

MINUTES ?= 60
fuzz: $(STAMP) ## feed damaged bytes to the parsers for MINUTES=60, or until one fails
	$(BIN)/python -m tests.fuzz --minutes $(MINUTES)

COUNT ?= 20
mutate: $(STAMP) ## put COUNT=20 small faults into each of signatures, store, contract, quantization: do the tests notice?
	$(BIN)/python -m tests.tools.mutate --count $(COUNT)

CUTS ?= 4
device-vm: $(STAMP) ## boot the wheel on a virtual device: cameras, power cuts, full disks (needs root; CUTS=20 for more)
	DEVICE_VM=1 DEVICE_VM_CUTS=$(CUTS) $(BIN)/python -m pytest -q tests/tools/vm $(VM_FLAGS)

zoo: $(STAMP) ## rebuild a shipped model from the complete CIFAR-10 into build/zoo (continues if interrupted): MODEL=micro
	$(BIN)/python -m train.zoo $(MODEL) --out "runs/zoo-$(MODEL)"
	$(BIN)/python -m convert "runs/zoo-$(MODEL)" --out "build/zoo/$(MODEL).tflite" --force
	$(BIN)/python -m convert.report.card "runs/zoo-$(MODEL)" "build/zoo/$(MODEL).tflite" --robustness 1000 --force

keys: $(STAMP) ## make a key pair for signing models: keys/maker.key and keys/maker.pub
	$(BIN)/python -m convert.sign --make-keys keys/maker

ROW ?= bookworm-arm64-litert
bundle: $(STAMP) ## pack all that a device needs into one archive: ROW=... MODEL_FILE=... KEY=...
	$(BIN)/python -m tests.tools.device.bundle --row $(ROW) $(if $(MODEL_FILE),--model "$(MODEL_FILE)") $(if $(KEY),--key "$(KEY)")

# What Ansible is told of the devices: DEVICE=pi@host (several: a,b) or INVENTORY=file, and whatever is in ANSIBLE_FLAGS.
ANSIBLE_FLAGS ?=
DEVICES = -i "$(if $(INVENTORY),$(INVENTORY),$(DEVICE),)" $(if $(CHECK),--check) $(ANSIBLE_FLAGS)
.PHONY: ansible
ansible:
	@command -v ansible-playbook > /dev/null || { echo "This needs ansible-playbook on PATH; it comes with ansible-core, for example by: pipx install ansible-core" >&2; exit 1; }
	@test -n "$(INVENTORY)$(DEVICE)" || { echo "Which devices? Give DEVICE=pi@host (several: a,b) or INVENTORY=file" >&2; exit 2; }

deploy: ansible bundle ## bring the bundle to DEVICE=pi@host (several: a,b) or INVENTORY=file; CHECK=1 only looks (needs ansible-core)
	ansible-playbook $(DEVICES) docs/deploy/playbook.yml \
	  -e bundle="$(abspath dist/edge-runtime-$(ROW).tar)" $(if $(MODEL_FILE),-e model="$(abspath $(MODEL_FILE))") \
	  $(if $(KEY),-e key="$(abspath $(KEY))") $(if $(RUN_FLAGS),-e '{"run_flags": $(RUN_FLAGS)}')

FRAMES ?= /var/lib/edge-runtime/frames
fetch: INTO = frames
fetch: ansible ## copy saved frames from DEVICE or INVENTORY into frames/HOST: FRAMES=(folder there) INTO=... REMOVE=1
	ansible-playbook $(DEVICES) docs/deploy/fetch.yml -e frames="$(FRAMES)" -e into="$(abspath $(INTO))" $(if $(REMOVE),-e remove=true)

status: ansible ## show what DEVICE or INVENTORY runs and how it is, one line per device
	@mkdir -p build
	@rm -f build/fleet.json
	@ANSIBLE_TIMEOUT=5 ansible-playbook $(DEVICES) docs/deploy/status.yml -e answers="$(abspath build/fleet.json)" > build/fleet.log 2>&1 || true
	@test -e build/fleet.json || { cat build/fleet.log >&2; exit 1; }
	@$(PYTHON) docs/deploy/fleet_table.py build/fleet.json

WHAT ?= model
rollback: ansible ## roll DEVICE or INVENTORY back to the previous model, or with WHAT=release to the previous release
	ansible-playbook $(DEVICES) docs/deploy/rollback.yml -e what=$(WHAT) $(if $(REFUSE),-e '{"refuse": "$(REFUSE)"}')

wheel: $(STAMP) ## build dist/edge_runtime-*.whl, the device package
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

host-wheel: $(STAMP) ## build dist/edge_train-*.whl, the workstation's package with the command edge-train
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist ./train

.venv-docs/.ready: requirements/docs.txt $(STAMP)
	$(PYTHON) -m venv .venv-docs
	.venv-docs/bin/python -m pip install --quiet --require-hashes -r requirements/pip.txt
	.venv-docs/bin/python -m pip install --quiet --require-hashes -r requirements/docs.txt
	@touch $@

reference: $(STAMP) ## regenerate the pages on command lines and the Python API from the code
	$(BIN)/python -m tests.tools.docs.reference

docs: .venv-docs/.ready ## build the documentation as a site with search, into build/site
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --quiet --config-file .mkdocs.yml
	@echo "build/site written; read it with: python3 -m http.server --directory build/site" >&2

lock: ## regenerate the pinned requirements files (needs uv)
	requirements/lock.sh

clean: ## remove what was built; run directories stay
	rm -rf build dist .venv .venv-litert .venv-tflite .venv-peers .venv-docs .pytest_cache .mypy_cache .ruff_cache .hypothesis
