"""``invoke()`` alone, of LiteRT or tflite-runtime: the lower bound for everything else."""

from serve import load_interpreter, serve


def prepare(job):
    interpreter = load_interpreter(job)
    return interpreter.invoke


serve(prepare)
