"""Drives kazoo's LockingQueue for the benchmark, which asks by lines of JSON and is answered by lines of JSON.

    python3 drive_kazoo.py <hosts> <path>

Asked                                        answered
{"id": 1, "do": "put", "jobs": ["..."]}      {"id": 1, "value": null}      when put() has returned
{"id": 2, "do": "put_all", "jobs": [...]}    {"id": 2, "value": null}      when put_all() has returned
{"id": 3, "do": "size"}                      {"id": 3, "value": 17}
{"id": 4, "do": "read"}                      {"id": 4, "value": ["..."]}   all jobs that the queue holds
{"id": 5, "do": "work", "consumers": 1}      {"id": 5, "value": null}, and from then on
                                             {"job": "..."} for each get() and {"acked": true} for each consume()
{"id": 6, "do": "stop"}                      {"id": 6, "value": null}      the consumers have ended; then so does this
An error is answered by                      {"id": 1, "error": "..."}

It begins with {"id": 0, "value": "<version of kazoo>"} once it is connected, and ends with its input.
"""

import json
import logging
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

from kazoo import __version__
from kazoo.client import KazooClient
from kazoo.recipe.queue import LockingQueue

PUTTERS = 100  # one thread for each put that waits, as many as there are in flight
READS = 1000  # in flight at a time


class Program:
    def __init__(self, hosts, path):
        self.path = path
        self.client = KazooClient(hosts=hosts, timeout=10.0)
        self.client.start(timeout=10)
        self.queue = LockingQueue(self.client, path)
        self.queue._ensure_paths()
        self.putters = ThreadPoolExecutor(PUTTERS)
        self.writing = threading.Lock()
        self.stopping = False
        self.working = 0  # consumers that have a job
        self.change = threading.Condition()

    def say(self, message):
        line = json.dumps(message) + "\n"
        with self.writing:
            sys.stdout.write(line)
            sys.stdout.flush()

    def answer(self, request):
        try:
            value = getattr(self, "do_" + request["do"])(request)
            self.say({"id": request["id"], "value": value})
        except Exception as error:  # the benchmark is to know, whatever it is
            self.say({"id": request["id"], "error": repr(error)})

    def do_put(self, request):
        for job in request["jobs"]:
            self.queue.put(job.encode())

    def do_put_all(self, request):
        self.queue.put_all([job.encode() for job in request["jobs"]])

    def do_size(self, _request):
        return len(self.queue)

    def do_read(self, _request):
        folder = self.path + LockingQueue.entries
        names = sorted(self.client.get_children(folder))
        jobs = []
        for first in range(0, len(names), READS):
            some = [self.client.get_async(folder + "/" + name) for name in names[first : first + READS]]
            jobs.extend(found.get()[0].decode() for found in some)
        return jobs

    def do_work(self, request):
        for _ in range(request["consumers"]):
            threading.Thread(target=self.consume, daemon=True).start()

    def consume(self):
        queue = LockingQueue(self.client, self.path)
        while True:
            try:
                job = queue.get()
                if not self.begin():
                    return  # the lock ends with the session
                try:
                    self.say({"job": job.decode()})
                    if queue.consume():
                        self.say({"acked": True})
                finally:
                    self.end()
            except Exception as error:
                if self.stopping:
                    return
                print(repr(error), file=sys.stderr)

    def begin(self):
        with self.change:
            self.working += not self.stopping
            return not self.stopping

    def end(self):
        with self.change:
            self.working -= 1
            self.change.notify()

    def do_stop(self, _request):
        logging.disable()  # of what is cut short from now on
        with self.change:
            self.stopping = True
            self.change.wait_for(lambda: self.working == 0, timeout=5)

    def run(self):
        self.say({"id": 0, "value": __version__})
        for line in sys.stdin:
            request = json.loads(line)
            if request["do"] == "put":
                self.putters.submit(self.answer, request)
                continue
            self.answer(request)
            if request["do"] == "stop":
                break


if __name__ == "__main__":
    program = Program(sys.argv[1], sys.argv[2])
    try:
        program.run()
        program.client.stop()
    finally:
        sys.stdout.flush()
        os._exit(0)  # threads that wait for answers are not waited for
