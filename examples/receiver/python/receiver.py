# SPDX-License-Identifier: Apache-2.0
"""Receives webhooks with Python's standard library alone: each event once, those of an object in order.
Environment: WEBHOOK_SECRET (several, separated by spaces), WEBHOOK_DB, WEBHOOK_FEED (a URL), WEBHOOK_KEY, WEBHOOK_PORT."""
import base64, hashlib, hmac, json, os, sqlite3, threading, time, urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEYS = [base64.b64decode(secret.removeprefix("whsec_")) for secret in os.environ["WEBHOOK_SECRET"].split()]
FEED, AUTH = os.environ.get("WEBHOOK_FEED"), {"Authorization": "Bearer " + os.environ.get("WEBHOOK_KEY", "")}
SAID = "event", "object", "sequence", "op", "freshness", "changed"
BASE32 = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "0123456789abcdefghjkmnpqrstvwxyz")
db = sqlite3.connect(os.environ.get("WEBHOOK_DB", "webhooks.db"), check_same_thread=False, isolation_level=None)
db.execute("CREATE TABLE IF NOT EXISTS kept (name PRIMARY KEY, value)")  # ids of events, numbers of objects, a cursor
turn = threading.Condition()

def handle(event, body):
    """Yours. What it writes to db is committed with the note that the event was handled, or not at all."""
    print(json.dumps(event | {"body": body.decode()}), flush=True)

def verify(headers, body):
    whole, sent, *said = (headers.get("webhook-" + name, "") for name in ("id", "timestamp", *SAID))
    signed, given = f"{whole}.{sent}.".encode() + body, headers.get("webhook-signature", "").encode().split()
    good = [b"v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()) for key in KEYS]
    own, _, commitment = whole.rpartition("_")  # the id commits to what the headers say
    digest = base64.b32encode(hashlib.sha256("\n".join([own, *said]).encode()).digest()).decode().translate(BASE32)
    fresh = "." not in whole and sent.isdecimal() and abs(time.time() - int(sent)) < 300
    if not fresh or commitment != digest[:26] or not any(hmac.compare_digest(a, b) for a in good for b in given):
        raise PermissionError("it was not signed just now, or its headers are not those that were")
    return {"id": own, **dict(zip(SAID, said)), "sequence": int(said[2])}

def get(name, default=None):
    return (db.execute("SELECT value FROM kept WHERE name = ?", (name,)).fetchone() or [default])[0]

def put(name, value):
    db.execute("REPLACE INTO kept VALUES (?, ?)", (name, value))

def take(event, body, patient=True):
    """Handles an event at its turn, unless it was handled, and fetches what it has waited for in vain."""
    name, number, state = event["object"], event["sequence"], event["op"] == "snapshot"  # a state misses nothing
    with turn:
        due = lambda: state or get(event["id"]) or number <= get(name, 0) + 1
        hold = 1 if FEED else min(number - get(name, 0) - 1, 5)  # seconds: what is next goes on first
        if patient and not turn.wait_for(due, hold) and FEED:
            catch_up()
        with db:  # commits, or rolls back if there is an exception
            db.execute("BEGIN IMMEDIATE")
            last, again, test = get(name, 0), get(event["id"]), event["op"] == "test"
            if not again and not test and (number > last or state and number == last):  # or too late
                handle(event, body)
                put(name, number)
            put(event["id"], True)
        turn.notify_all()

def catch_up(more=True):
    while more:
        request = urllib.request.Request(f"{FEED}?limit=100&after={get('cursor', 'oldest')}", headers=AUTH)
        page = json.load(urllib.request.urlopen(request, timeout=30))
        for item in (item for item in page["data"] if item.get("delivery") != "filtered"):
            body = base64.b64decode(item["body_base64"]) if "body_base64" in item else item.get("body", "").encode()
            take(verify(item["headers"], body), body, patient=False)
        put("cursor", page["next"])
        more = page["more"]

class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        try:
            body, status = self.rfile.read(int(self.headers.get("Content-Length", 0))), 204
            take(verify(self.headers, body), body)
        except Exception as failed:  # it comes again
            self.log_error("%r", failed)
            status = 401 if isinstance(failed, PermissionError) else 500
        self.send_response(status)
        self.end_headers()

ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("WEBHOOK_PORT", "9001"))), Receiver).serve_forever()
