// SPDX-License-Identifier: Apache-2.0

// Receives webhooks with Node alone: each event once, those of an object in order. Node 22.18 and later run this file;
// WEBHOOK_SECRET (several, separated by spaces), WEBHOOK_LOG, WEBHOOK_FEED (its URL), WEBHOOK_KEY and WEBHOOK_LISTEN are read.
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { fsyncSync, openSync, readFileSync, writeSync } from "node:fs";
import { createServer } from "node:http";

type Event = { id: string; event: string; object: string; sequence: number; op: string; freshness: string; changed: string };
type Headers = Record<string, string | undefined>;
type Item = { headers: Record<string, string>; body?: string; body_base64?: string; delivery?: string };

const env = process.env, hold = 1000; // milliseconds that an event waits for earlier ones
const keys = (env.WEBHOOK_SECRET ?? "").split(" ").map((secret) => Buffer.from(secret.replace(/^whsec_/, ""), "base64"));
const base32 = "0123456789abcdefghjkmnpqrstvwxyz";
const path = env.WEBHOOK_LOG ?? "webhooks.log"; // what was handled: a line for each event, and for how far the feed was read
const seen = new Set<string>(), positions = new Map<string, number>(), busy = new Map<string, Promise<void>>();
const waiting: { object: string; sequence: number }[] = [];
let cursor = "oldest", fetching: Promise<void> | undefined;
const log = openSync(path, "a+");

// handle is yours. If the process dies after it, and before the line is written, it is called again.
async function handle(event: Event, body: Buffer): Promise<void> {
  console.log(JSON.stringify({ ...event, body: body.toString() }));
}

function note(line: { id?: string; object?: string; sequence?: number; cursor?: string }, write = true): void {
  if (write) { writeSync(log, JSON.stringify(line) + "\n"); fsyncSync(log); }
  if (line.id) seen.add(line.id);
  if (line.object) positions.set(line.object, line.sequence ?? 0);
  if (line.cursor) cursor = line.cursor;
}
for (const line of readFileSync(path, "utf8").split("\n").slice(0, -1)) note(JSON.parse(line), false);

// verify returns the event of a delivery, or throws.
function verify(headers: Headers, body: Buffer): Event {
  const header = (name: string): string => headers["webhook-" + name] ?? "";
  const id = header("id"), sent = header("timestamp");
  if (id.includes(".") || !/^[0-9]+$/.test(sent) || Math.abs(Date.now() / 1000 - Number(sent)) > 300) throw new Refused("it was not sent just now");
  const good = keys.map((key) => Buffer.from("v1," + createHmac("sha256", key).update(`${id}.${sent}.`).update(body).digest("base64")));
  const given = header("signature").split(" ").map((text) => Buffer.from(text));
  if (!good.some((one) => given.some((text) => text.length === one.length && timingSafeEqual(text, one)))) throw new Refused("bad signature");
  const said = ["event", "object", "sequence", "op", "freshness", "changed"].map(header), at = id.lastIndexOf("_");
  const hash = createHash("sha256").update([id.slice(0, at), ...said].join("\n")).digest();
  const bits = [...hash].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  const digest = (bits.match(/.{5}/g) ?? []).map((five) => base32[parseInt(five, 2)]).join("").slice(0, 26);
  if (id.slice(at + 1) !== digest) throw new Refused("the headers are not those that were signed");
  return { id: id.slice(0, at), event: said[0], object: said[1], sequence: Number(said[2]), op: said[3], freshness: said[4], changed: said[5] };
}
class Refused extends Error {}

// take handles an event at its turn, unless it was handled. Without a feed, what is missing is not waited for any longer.
async function take(event: Event, body: Buffer, patience = hold): Promise<void> {
  const self = { object: event.object, sequence: event.sequence }, until = Date.now() + patience;
  const first = () => !waiting.some((other) => other.object === self.object && other.sequence < self.sequence);
  waiting.push(self);
  try {
    for (;;) {
      await busy.get(self.object)?.catch(() => {});
      if (busy.has(self.object)) continue; // another was faster
      const last = positions.get(self.object) ?? 0, whole = event.op === "snapshot", early = !whole && self.sequence > last + 1;
      if (seen.has(event.id)) return;
      if (early && (Date.now() < until || (patience > 0 && !first()))) await new Promise((wake) => setTimeout(wake, 20));
      else if (early && env.WEBHOOK_FEED && patience > 0) { await (fetching ??= catchUp().finally(() => (fetching = undefined))); patience = 0; }
      else {
        // What comes too late, or was made up, is not handled. A snapshot is the state at the object's last number.
        const handled = event.op !== "test" && (self.sequence > last || (whole && self.sequence === last));
        const work = (handled ? handle(event, body) : Promise.resolve()).then(() => note(handled ? { id: event.id, ...self } : { id: event.id }));
        busy.set(self.object, work.finally(() => busy.delete(self.object)));
        return await work;
      }
    }
  } finally {
    waiting.splice(waiting.indexOf(self), 1);
  }
}

// catchUp reads the feed to its end, and handles what was not handled.
async function catchUp(): Promise<void> {
  for (let more = true; more; ) {
    const query = new URLSearchParams({ limit: "100", after: cursor });
    const answer = await fetch(`${env.WEBHOOK_FEED}?${query}`, { headers: { authorization: "Bearer " + (env.WEBHOOK_KEY ?? "") } });
    if (!answer.ok) throw new Error(`the feed answered ${answer.status}`);
    const page = (await answer.json()) as { data: Item[]; next: string; more: boolean };
    for (const item of page.data) {
      const body = item.body_base64 === undefined ? Buffer.from(item.body ?? "") : Buffer.from(item.body_base64, "base64");
      const headers = Object.fromEntries(Object.entries(item.headers).map(([name, value]) => [name.toLowerCase(), value]));
      if (item.delivery !== "filtered") await take(verify(headers, body), body, 0);
    }
    note({ cursor: page.next });
    more = page.more;
  }
}

const [host, port] = (env.WEBHOOK_LISTEN ?? "127.0.0.1:9001").split(":");
createServer(async (request, response) => {
  try {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const body = Buffer.concat(parts);
    await take(verify(request.headers as Headers, body), body);
    response.writeHead(204).end();
  } catch (failed) {
    if (!(failed instanceof Refused)) console.error(failed); // the event comes again
    response.writeHead(failed instanceof Refused ? 401 : 500).end();
  }
}).listen(Number(port), host);
