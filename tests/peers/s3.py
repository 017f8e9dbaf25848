"""An S3 server, moto's, that fails when it is told to:  s3.py PORT  (0 takes a free one)

Prints its port. Then each line it reads is a JSON object, and it answers "done":

    {"bucket": NAME}                            makes a bucket
    {"put": KEY, "bucket": NAME, "file": PATH}  puts an object into it
    {"mode": MODE}                              what all others get from now on

A mode is "serve", what they ask for; "refuse", status 503; "cut", the end of their connection; "hang", nothing at all, until
the mode is another. What is done by these lines is done whatever the mode.
"""
import json
import socket
import sys
import threading

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server
from werkzeug.test import Client
from werkzeug.wrappers import Response

moto = DomainDispatcherApplication(create_backend_app)
mode = "serve"
changed = threading.Condition()


def serve(environ, start_response):
    with changed:
        now = mode
        if now == "hang":
            changed.wait_for(lambda: mode != "hang")
            now = "cut"  # whoever waited so long has gone
    if now == "serve":
        return moto(environ, start_response)
    if now == "cut":
        environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    return Response("told to refuse", status=503)(environ, start_response)


class Quiet(MotoRequestHandler):
    def log(self, *_):
        pass


def s3(method, path, **rest):
    """Asks moto itself, past the mode."""
    answer = Client(moto).open(path, method=method, base_url="http://127.0.0.1", headers=signed, **rest)
    assert answer.status_code < 300, f"{method} {path}: {answer.status}: {answer.text}"
    return answer


# By the service in the credential moto knows that S3 is meant.
signed = {"Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, Signature=none"}
server = make_server("127.0.0.1", int(sys.argv[1]), serve, threaded=True, request_handler=Quiet)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_address[1], flush=True)

for line in sys.stdin:
    task = json.loads(line)
    if "mode" in task:
        with changed:
            mode = task["mode"]
            changed.notify_all()
    elif "put" in task:
        with open(task["file"], "rb") as file:
            s3("PUT", f"/{task['bucket']}/{task['put']}", data=file.read())
    else:
        s3("PUT", f"/{task['bucket']}")
    print("done", flush=True)
