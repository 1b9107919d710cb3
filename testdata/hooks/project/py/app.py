"""Flaws that analysers find: scanned by tests, and never run."""
import subprocess


def show(name):
    subprocess.call("ls " + name, shell=True)
    return eval(name)
