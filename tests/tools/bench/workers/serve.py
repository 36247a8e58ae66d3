"""What every contender's process does: prepare once, then time single frames on demand. Runs in the peers'
environments, so it needs nothing but NumPy.

stdin: one JSON job, then a number of frames a line; stdout: one JSON list of microseconds for each.
"""

import importlib
import json
import sys
import time

WARM_UP = 20


def load_interpreter(job):
    """The job's model on the backend that it names, ready to invoke, with one thread."""
    module = importlib.import_module(f"{job['interpreter']}.interpreter")
    interpreter = module.Interpreter(model_path=job["model"], num_threads=1)
    interpreter.allocate_tensors()
    return interpreter


def serve(prepare):
    """Answers until stdin ends; ``prepare(job)`` gives the function that takes one frame from memory to its label."""
    # Libraries print as they load; only answers may reach the real stdout.
    answers, sys.stdout = sys.stdout, sys.stderr
    job = json.loads(sys.stdin.readline())
    one_frame = prepare(job)
    for _ in range(WARM_UP):
        one_frame()
    for line in sys.stdin:
        durations = []
        for _ in range(int(line)):
            start = time.perf_counter_ns()
            one_frame()
            durations.append((time.perf_counter_ns() - start) / 1e3)
        print(json.dumps(durations), file=answers, flush=True)
