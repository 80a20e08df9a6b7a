// SPDX-License-Identifier: Apache-2.0

// Receives webhooks with Node alone: each event once, those of an object in order. Node 22.18 and later run this file.
// Environment: WEBHOOK_SECRET (several, separated by spaces), WEBHOOK_LOG, WEBHOOK_FEED (a URL), WEBHOOK_KEY, WEBHOOK_PORT.
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { appendFileSync, readFileSync } from "node:fs";
import { createServer, type IncomingHttpHeaders } from "node:http";
import { buffer } from "node:stream/consumers";
import { setTimeout as pause } from "node:timers/promises";

const { WEBHOOK_SECRET = "", WEBHOOK_LOG = "webhooks.log", WEBHOOK_FEED: feed, WEBHOOK_KEY, WEBHOOK_PORT } = process.env;
const keys = WEBHOOK_SECRET.split(" ").map((secret) => Buffer.from(secret.replace(/^whsec_/, ""), "base64"));
const kept = Object.create(null) as Record<string, number | string>; // ids of events, numbers of objects, a cursor
for (const line of readFileSync(WEBHOOK_LOG, { encoding: "utf8", flag: "a+" }).split("\n"))
  if (line.endsWith("}")) Object.assign(kept, JSON.parse(line)); // otherwise it was broken off
let turn = Promise.resolve();
type Event = ReturnType<typeof verify>;
class Refused extends Error {}

// handle is yours. If the process dies between it and keep, it is called again.
async function handle(event: Event, body: Buffer): Promise<void> {
  console.log(JSON.stringify({ ...event, body: body.toString() }));
}

function keep(notes: typeof kept): void {
  appendFileSync(WEBHOOK_LOG, "\n" + JSON.stringify(notes), { flush: true });
  Object.assign(kept, notes);
}

function verify(headers: IncomingHttpHeaders, body: Buffer) {
  const of = (name: string) => String(headers["webhook-" + name] ?? "");
  const whole = of("id"), sent = of("timestamp"), said = ["event", "object", "sequence", "op", "freshness", "changed"].map(of);
  const good = keys.map((key) => createHmac("sha256", key).update(`${whole}.${sent}.`).update(body).digest("base64"));
  const given = of("signature").split(" ").filter((one) => one.length === 47); // v1, and 32 bytes
  const signed = given.some((one) => good.some((mac) => timingSafeEqual(Buffer.from(one, "latin1"), Buffer.from("v1," + mac))));
  const id = whole.slice(0, whole.lastIndexOf("_")); // what follows commits to the headers: 130 bits in base32
  const hash = BigInt("0x" + createHash("sha256").update([id, ...said].join("\n")).digest("hex").slice(0, 33)) >> 2n;
  const digest = hash.toString(32).padStart(26, "0").replace(/[i-v]/g, (digit) => "jkmnpqrstvwxyz"[parseInt(digit, 32) - 18]);
  const fresh = !whole.includes(".") && /^\d+$/.test(sent) && Math.abs(Date.now() / 1000 - Number(sent)) < 300;
  if (!fresh || !signed || whole !== `${id}_${digest}`) throw new Refused("it was not signed just now, or with other headers");
  return { id, event: said[0], object: said[1], sequence: Number(said[2]), op: said[3], freshness: said[4], changed: said[5] };
}

// take handles an event at its turn, unless it was handled, and fetches what it has waited for in vain.
async function take(event: Event, body: Buffer, patient = true): Promise<void> {
  const last = () => Number(kept[event.object] ?? 0), state = event.op === "snapshot"; // a state misses nothing
  const early = () => patient && !state && !(event.id in kept) && event.sequence > last() + 1;
  const hold = feed ? 1000 : 1000 * Math.min(event.sequence - last() - 1, 5); // what is next goes on first
  for (const until = Date.now() + hold; early() && Date.now() < until; ) await pause(20);
  if (early() && feed) await catchUp();
  return (turn = turn.catch(() => {}).then(async () => {
    const newer = event.sequence > last() || (state && event.sequence === last()); // or too late
    const wanted = newer && event.op !== "test" && !(event.id in kept);
    if (wanted) await handle(event, body);
    keep(wanted ? { [event.id]: 1, [event.object]: event.sequence } : { [event.id]: 1 });
  }));
}

async function catchUp(): Promise<void> {
  for (let more = true; more; ) {
    const headers = { authorization: "Bearer " + WEBHOOK_KEY };
    const answer = await fetch(`${feed}?limit=100&after=${kept.cursor ?? "oldest"}`, { headers });
    if (!answer.ok) throw new Error(`the feed answered ${answer.status}`);
    const page = (await answer.json()) as any;
    for (const item of page.data) {
      const body = Buffer.from(item.body_base64 ?? item.body ?? "", item.body_base64 ? "base64" : "utf8");
      if (item.delivery !== "filtered") await take(verify(item.headers, body), body, false);
    }
    keep({ cursor: page.next });
    more = page.more;
  }
}

createServer(async (request, response) => {
  try {
    const body = await buffer(request);
    await take(verify(request.headers, body), body);
    response.writeHead(204).end();
  } catch (failed) {
    console.error(failed); // it comes again
    response.writeHead(failed instanceof Refused ? 401 : 500).end();
  }
}).listen(Number(WEBHOOK_PORT ?? 9001), "127.0.0.1");
