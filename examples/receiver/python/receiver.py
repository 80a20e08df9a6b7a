# SPDX-License-Identifier: Apache-2.0
"""Receives webhooks with Python's standard library: each event once, those of an object in order.

Environment: WEBHOOK_SECRET (several, separated by spaces), WEBHOOK_DB, WEBHOOK_FEED (its URL), WEBHOOK_KEY, WEBHOOK_LISTEN."""
import base64, hashlib, hmac, json, os, sqlite3, threading, time, urllib.parse, urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEYS = [base64.b64decode(secret.removeprefix("whsec_")) for secret in os.environ["WEBHOOK_SECRET"].split()]
FEED, HOLD = os.environ.get("WEBHOOK_FEED"), 1.0  # seconds that an event waits for earlier ones
BASE32 = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "0123456789abcdefghjkmnpqrstvwxyz")
db = sqlite3.connect(os.environ.get("WEBHOOK_DB", "webhooks.db"), check_same_thread=False, isolation_level=None)
for table in "seen (id PRIMARY KEY)", "objects (name PRIMARY KEY, position)", "feed (one PRIMARY KEY, cursor)":
    db.execute("CREATE TABLE IF NOT EXISTS " + table)
turn, waiting = threading.Condition(threading.RLock()), []


def handle(event, body):
    """Yours. What it writes to db is committed with the note that the event was handled, or not at all."""
    print(json.dumps(event | {"body": body.decode()}), flush=True)


def verify(headers, body):
    """Returns the event of a delivery, or raises ValueError."""
    headers = {name.lower(): value for name, value in headers.items()}
    whole, sent = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if "." in whole or not sent.isdigit() or abs(time.time() - int(sent)) > 300:
        raise ValueError("it was not sent just now")
    macs = [hmac.new(key, f"{whole}.{sent}.".encode() + body, hashlib.sha256).digest() for key in KEYS]
    given = headers.get("webhook-signature", "").encode().split(b" ")
    if not any(hmac.compare_digest(b"v1," + base64.b64encode(mac), one) for mac in macs for one in given):
        raise ValueError("bad signature")
    said = {name: headers.get("webhook-" + name, "") for name in ("event", "object", "sequence", "op", "freshness", "changed")}
    own, _, commitment = whole.rpartition("_")  # the id commits to what the headers say
    digest = base64.b32encode(hashlib.sha256("\n".join([own, *said.values()]).encode()).digest()).decode().translate(BASE32)
    if commitment != digest[:26]:
        raise ValueError("the headers are not those that were signed")
    return said | {"id": own, "sequence": int(said["sequence"])}


def one(query, *values, default=None):
    return (db.execute(query, values).fetchone() or [default])[0]


def take(event, body, hold=HOLD):
    """Handles an event at its turn, unless it was handled. Without a feed, what is missing is not waited for any longer."""
    name, number, until = event["object"], event["sequence"], time.monotonic() + hold
    with turn:
        waiting.append((name, number))
        try:
            while not one("SELECT 1 FROM seen WHERE id = ?", event["id"]):
                last, rest = one("SELECT position FROM objects WHERE name = ?", name, default=0), until - time.monotonic()
                whole = event["op"] == "snapshot"  # the state at the object's last number: it misses nothing, and is no repeat of it
                if number > last + 1 and not whole and (rest > 0 or hold and (name, number) != min(w for w in waiting if w[0] == name)):
                    turn.wait(max(rest, 0.05))
                    continue
                if number > last + 1 and not whole and FEED and hold:
                    hold = catch_up() or 0
                    continue
                db.execute("BEGIN IMMEDIATE")
                with db:  # commits, or rolls back if there is an exception
                    if event["op"] != "test" and (number > last or whole and number == last):  # what comes too late, or was made up, is not handled
                        handle(event, body)
                        db.execute("REPLACE INTO objects VALUES (?, ?)", (name, number))
                    db.execute("INSERT INTO seen VALUES (?)", (event["id"],))
        finally:
            waiting.remove((name, number))
            turn.notify_all()


def catch_up():
    """Reads the feed to its end, and handles what was not handled."""
    more = True
    while more:
        query = urllib.parse.urlencode({"limit": 100, "after": one("SELECT cursor FROM feed", default="oldest")})
        request = urllib.request.Request(f"{FEED}?{query}", headers={"Authorization": "Bearer " + os.environ.get("WEBHOOK_KEY", "")})
        page = json.load(urllib.request.urlopen(request, timeout=30))
        for item in page["data"]:
            body = base64.b64decode(item["body_base64"]) if "body_base64" in item else item.get("body", "").encode()
            if item.get("delivery") != "filtered":
                take(verify(item["headers"], body), body, hold=0)
        db.execute("REPLACE INTO feed VALUES (1, ?)", (page["next"],))
        more = page["more"]


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body, status = self.rfile.read(int(self.headers.get("Content-Length", 0))), 204
        try:
            event = verify(self.headers, body)
        except ValueError:
            event, status = None, 401
        try:
            event and take(event, body)
        except Exception as failed:  # the event comes again
            self.log_error("%r", failed)
            status = 500
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_request(self, *_):
        pass


host, _, port = os.environ.get("WEBHOOK_LISTEN", "127.0.0.1:9001").rpartition(":")
ThreadingHTTPServer((host, int(port)), Receiver).serve_forever()
