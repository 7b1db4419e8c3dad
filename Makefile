# Pickup: `make demo` shows a real call, `make test` proves it. Both set up what they need.

SHELL  := /bin/bash
PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
STAMPS := build/stamps
# llama.cpp: portable code, no OpenMP (one thread a call is fastest on a busy small box), no vision.
export CMAKE_ARGS ?= -DGGML_NATIVE=OFF -DGGML_OPENMP=OFF -DLLAVA_BUILD=OFF
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help setup demo run test check unit pbx format lock bench bench-soak bench-mind bench-mouth bench-voice bench-review bench-eval gate eval bench-replay browser doctor-faults bench-ear clean

help:  ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(STAMPS)/python $(STAMPS)/asterisk $(STAMPS)/redis $(STAMPS)/embedder  ## everything the machine needs, inside this folder

demo: setup  ## a caller phones, the link arrives by text, the evidence lies in a folder
	@$(BIN)/pickup demo

run: setup  ## serve a real trunk in the foreground
	@$(BIN)/pickup run

test: setup check unit gate browser pbx  ## lint, types, import rules, unit tests, the cases, the page in a browser, real Asterisk and Redis

check: $(STAMPS)/python  ## lint, format, types, import rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

unit: setup
	@$(BIN)/pytest tests/unit

gate: setup  ## every case by text: nothing that passed may fail (evals/baseline.json)
	@$(BIN)/pickup eval --gate --junit build/eval/text.xml --page build/eval/text.html

eval: setup  ## every case by text, the pilot's from ear to mouth and by phone; pages in build/eval
	@$(BIN)/pickup eval --page build/eval/text.html
	@for driver in audio phone; do \
	  $(BIN)/pickup eval evals/cases/pilot.yaml --driver $$driver --page build/eval/$$driver.html || exit; done

browser: setup $(STAMPS)/browser
	@$(BIN)/pytest tests/browser

pbx: setup $(STAMPS)/sipp
	@$(BIN)/pytest tests/pbx

bench: setup  ## calls at the caller's ear: alone, 2, 4, 8 at once, and against a plain pipeline
	@$(BIN)/pickup bench

bench-soak: setup  ## 1,000 caller turns, and what they leave behind: nothing
	@$(BIN)/pickup soak

bench-mind: setup  ## what the mind gets right on held-out turns, and how fast
	@$(BIN)/python llm_models/recipe/bench.py

bench-mouth: setup  ## time to first sound, real-time factor, memory, at 1, 4 and 8 calls at once
	@$(BIN)/python tts_models/recipe/bench.py

bench-voice:  ## how well the house voice is understood, beside its teacher and espeak-ng (own environment, 1 GB)
	@$(PYTHON) tts_models/recipe/make.py evaluate pictures --voice tts_models/house-en/voice.onnx

bench-eval: setup  ## how long 500 text cases take on two processes
	@$(BIN)/python evals/bench.py

bench-replay: setup  ## 20 recorded calls on a real line again, twice: are the decisions the same?
	@$(BIN)/python evals/calls/bench_replay.py

bench-review: setup  ## precision and recall of the review's checks on labelled calls
	@$(BIN)/python evals/calls/bench.py

doctor-faults: setup  ## plant every fault in a real house; which hop does pickup doctor name first?
	@$(BIN)/pytest -q tests/pbx/test_doctor.py -rA --tb=line | grep -E "^(ok|WRONG) |passed|failed"

bench-ear: setup $(STAMPS)/bench-ear  ## what the ear hears right, beside pocketsphinx, and how fast
	@$(BIN)/python stt_models/recipe/bench --sphinx build/bench/ear/venv/bin/python

format: $(STAMPS)/python  ## put the code into its one form
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

lock: $(STAMPS)/python  ## write requirements.lock from what is installed
	@{ head -1 requirements.lock; $(BIN)/pip freeze --exclude-editable | sed 's/ @ .*//'; } > requirements.lock.new && mv requirements.lock.new requirements.lock

clean:  ## remove what setup and calls made (evidence included)
	rm -rf $(VENV) build var

$(STAMPS)/python: requirements.lock pyproject.toml deploy/python
	@deploy/python "$(PYTHON)" "$(VENV)"
	@mkdir -p $(@D) && touch $@

$(STAMPS)/asterisk: asterisk/install
	@asterisk/install asterisk
	@mkdir -p $(@D) && touch $@

$(STAMPS)/redis: asterisk/install
	@asterisk/install redis
	@mkdir -p $(@D) && touch $@

$(STAMPS)/sipp: deploy/sipp
	@deploy/sipp
	@mkdir -p $(@D) && touch $@

$(STAMPS)/browser: deploy/browser
	@deploy/browser

# For the bench alone: voices and human prompts from Debian, and the recogniser to compare with.
$(STAMPS)/bench-ear: stt_models/recipe/bench/prepare
	@stt_models/recipe/bench/prepare "$(PYTHON)" build/bench/ear
	@mkdir -p $(@D) && touch $@

$(STAMPS)/embedder: agent/mind/embedder.py $(STAMPS)/python
	@$(BIN)/python -m agent.mind.embedder --build
	@mkdir -p $(@D) && touch $@
